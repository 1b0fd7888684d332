/* Parts of the SMTP server that are plain functions: the grammar of paths, the
 * trace lines. */
#include "tests/unit/check.h"
#include "tests/unit/fake_mail.h"
#include "smtp/smtp_session.h"

static enum err parse(const char *text, struct smtp_path *path)
{
    const char *at = text;
    const char *end = text + strlen(text);
    enum err error = smtp_path_parse(&at, end, path);

    return error == OK && at != end ? ERR_EXISTS : error;
}

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define D64 A60 "aa."
#define D63 A60 "aaa"

static const struct {
    const char *text;
    enum err error;
    const char *local, *domain;
} paths[] = {
    {"<>", OK, "", ""},
    {"<a@b>", OK, "a", "b"},
    {"<a.b.c@d.e-f.g1>", OK, "a.b.c", "d.e-f.g1"},
    {"<!#$%&'*+-/=?^_`{|}~@x>", OK, "!#$%&'*+-/=?^_`{|}~", "x"},
    {"<\"a b\"@c>", OK, "a b", "c"},
    {"<\"\"@c>", OK, "", "c"},
    {"<\"a\\\"\\\\@>\"@c>", OK, "a\"\\@>", "c"},
    {"<@x:a@b>", OK, "a", "b"},
    {"<@x.y,@z:a@b>", OK, "a", "b"},
    {"<a@[1.2.3.4]>", OK, "a", "[1.2.3.4]"},
    {"<a@[IPv6:::1]>", OK, "a", "[IPv6:::1]"},
    {"<a@[ipv6:2001:db8::7]>", OK, "a", "[ipv6:2001:db8::7]"},
    {"<postmaster>", OK, "postmaster", ""},
    {"<" A60 "aaaa@b>", OK, A60 "aaaa", "b"},
    {"<" A60 "aaaaa@b>", ERR_TOO_BIG, "", ""},
    {"<\"" A60 "aaaaa\"@b>", ERR_TOO_BIG, "", ""},
    {"<a@" D63 ".b>", OK, "a", D63 ".b"},
    {"<a@" D63 "a.b>", ERR_INVALID, "", ""},
    {"<aa@" D64 D64 D64 A60 ">", OK, "aa", D64 D64 D64 A60},
    {"<aaaaa@" D64 D64 D64 A60 "aa>", ERR_TOO_BIG, "", ""},
    {"<a@" D64 D64 D64 D64 "aa>", ERR_TOO_BIG, "", ""},
    {"", ERR_INVALID, "", ""},
    {"<", ERR_INVALID, "", ""},
    {"a@b", ERR_INVALID, "", ""},
    {"<a@b", ERR_INVALID, "", ""},
    {"<a@>", ERR_INVALID, "", ""},
    {"<@b>", ERR_INVALID, "", ""},
    {"<@>", ERR_INVALID, "", ""},
    {"<@x:>", ERR_INVALID, "", ""},
    {"<@x,:a@b>", ERR_INVALID, "", ""},
    {"<@x,y:a@b>", ERR_INVALID, "", ""},
    {"<.a@b>", ERR_INVALID, "", ""},
    {"<a.@b>", ERR_INVALID, "", ""},
    {"<a..b@c>", ERR_INVALID, "", ""},
    {"<a@b.>", ERR_INVALID, "", ""},
    {"<a@.b>", ERR_INVALID, "", ""},
    {"<a@b..c>", ERR_INVALID, "", ""},
    {"<a@-b>", ERR_INVALID, "", ""},
    {"<a@b->", ERR_INVALID, "", ""},
    {"<a@b-.c>", ERR_INVALID, "", ""},
    {"<a@b c>", ERR_INVALID, "", ""},
    {"<a b@c>", ERR_INVALID, "", ""},
    {"<a@b@c>", ERR_INVALID, "", ""},
    {"<a@b>>", ERR_EXISTS, "", ""},
    {"<\"a@b>", ERR_INVALID, "", ""},
    {"<\"a\\", ERR_INVALID, "", ""},
    {"<\"a\"b@c>", ERR_INVALID, "", ""},
    {"<a\"b\"@c>", ERR_INVALID, "", ""},
    {"<\303\244@b>", OK, "\303\244", "b"},
    {"<\"\303\244 \"@b>", OK, "\303\244 ", "b"},
    {"<a@\303\244.b>", OK, "a", "\303\244.b"},
    {"<\303@b>", ERR_INVALID, "", ""},
    {"<\355\240\200@b>", ERR_INVALID, "", ""},
    {"<\"\300\257\"@b>", ERR_INVALID, "", ""},
    {"<a@\303\244\377>", ERR_INVALID, "", ""},
    {"<a@\357\274\241.b>", ERR_INVALID, "", ""},
    {"<a@b\343\200\202c>", ERR_INVALID, "", ""},
    {"<a@[]>", ERR_INVALID, "", ""},
    {"<a@[1.2.3]>", ERR_INVALID, "", ""},
    {"<a@[1.2.3.4>", ERR_INVALID, "", ""},
    {"<a@[::1]>", ERR_INVALID, "", ""},
    {"<a@[IPv6:1.2.3.4]>", ERR_INVALID, "", ""},
};

static void test_paths(void)
{
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct smtp_path path;
        enum err error = parse(paths[i].text, &path);

        if (error != paths[i].error)
            printf("path %s: %s\n", paths[i].text, err_text(error));
        CHECK(error == paths[i].error);
        if (error != OK || paths[i].error != OK)
            continue;
        CHECK(path.local_len == strlen(paths[i].local) &&
              memcmp(path.local, paths[i].local, path.local_len) == 0);
        CHECK(path.domain_len == strlen(paths[i].domain) &&
              memcmp(path.domain, paths[i].domain, path.domain_len) == 0);
    }
}

/* The trace lines, every byte of them. */
static void test_trace(void)
{
    static const struct {
        int64_t wall_clock_ms;
        const char *date, *id;
    } cases[] = {
        {1795491321999, "Tue, 24 Nov 2026 03:35:21 +0000", "1a20b9f588f"},
        {951782400000, "Tue, 29 Feb 2000 00:00:00 +0000", "0dd9aa6e000"},
        {-5, "Thu, 1 Jan 1970 00:00:00 +0000", "ffffffffffb"},
    };
    struct net_address v4 = fake_peer_address;
    struct smtp_session session;
    struct fake_stream fake;
    size_t i;

    CHECK(net_address_parse("2001:db8::25", &fake_peer_address) == OK);
    memset(&session, 0, sizeof(session));
    session.dialogue.stream = &fake.stream;
    fake.stream.operations = &fake_operations;
    memcpy(session.helo, "c.test", 6);
    session.helo_bytes = 6;
    session.serial = 42;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[512];
        char buffer[1024];
        struct text text;

        session.received_ms = cases[i].wall_clock_ms;
        text_init(&text, buffer, sizeof(buffer));
        smtp_trace_format(&text, &session, "h.test");
        snprintf(expected, sizeof(expected),
                 "Return-Path: <>\r\nReceived: from c.test "
                 "([IPv6:2001:db8::25])\r\n\tby h.test with SMTP id %s-42;"
                 "\r\n\t%s\r\n",
                 cases[i].id, cases[i].date);
        if (!fake_matches(buffer, text.len, expected))
            printf("trace: %.*s\n", (int)text.len, buffer);
        CHECK(fake_matches(buffer, text.len, expected));
    }
    fake_peer_address = v4;
}

int main(void)
{
    test_paths();
    test_trace();
    return check_report();
}
