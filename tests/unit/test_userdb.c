/* User profiles: names, directory, users.csv, passwords. */
#include "check.h"
#include "userdb/directory.h"
#include <argon2.h>
#include <stdlib.h>
#include <string.h>

static struct user make_user(int64_t id, const char *name, bool admin)
{
    struct user user = {.id = id, .admin = admin, .enabled = true};

    snprintf(user.name, sizeof user.name, "%s", name);
    return user;
}

static void test_names(void)
{
    char name[80];

    CHECK(user_name_valid("alice"));
    CHECK(user_name_valid("a.b+c_d'e"));
    CHECK(!user_name_valid(""));
    CHECK(!user_name_valid(".a"));
    CHECK(!user_name_valid("a."));
    CHECK(!user_name_valid("a..b"));
    CHECK(!user_name_valid("a b"));
    CHECK(!user_name_valid("a@b"));
    CHECK(!user_name_valid("\xc3\xa4"));
    memset(name, 'a', 64);
    name[64] = '\0';
    CHECK(user_name_valid(name));
    name[64] = 'a';
    name[65] = '\0';
    CHECK(!user_name_valid(name));
    CHECK(user_alias_valid("info"));
    CHECK(user_alias_valid("info@example.org"));
    CHECK(!user_alias_valid("info@"));
    CHECK(user_alias_valid("@example.org"));
    CHECK(!user_address_valid("@example.org"));
    CHECK(user_alias_valid("f\303\244r@b\303\274.example"));
    CHECK(!user_alias_valid("f\303r@example.org"));
    CHECK(!user_alias_valid("@"));
    CHECK(!user_alias_valid("info@-x.org"));
    CHECK(!user_alias_valid("info@x-.org"));
    CHECK(!user_alias_valid("a@b@c"));
}

static const struct user *resolve(const char *local, const char *domain,
                                  enum err *why)
{
    const struct directory_expansion *expansion;

    *why = directory_expand(local, strlen(local), domain, strlen(domain),
                            &expansion);
    return *why == OK ? expansion->targets[0].user : NULL;
}

static void test_directory(void)
{
    void *memory = malloc(1 << 20), *other = malloc(1 << 20);
    struct user alice = make_user(1, "Alice", false);
    struct user bob = make_user(2, "bob", true);
    struct user twin = make_user(3, "aLICE", false);
    enum err why;

    directory_init(memory, 1 << 20);
    CHECK(strcmp(directory_first_domain(), "") == 0);
    CHECK(directory_add_user(&alice) == OK);
    CHECK(directory_add_user(&bob) == OK);
    CHECK(directory_add_user(&twin) == ERR_EXISTS);
    CHECK(directory_add_domain("Example.ORG") == OK);
    CHECK(directory_add_domain("example.org") == ERR_EXISTS);
    CHECK(directory_add_domain("exa mple") == ERR_INVALID);
    CHECK(directory_add_alias("info", 1) == OK);
    CHECK(directory_add_alias("INFO", 1) == ERR_EXISTS);
    CHECK(directory_add_alias("x", 9) == ERR_NOT_FOUND);
    CHECK(directory_add_alias("sales@example.org", 2) == OK);
    CHECK(strcmp(directory_first_domain(), "example.org") == 0);
    CHECK(directory_is_local_domain("eXample.org", 11));
    CHECK(!directory_is_local_domain("example.or", 10));
    CHECK(directory_find_user("ALICE", 5)->id == 1);
    CHECK(directory_find_user("alice@example.org", 17)->id == 1);
    CHECK(!directory_find_user("alice@example.com", 17));
    CHECK(!directory_find_user("info", 4));
    CHECK(!directory_find_user("example.org", 11));
    CHECK(resolve("alice", "EXAMPLE.org", &why)->id == 1);
    CHECK(resolve("info", "example.org", &why)->id == 1);
    CHECK(resolve("SALES", "example.org", &why)->id == 2);
    CHECK(resolve("postmaster", "", &why)->id == 2);
    CHECK(resolve("Postmaster", "example.org", &why)->id == 2);
    CHECK(!resolve("alice", "elsewhere.org", &why) && why == ERR_REFUSED);
    CHECK(!resolve("carol", "example.org", &why) && why == ERR_NOT_FOUND);
    /* The same anew, with her disabled: asked once it is published. */
    directory_stage(other, 1 << 20);
    alice.enabled = false;
    CHECK(directory_add_user(&alice) == OK);
    CHECK(directory_add_user(&bob) == OK);
    CHECK(directory_add_domain("example.org") == OK);
    CHECK(resolve("alice", "example.org", &why)->enabled);
    directory_publish(true);
    CHECK(!resolve("alice", "example.org", &why) && why == ERR_BUSY);
    CHECK(directory_user_count() == 2 && directory_user_at(1)->id == 2);
    CHECK(!directory_user_at(2));
    CHECK(directory_user_by_id(2) && !directory_user_by_id(77));
    free(memory);
    free(other);
}

static void test_directory_full(void)
{
    size_t bytes = 700 * 1000;
    char *memory = malloc(bytes);
    unsigned added = 0;
    enum err err = OK;
    char name[32];

    directory_init(memory, bytes);
    while (!err) {
        struct user user;

        snprintf(name, sizeof name, "user%u", added);
        user = make_user(added + 1, name, false);
        err = directory_add_user(&user);
        added += !err;
    }
    CHECK(err == ERR_MEMORY);
    CHECK(added >= 1000);
    CHECK(directory_user_count() == added);
    for (unsigned i = 0; i < added; i++) {
        snprintf(name, sizeof name, "USER%u", i);
        if (!directory_find_user(name, strlen(name)) ||
            directory_user_at(i)->id != i + 1 ||
            directory_user_by_id(i + 1) != directory_user_at(i)) {
            CHECK(!"a user is not found again");
            break;
        }
    }
    directory_init(NULL, 0);
    CHECK(directory_user_count() == 0 && !directory_find_user("user1", 5));
    CHECK(directory_add_domain("a.b") == ERR_MEMORY);
    free(memory);
}

struct seen {
    unsigned count;
    struct csv_user last;
    enum err answer;
};

static enum err see(void *context, const struct csv_user *user)
{
    struct seen *seen = context;

    seen->count++;
    seen->last = *user;
    return seen->answer;
}

static char message[200];

static enum err parse(const char *text, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    message[0] = '\0';
    return csv_parse_users(text, strlen(text), see, seen, message,
                           sizeof message);
}

static void test_csv_good(void)
{
    struct seen seen;

    CHECK(parse("username,password,name,quota_mb,admin,aliases\r\n"
                "alice,\"se\"\"cret,1\",Al \xc3\x89,10,yes,info  a.b@x.org \r\n"
                "\r\n"
                "bob,pw,,,,",
                &seen) == OK);
    CHECK(seen.count == 2 && !seen.last.user.admin);
    CHECK(strcmp(seen.last.user.name, "bob") == 0 && seen.last.user.enabled);
    CHECK(
        parse("\xef\xbb\xbfname,password,username,aliases,admin,quota_mb\n"
              "Al \xc3\x89,\"se\"\"cret,1\",alice,\" info  a.b@x.org\",1,10\n",
              &seen) == OK);
    CHECK(seen.count == 1 && seen.last.user.admin);
    CHECK(strcmp(seen.last.password, "se\"cret,1") == 0);
    CHECK(strcmp(seen.last.user.full_name, "Al \xc3\x89") == 0);
    CHECK(seen.last.user.quota_bytes == 10 << 20);
    CHECK(strcmp(seen.last.aliases, "info a.b@x.org") == 0);
    CHECK(parse("password,username\n"
                "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,x\n",
                &seen) == ERR_INVALID);
    CHECK(parse("password,username\n"
                "\"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",x\n",
                &seen) == OK);
    CHECK(strncmp(seen.last.user.hash, "$argon2id$", 10) == 0 &&
          seen.last.password[0] == '\0');
    CHECK(parse("username,password\n", &seen) == OK && seen.count == 0);
}

static void test_csv_forward(void)
{
    struct seen seen;

    CHECK(parse("username,password,forward,aliases\n"
                "a,b, x@far.test  y@b\303\274.test ,@a.test f\303\274r\n",
                &seen) == OK);
    CHECK(strcmp(seen.last.forward, "x@far.test y@b\303\274.test") == 0);
    CHECK(strcmp(seen.last.aliases, "@a.test f\303\274r") == 0);
    CHECK(!seen.last.forward_only && seen.last.line == 2);
    CHECK(parse("forward,username,password\n\nonly x@far.test,a,b\n", &seen) ==
          OK);
    CHECK(strcmp(seen.last.forward, "x@far.test") == 0);
    CHECK(seen.last.forward_only && seen.last.line == 3);
    CHECK(parse("forward,username,password\nonlyx@far.test,a,b\n", &seen) ==
          OK);
    CHECK(!seen.last.forward_only);
}

static void expect(const char *text, const char *wanted)
{
    struct seen seen;

    if (parse(text, &seen) != ERR_INVALID || strcmp(message, wanted) != 0) {
        printf("got \"%s\" instead of \"%s\"\n", message, wanted);
        CHECK(!"the message of a wrong line");
    } else {
        CHECK(true);
    }
}

static void test_csv_bad(void)
{
    struct seen seen = {.answer = ERR_EXISTS};
    char text[6000];

#define HEAD "username,password,name,quota_mb,admin,aliases\n"
    expect("", "line 1: unknown column \"\"");
    expect("username,name\n", "line 1: the header has no column \"password\"");
    expect("username,password,colour\n", "line 1: unknown column \"colour\"");
    expect("username,password,username\n",
           "line 1: column \"username\" stands there twice");
    expect(HEAD "a,b,c\n", "line 2: 3 fields, but the header has 6");
    expect(HEAD "a,b,,abc,,\n", "line 2: quota_mb \"abc\" is not a number");
    expect(HEAD "\n\na,b,,-1,,\n", "line 4: quota_mb \"-1\" is not a number");
    expect(HEAD "a,b,,99999999999999999999999,,\n",
           "line 2: quota_mb \"99999999999999999999999\" is too large");
    expect(HEAD "a,b,,,maybe,\n",
           "line 2: admin \"maybe\" is neither yes nor no");
    expect(HEAD "a,,,,,\n", "line 2: the password is empty");
    expect(HEAD ",b,,,,\n", "line 2: the username is empty");
    expect(HEAD "a b,b,,,,\n", "line 2: \"a b\" cannot be a username");
    expect(HEAD "a,b,\xff,,,\n", "line 2: the name is not plain UTF-8 text");
    expect(HEAD "a,b,,,,x@@y\n", "line 2: \"x@@y\" cannot be an alias");
    expect("username,password,forward\na,b,far\n",
           "line 2: \"far\" cannot be an address");
    expect("username,password,forward\na,b,only\n",
           "line 2: forward is \"only\" without an address behind it");
    expect(HEAD "a,\"b,,,,\n", "line 2: a quoted field is not closed");
    expect(HEAD "a,\"b\"c,,,,\n", "line 2: text behind a closing quote");
    expect(HEAD "a,b\"c,,,,\n",
           "line 2: a quote inside a field that is not quoted");
    expect(HEAD "a,b\rc,,,,\n", "line 2: a carriage return inside the line");
    CHECK(csv_parse_users(HEAD "a,b,,,,\n", sizeof HEAD "a,b,,,,\n" - 1, see,
                          &seen, message, sizeof message) == ERR_EXISTS);
    CHECK(strncmp(message, "line 2: \"a\": ", 13) == 0);
    CHECK(csv_parse_users("username,password\na,\0b\n", 22, see, &seen, message,
                          sizeof message) == ERR_INVALID);
    snprintf(text, sizeof text, "username,password\na,%05000d\n", 0);
    expect(text, "line 2: the line is too long");
    snprintf(text, sizeof text, "username,password\na,%0300d\n", 0);
    expect(text, "line 2: the password is longer than 255 bytes");
    memset(text, ',', 100);
    text[100] = '\0';
    CHECK(parse(text, &seen) == ERR_INVALID);
    /* Every beginning of a good file is taken or refused, never overrun. */
    for (size_t len = 0; len < sizeof HEAD - 1; len++) {
        char *exact = malloc(len ? len : 1);

        memcpy(exact, HEAD, len);
        memset(&seen, 0, sizeof seen);
        (void)!csv_parse_users(exact, len, see, &seen, message, len % 20);
        free(exact);
    }
}

static unsigned pauses;

static void pause_here(void)
{
    pauses++;
}

static int take(uint8_t **memory, size_t bytes)
{
    *memory = malloc(bytes);
    return 0;
}

static void give(uint8_t *memory, size_t bytes)
{
    (void)bytes;
    free(memory);
}

/* RFC 9106 section 5.3 */
static void test_vector(void)
{
    static const uint8_t wanted[32] = {
        0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37,
        0xa3, 0x4a, 0x8b, 0x53, 0xc9, 0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75,
        0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59};
    uint8_t out[32], password[32], salt[16], secret[8], data[12];
    argon2_context context = {.out = out,
                              .outlen = 32,
                              .pwd = password,
                              .pwdlen = 32,
                              .salt = salt,
                              .saltlen = 16,
                              .secret = secret,
                              .secretlen = 8,
                              .ad = data,
                              .adlen = 12,
                              .t_cost = 3,
                              .m_cost = 32,
                              .lanes = 4,
                              .threads = 4,
                              .version = 0x13,
                              .allocate_cbk = take,
                              .free_cbk = give};

    memset(password, 1, sizeof password);
    memset(salt, 2, sizeof salt);
    memset(secret, 3, sizeof secret);
    memset(data, 4, sizeof data);
    CHECK(argon2_ctx(&context, Argon2_id) == ARGON2_OK);
    CHECK(memcmp(out, wanted, 32) == 0);
}

static void test_password(void)
{
    size_t bytes = PASSWORD_MEMORY_KIB * 1024;
    uint8_t *arena = malloc(bytes);
    static const uint8_t salt[16] = "0123456789abcdef";
    char hash[USER_HASH_BYTES];
    /* From the reference's own tests (t=2, m=65536 KiB is over the arena;
     * m=256 KiB is not). */
    static const char known[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                                "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    /* More than the arena, and yet one that a bigger machine takes. */
    static const char much[] = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$"
                               "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    password_module_init(arena, bytes, pause_here);
    CHECK(password_hash("secret", 6, salt, hash) == OK);
    CHECK(pauses == 20);
    CHECK(strncmp(hash, "$argon2id$v=19$m=7168,t=5,p=1$", 30) == 0);
    CHECK(password_hash_valid(hash));
    CHECK(password_verify(hash, "secret", 6) == OK);
    CHECK(password_verify(hash, "secreT", 6) == ERR_REFUSED);
    CHECK(password_verify(hash, "secret", 5) == ERR_REFUSED);
    CHECK(password_verify(known, "password", 8) == OK);
    CHECK(password_verify(known, "differentpassword", 17) == ERR_REFUSED);
    CHECK(!password_hash_valid("secret"));
    CHECK(password_verify("secret", "secret", 6) == ERR_INVALID);
    hash[strlen(hash) - 1] = '!';
    CHECK(password_verify(hash, "secret", 6) == ERR_INVALID);
    CHECK(password_hash_valid(much));
    CHECK(password_verify(much, "password", 8) == ERR_MEMORY);
    CHECK(!password_hash_valid("$argon2id$v=19$m=19457,t=2,p=1$c29tZXNhbHQ$"
                               "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"));
    CHECK(!password_hash_valid("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$"
                               "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"));
    free(arena);
}

int main(void)
{
    test_names();
    test_directory();
    test_directory_full();
    test_csv_good();
    test_csv_forward();
    test_csv_bad();
    test_vector();
    test_password();
    return check_report();
}
