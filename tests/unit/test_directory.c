/* Whom an address means: aliases with several targets, aliases of aliases and
 * their loops, tags, catch-alls, roles, limits of domains; and names of domains
 * beyond ASCII. */
#include "tests/unit/check.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char memory[1 << 20];

static void add_user(int64_t id, const char *name, bool admin, bool enabled)
{
    struct user user;

    memset(&user, 0, sizeof(user));
    user.id = id;
    snprintf(user.name, sizeof(user.name), "%s", name);
    user.admin = admin;
    user.enabled = enabled;
    CHECK(directory_add_user(&user) == OK);
}

static void fill(void)
{
    static const struct {
        const char *alias;
        int64_t user;
        const char *address;
    } rows[] = {
        {"info", 1, ""},
        {"info", 2, ""},
        {"INFO", 2, NULL}, /* a double */
        {"sales@second.example", 2, ""},
        {"sales", 1, ""},
        {"list", 0, "info@first.example"},
        {"list", 0, "out@far.test"},
        {"list", 0, "Bert"},
        {"list", 0, "nobody@first.example"},
        {"a", 0, "b@first.example"},
        {"b", 0, "c"},
        {"c", 0, "a@second.example"},
        {"c", 1, ""},
        {"x", 0, "y"},
        {"y", 0, "x"},
        {"bert", 0, "bert@first.example"}, /* keeps his own */
        {"bert", 0, "bert@phone.test"},
        {"carl", 0, "carl@phone.test"}, /* keeps none */
        {"cars", 4, ""},
        {"cars", 1, ""},
        {"both", 0, "carl"},
        {"both", 0, "cars"},
        {"both", 0, "carl@first.example"},
        {"dora", 0, "team@first.example"}, /* of which she is */
        {"team", 5, ""},
        {"off", 3, ""},
        {"half", 3, ""},
        {"half", 1, ""},
        {"tag+special", 2, ""},
        {"one@single.test", 1, ""}, /* a domain that is not ours */
        {"@catch.example", 1, ""},
        {"@out.example", 0, "all@far.test"},
        {"f\303\274r", 1, ""},
        {"u@b\303\274cher.example", 2, ""},
        {"diamond", 0, "info"},
        {"diamond", 0, "list"},
        {"big@first.example", 0, "OUT@far.test"},
        {"big@first.example", 0, NULL}, /* a double */
    };

    directory_init(memory, sizeof(memory));
    CHECK(directory_add_domain("first.example") == OK);
    CHECK(directory_add_domain("Second.example") == OK);
    CHECK(directory_add_domain("catch.example") == OK);
    CHECK(directory_add_domain("out.example") == OK);
    CHECK(directory_add_domain("B\303\234cher.example") == OK);
    CHECK(directory_limit_domain("second.EXAMPLE", 4096, true) == OK);
    CHECK(directory_limit_domain("third.example", 1, true) == ERR_NOT_FOUND);
    add_user(1, "anna", false, true);
    add_user(2, "bert", true, true);
    add_user(3, "gone", true, false);
    add_user(4, "carl", false, true);
    add_user(5, "dora", false, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum err err =
            rows[i].user != 0
                ? directory_add_alias(rows[i].alias, rows[i].user)
                : directory_add_forward(rows[i].alias, rows[i].address != NULL
                                                           ? rows[i].address
                                                           : "out@FAR.test");

        CHECK(err == (rows[i].address == NULL ? ERR_EXISTS : OK));
    }
}

/* The targets as "1 2 out@far.test", or the error. */
static const char *describe(enum err err,
                            const struct directory_expansion *expansion)
{
    static char text[2048];
    size_t at = 0;

    if (err != OK)
        return err == ERR_REFUSED     ? "refused"
               : err == ERR_NOT_FOUND ? "none"
               : err == ERR_BUSY      ? "disabled"
               : err == ERR_TOO_BIG   ? "too many"
                                      : "?";
    text[0] = '\0';
    for (unsigned i = 0; i < expansion->count && at < 1500; i++) {
        const struct directory_target *target = &expansion->targets[i];

        if (target->user != NULL)
            at += (size_t)sprintf(text + at, "%s%d", i > 0 ? " " : "",
                                  (int)target->user->id);
        else
            at += (size_t)sprintf(text + at, "%s%s", i > 0 ? " " : "",
                                  target->address);
    }
    return text;
}

static const char *look_up(const char *local, const char *domain)
{
    const struct directory_expansion *expansion;
    enum err err = directory_expand(local, strlen(local), domain,
                                    strlen(domain), &expansion);

    return describe(err, expansion);
}

static const struct {
    const char *local, *domain, *targets;
} expansions[] = {
    {"anna", "first.example", "1"},
    {"ANNA", "SECOND.example", "1"},
    {"anna", "", "1"},
    {"anna", "third.example", "refused"},
    {"anna", "first.example.", "refused"},
    {"anna", "xfirst.example", "refused"},
    {"anna", "f\320\270rst.example", "refused"},
    {"nobody", "first.example", "none"},
    {"gone", "first.example", "disabled"},
    {"info", "first.example", "1 2 bert@phone.test"},
    {"sales", "first.example", "1"},
    {"sales", "second.example", "2 bert@phone.test"},
    {"list", "first.example", "1 2 bert@phone.test out@far.test"},
    {"a", "first.example", "1"},
    {"b", "first.example", "1"},
    {"c", "second.example", "1"},
    {"x", "first.example", "none"},
    {"bert", "first.example", "2 bert@phone.test"},
    {"bert+x", "first.example", "2 bert@phone.test"},
    {"carl", "first.example", "carl@phone.test"},
    /* What comes by another alias goes the same way. */
    {"cars", "first.example", "carl@phone.test 1"},
    {"both", "first.example", "carl@phone.test 1"},
    {"dora", "first.example", "5"},
    {"team", "first.example", "5"},
    {"off", "first.example", "disabled"},
    {"half", "first.example", "1"},
    {"diamond", "first.example", "1 2 bert@phone.test out@far.test"},
    {"big", "first.example", "OUT@far.test"},
    /* Tags. */
    {"anna+", "first.example", "1"},
    {"anna+a+b", "first.example", "1"},
    {"info+x", "first.example", "1 2 bert@phone.test"},
    {"sales+x", "second.example", "2 bert@phone.test"},
    {"tag+special", "first.example", "2 bert@phone.test"},
    {"tag+other", "first.example", "none"},
    {"+anna", "first.example", "none"},
    {"+", "first.example", "none"},
    {"anna-x", "first.example", "none"},
    /* Whole addresses, and whatever else comes. */
    {"one", "single.test", "1"},
    {"one+t", "single.test", "1"},
    {"two", "single.test", "refused"},
    {"anna", "single.test", "refused"},
    {"whatever", "catch.example", "1"},
    {"bert", "catch.example", "2 bert@phone.test"},
    {"a@b", "catch.example", "1"},
    {"whatever", "out.example", "all@far.test"},
    /* Roles. */
    {"postmaster", "", "2 bert@phone.test"},
    {"PostMaster", "first.example", "2 bert@phone.test"},
    {"abuse", "second.example", "2 bert@phone.test"},
    {"postmaster", "far.test", "refused"},
    {"postmaster", "catch.example", "1"},
    /* Quoted local parts hold anything, and mean nothing here. */
    {"", "first.example", "none"},
    {"@first.example", "first.example", "none"},
    {"one@single.test", "first.example", "none"},
    {"one@single.test", "", "none"},
    {"anna@far.test", "first.example", "none"},
    {"", "catch.example", "1"},
    /* Beyond ASCII. */
    {"f\303\274r", "first.example", "1"},
    {"anna", "b\303\274cher.example", "1"},
    {"anna", "B\303\234CHER.example", "1"},
    {"anna", "xn--bcher-kva.example", "1"},
    {"u", "XN--bcher-kva.example", "2 bert@phone.test"},
    {"anna", "b\303cher.example", "refused"},
};

static void test_expansion(void)
{
    for (size_t i = 0; i < sizeof(expansions) / sizeof(expansions[0]); i++) {
        const char *got = look_up(expansions[i].local, expansions[i].domain);
        /* Roles are read by the first admin: his own forwards do not count. */
        bool role =
            strncmp(expansions[i].targets, "2 bert@phone", 12) == 0 &&
            (expansions[i].local[0] == 'p' || expansions[i].local[0] == 'P' ||
             expansions[i].local[1] == 'b');
        const char *wanted = role ? "2" : expansions[i].targets;

        if (strcmp(got, wanted) != 0)
            printf("%s at %s: %s\n", expansions[i].local, expansions[i].domain,
                   got);
        CHECK(strcmp(got, wanted) == 0);
    }
}

static void test_limits(void)
{
    const struct directory_expansion *expansion;
    char alias[16], next[16];

    CHECK(directory_expand("anna", 4, "second.example", 14, &expansion) == OK);
    CHECK(expansion->closed && expansion->max_bytes == 4096);
    CHECK(directory_expand("anna", 4, "first.example", 13, &expansion) == OK);
    CHECK(!expansion->closed && expansion->max_bytes == 0);
    CHECK(directory_expand("abuse", 5, "second.example", 14, &expansion) == OK);
    CHECK(!expansion->closed && expansion->max_bytes == 4096);
    /* What an alias names has its own domain's limits only when asked. */
    CHECK(directory_expand("b", 1, "first.example", 13, &expansion) == OK);
    CHECK(!expansion->closed);
    for (int i = 0; i < 30; i++) {
        snprintf(alias, sizeof(alias), "deep%d", i);
        snprintf(next, sizeof(next), "deep%d", i + 1);
        CHECK(directory_add_forward(alias, next) == OK);
    }
    CHECK(directory_add_alias("deep30", 1) == OK);
    CHECK(strcmp(look_up("deep0", "first.example"), "too many") == 0);
    CHECK(strcmp(look_up("deep20", "first.example"), "1") == 0);
    for (int i = 0; i < 101; i++) {
        snprintf(next, sizeof(next), "m%d@far.test", i);
        CHECK(directory_add_forward("many", next) == OK);
        CHECK((strcmp(look_up("many", "first.example"), "too many") == 0) ==
              (i == 100));
    }
    directory_set_tags("-=");
    CHECK(strcmp(look_up("anna-x", "first.example"), "1") == 0);
    CHECK(strcmp(look_up("anna=x", "first.example"), "1") == 0);
    CHECK(strcmp(look_up("anna+x", "first.example"), "none") == 0);
    directory_set_tags("");
    CHECK(strcmp(look_up("anna-x", "first.example"), "none") == 0);
}

/* As they stand in an envelope. */
static void test_whole_addresses(void)
{
    static const struct {
        const char *address, *targets;
    } cases[] = {
        {"anna@first.example", "1"},
        {"\"anna\"@first.example", "1"},
        {"\"an\\na+x y\"@first.example", "1"},
        {"\"info\"@first.example", "1 2 bert@phone.test"},
        {"\"a@b\"@catch.example", "1"},
        {"\"anna@first.example", "none"},
        {"\"\"@first.example", "none"},
        {"\"@first.example", "none"},
        {"\"\\\"@first.example", "none"},
        {"\"anna\"@far.test", "refused"},
        {"anna", "1"},
        {"postmaster", "2"},
        {"", "none"},
        {"\"0123456789012345678901234567890123456789012345678901234567890123"
         "4567890123456789\"@first.example",
         "none"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct directory_expansion *expansion;
        enum err err = directory_expand_whole(cases[i].address, &expansion);

        CHECK(strcmp(describe(err, expansion), cases[i].targets) == 0);
    }
}

static void test_senders(void)
{
    static const struct {
        int64_t user;
        const char *local, *domain;
        bool may;
    } cases[] = {
        {1, "anna", "first.example", true},
        {1, "info", "first.example", true},
        {1, "anna+x", "second.example", true},
        {1, "c", "second.example", true},
        {1, "bert", "first.example", false},
        {2, "anna", "first.example", false},
        {1, "anna", "far.test", false},
        {1, "anna", "", false},
        {1, "any", "catch.example", true},
        {2, "any", "catch.example", false},
        {1, "one", "single.test", true},
        {4, "carl", "first.example", true}, /* has it sent on */
        {4, "cars", "first.example", true},
        {1, "carl", "first.example", false},
        {2, "sales", "second.example", true},
        {1, "sales", "second.example", false},
        {2, "postmaster", "first.example", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(directory_may_send_as(cases[i].user, cases[i].local,
                                    strlen(cases[i].local), cases[i].domain,
                                    strlen(cases[i].domain)) == cases[i].may);
}

/* Users, each with two aliases and a forward, as many as there is room for.
 * content: what they take. */
static unsigned fill_up(size_t bytes, unsigned most, uint64_t *content)
{
    static const char elsewhere[] = "somebody@else.example";
    struct user user = {.enabled = true};
    unsigned count;
    char alias[80];

    directory_init(memory, bytes);
    *content = 0;
    for (count = 0; count < most; count++) {
        user.id = count + 1;
        snprintf(user.name, sizeof(user.name), "user%u", count);
        if (directory_add_user(&user) != OK)
            return count;
        *content += directory_user_bytes(strlen(user.name));
        for (int i = 0; i < 2; i++) {
            snprintf(alias, sizeof(alias), "alias-%d-of-%s", i, user.name);
            if (directory_add_alias(alias, user.id) != OK)
                return count;
            *content += directory_alias_bytes(strlen(alias)) +
                        directory_meaning_bytes(0);
        }
        if (directory_add_forward(alias, elsewhere) != OK)
            return count;
        *content += directory_meaning_bytes(sizeof(elsewhere) - 1);
    }
    return count;
}

/* What is said to be enough is, and not much more than that. */
static void test_memory(void)
{
    static const unsigned users[] = {0, 1, 7, 100, 700};
    uint64_t content;

    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        size_t bytes;

        CHECK(fill_up(sizeof(memory), users[i], &content) == users[i]);
        bytes = directory_bytes_for(content);
        CHECK(fill_up(bytes, users[i], &content) == users[i]);
        CHECK(users[i] < 100 ||
              fill_up(bytes / 50 * 49, users[i], &content) < users[i]);
    }
    CHECK(directory_share(0) == (size_t)256 * 1024);
    CHECK(directory_pc_mb(SIZE_MAX / 256) == 0);
}

/* The README's figures. */
static void test_memory_of_pcs(void)
{
    unsigned last = 0;

    for (unsigned users = 0; users < 20000; users += 100) {
        unsigned mb = directory_pc_mb(
            directory_bytes_for(users * directory_user_bytes(8)));

        CHECK(mb >= last && mb != 0);
        CHECK(users > 500 || mb <= 64);
        CHECK(users < 1000 || mb > 64);
        CHECK(users > 800 || mb <= 128);
        last = mb;
    }
}

/* RFC 3492 section 7.1 and names that are in use. */
static void test_domains(void)
{
    static const struct {
        const char *name, *ascii;
    } cases[] = {
        {"Example.ORG", "example.org"},
        {"a_b.example", "a_b.example"},
        {"b\303\274cher.example", "xn--bcher-kva.example"},
        {"M\303\234nchen", "xn--mnchen-3ya"},
        {"fa\303\237.de", "xn--fa-hia.de"},
        {"\317\200\316\261\317\201\316\254\316\264\316\265\316\271\316\263"
         "\316\274\316\261",
         "xn--hxajbheg2az3al"},
        {"\320\237\320\240\320\230\320\234\320\225\320\240.\321\200\321\204",
         "xn--e1afmkfd.xn--p1ai"},
        {"\344\276\213\345\255\220.\346\265\213\350\257\225",
         "xn--fsqu00a.xn--0zwm56d"},
        {"\344\273\226\344\273\254\344\270\272\344\273\200\344\271\210\344\270"
         "\215\350\257\264\344\270\255\346\226\207",
         "xn--ihqwcrb4cv8a8dqg056pqjye"},
        {"\360\235\204\236", NULL}, /* U+1D11E may stand or not */
        {"", NULL},
        {".", NULL},
        {"a..b", NULL},
        {"a.b.", NULL},
        {"-a.b", NULL},
        {"a-.b", NULL},
        {"a b", NULL},
        {"a\302\240b", NULL},             /* a space that does not break */
        {"a\343\200\202b", NULL},         /* another full stop */
        {"\357\274\241.example", NULL},   /* a wide letter */
        {"a\342\200\213b.example", NULL}, /* nothing to be seen */
        {"a\302\255b.example", NULL},
        {"\303.example", NULL},
        {"[192.0.2.1]", NULL},
    };
    char ascii[USER_DOMAIN_BYTES];
    char label[300];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum err err =
            user_domain_to_ascii(cases[i].name, strlen(cases[i].name), ascii);

        if (cases[i].name[0] == '\360')
            continue;
        if (cases[i].ascii == NULL
                ? err == OK
                : err != OK || strcmp(ascii, cases[i].ascii) != 0)
            printf("%s: %s\n", cases[i].name, err == OK ? ascii : "refused");
        CHECK(cases[i].ascii == NULL
                  ? err != OK
                  : err == OK && strcmp(ascii, cases[i].ascii) == 0);
    }
    memset(label, 'a', sizeof(label));
    CHECK(user_domain_to_ascii(label, 63, ascii) == OK);
    CHECK(user_domain_to_ascii(label, 64, ascii) == ERR_TOO_BIG);
    label[63] = label[127] = label[191] = '.';
    CHECK(user_domain_to_ascii(label, 254, ascii) == OK);
    CHECK(user_domain_to_ascii(label, 255, ascii) == ERR_TOO_BIG);
    for (size_t i = 0; i + 1 < 60; i += 2) {
        label[i] = '\303';
        label[i + 1] = '\274';
    }
    CHECK(user_domain_to_ascii(label, 60, ascii) == OK);
    CHECK(strlen(ascii) <= 63);
}

int main(void)
{
    fill();
    test_expansion();
    test_whole_addresses();
    test_senders();
    test_limits();
    test_memory();
    test_memory_of_pcs();
    test_domains();
    return check_report();
}
