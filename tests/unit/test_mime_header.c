/* Unit test: fields of a header: text, addresses, dates, message ids. */
#include "check.h"
#include "core/date.h"
#include "mailstore/mime/mime_header.h"
#include <string.h>

static struct mime_span span(const char *text)
{
    return (struct mime_span){text, strlen(text)};
}

static void text_is(const char *value, const char *wanted)
{
    char text[300];
    size_t len = mime_text(span(value), text, sizeof text);

    if (strcmp(text, wanted) != 0)
        printf("text: %s, wanted %s\n", text, wanted);
    CHECK(strcmp(text, wanted) == 0 && len == strlen(wanted));
}

static void test_text(void)
{
    text_is("plain", "plain");
    text_is("folded\r\n\tand\r\n again", "folded and again");
    text_is("=?utf-8?q?J=C3=BCrgen_x?=", "J\u00fcrgen x");
    text_is("=?UTF-8*de?B?SsO8cmdlbg==?= b", "J\u00fcrgen b");
    text_is("=?iso-8859-1?q?a?= =?iso-8859-1?q?b?= c =?us-ascii?q?d?=",
            "ab c d");
    text_is("=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab");
    /* A character that is cut in two. */
    text_is("=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "\u20ac");
    text_is("=?utf-8?B?4oI=?= x", "\ufffd x");
    text_is("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\u65e5\u672c");
    text_is("=?shift_jis?Q?=93=FA=96=7B?=", "\u65e5\u672c");
    text_is("=?gb2312?B?yNWxvg==?= =?big5?B?pOmluw==?=",
            "\u65e5\u672c\u65e5\u672c");
    text_is("=?unknown?q?=E4?=", "\u00e4");
    text_is("caf\xc3\xa9 caf\xe9", "caf\u00e9 caf\u00e9");
    text_is("=?broken", "=?broken");
    text_is("=?utf-8?x?abc?=", "=?utf-8?x?abc?=");
    text_is("=?utf-8?q?a b?=", "a b");
    text_is("x=?utf-8?q?a?=y", "xay");
    text_is("=?utf-8?q?a=0D=0Ab=00?=", "a  b ");
    text_is("a\u202e\u2066"
            "b",
            "ab");
    text_is("", "");
}

static void test_cut(void)
{
    char text[6];

    CHECK(mime_text(span("\u00e4\u00e4\u00e4\u00e4"), text, sizeof text) == 4);
    CHECK(strcmp(text, "\u00e4\u00e4") == 0);
    CHECK(mime_text(span("abc"), text, 1) == 0 && text[0] == '\0');
}

/* All addresses as "name <address>" with | between them. */
static void addresses_are(const char *value, const char *wanted)
{
    struct mime_span rest = span(value);
    struct mime_address address;
    char all[2000] = "";

    while (mime_address_next(&rest, &address)) {
        size_t used = strlen(all);

        (void)snprintf(all + used, sizeof all - used, "%s%s<%s>",
                       used > 0 ? "|" : "", address.name, address.address);
    }
    if (strcmp(all, wanted) != 0)
        printf("addresses: %s, wanted %s\n", all, wanted);
    CHECK(strcmp(all, wanted) == 0);
}

static void test_addresses(void)
{
    addresses_are("a@b.example", "<a@b.example>");
    addresses_are("Ann B <a@b>, c@d , <e@f>", "Ann B<a@b>|<c@d>|<e@f>");
    addresses_are("\"Doe, J. \\\"x\\\"\" <j@d>", "Doe, J. \"x\"<j@d>");
    addresses_are("j@d (Jane (not John) Doe)", "Jane  Doe<j@d>");
    addresses_are("Group: a@b, C <c@d>; e@f", "<a@b>|C<c@d>|<e@f>");
    addresses_are("undisclosed-recipients:;", "undisclosed-recipients<>");
    addresses_are("=?utf-8?q?J=C3=BC?= =?utf-8?q?rg?= <j@d>", "J\u00fcrg<j@d>");
    addresses_are("\"=?utf-8?q?J=C3=BC?=\" <j@d>", "J\u00fc<j@d>");
    addresses_are("<@x,@y:j@d>", "<j@d>");
    addresses_are("\"a b\"@c, a . b @ d", "<\"a b\"@c>|<a.b@d>");
    addresses_are("\u00fc@\u00e4.example", "<\u00fc@\u00e4.example>");
    addresses_are("'Jane' <j@d>", "Jane<j@d>");
    addresses_are("just words", "just words<>");
    addresses_are(",, ,", "");
    addresses_are("", "");
    addresses_are("a@b <a@b>", "a@b<a@b>");
    addresses_are("\"open <a@b>", "open<a@b>");
    addresses_are("x <a@b, y <c@d>", "x<a@b>|y<c@d>");
    addresses_are("x <>", "x<>");
    addresses_are("a@b\r\n ,c@d", "<a@b>|<c@d>");
    addresses_are("Dept. of X. <a@b>", "Dept. of X.<a@b>");
}

static void date_is(const char *value, const char *wanted, int wanted_zone)
{
    char text[DATE_TEXT_BYTES];
    int64_t unix_ms = 0;
    int zone = -1;
    bool good = mime_date(span(value), &unix_ms, &zone);

    date_format(unix_ms, text);
    if (!good || strcmp(text, wanted) != 0)
        printf("date: %s gives %s, wanted %s\n", value, text, wanted);
    CHECK(good && strcmp(text, wanted) == 0 && zone == wanted_zone);
}

static bool no_date(const char *value)
{
    int64_t unix_ms;
    int zone;

    return !mime_date(span(value), &unix_ms, &zone);
}

static void test_dates(void)
{
    date_is("Thu, 26 Nov 2026 16:26:32 +0100", "2026-11-26 15:26:32", 60);
    date_is("26 nov 26 16:26 -0330", "2026-11-26 19:56:00", -210);
    date_is("Thu, 26 Nov 2026 16:26:32 EST", "2026-11-26 21:26:32", -300);
    date_is("Thu, 26 Nov 2026 16:26:32 PDT (x)", "2026-11-26 23:26:32", -420);
    date_is("Thu, 26 Nov 2026 16:26:32 GMT", "2026-11-26 16:26:32", 0);
    date_is("Thu, 26 Nov 2026 16:26:32 Z", "2026-11-26 16:26:32", 0);
    date_is("Thu, 26 Nov 2026 16:26:32 Q", "2026-11-26 16:26:32", 0);
    date_is("Thu, 26 Nov 2026 16:26:32 GMT+0200", "2026-11-26 14:26:32", 120);
    date_is("Thu,26 Nov 2026 16 : 26 : 32", "2026-11-26 16:26:32", 0);
    date_is("Thursday, 26-Nov-26 16:26:32 GMT", "2026-11-26 16:26:32", 0);
    date_is("Thu Nov 26 16:26:32 2026", "2026-11-26 16:26:32", 0);
    date_is("Thu Nov 26 16:26:32 CET 2026", "2026-11-26 15:26:32", 60);
    date_is("Fri, 1 Jan 99 00:00:00 +0000", "1999-01-01 00:00:00", 0);
    date_is("Fri, 1 Jan 120 00:00:00 +0000", "2020-01-01 00:00:00", 0);
    date_is("2026-11-26T16:26:32.5Z", "2026-11-26 16:26:32", 0);
    date_is("2026-11-26 16:26:32 +01:00", "2026-11-26 15:26:32", 60);
    date_is("29 Feb 2024 23:59:60 +0000", "2024-03-01 00:00:00", 0);
    date_is("26 (x) Nov 2026 4:26:32 PM", "2026-11-26 16:26:32", 0);
    CHECK(no_date("") && no_date("yesterday") && no_date("32 Nov 2026 1:1"));
    CHECK(no_date("99999999999999 Nov 2026") && no_date("1 Foo 2026 10:10"));
    CHECK(no_date("1 Nov 2026 10:99") && no_date("1 Nov 10:10"));
}

static void test_fields(void)
{
    static const char header[] =
        "From x y\r\nA: 1\r\nsubject :  x\r\n  y  \r\nMessage-ID: <a@b>\r\n"
        "References: <c@d> junk <e\r\n @f>\r\n\t<g@h\r\n\r\nbody: no\r\n";
    struct mime_span value, id, rest;

    CHECK(mime_field(header, sizeof header - 1, "Subject", &value));
    text_is("x\r\n  y", "x  y");
    CHECK(value.len == 6 && memcmp(value.text, "x\r\n  y", 6) == 0);
    CHECK(!mime_field(header, sizeof header - 1, "body", &value) &&
          value.len == 0);
    CHECK(mime_field(header, sizeof header - 1, "REFERENCES", &rest));
    CHECK(mime_id_next(&rest, &id) && id.len == 3 &&
          memcmp(id.text, "c@d", 3) == 0);
    CHECK(mime_id_next(&rest, &id) && memcmp(id.text, "e", 1) == 0);
    CHECK(!mime_id_next(&rest, &id));
}

static bool base_is(const char *subject, const char *wanted)
{
    struct mime_span base = mime_subject_base(subject);

    return base.len == strlen(wanted) &&
           memcmp(base.text, wanted, base.len) == 0;
}

static void test_subjects(void)
{
    CHECK(base_is("Re: hello", "hello") && base_is("hello", "hello"));
    CHECK(base_is("RE[2]: Fwd: AW:  hello ", "hello"));
    CHECK(base_is("[list] Re: [list] hello", "hello"));
    CHECK(base_is("[only]", "[only]") && base_is("Re:", ""));
    CHECK(base_is("Regarding: x", "Regarding: x"));
    CHECK(base_is("\u7b54\u590d\uff1ax", "x") && base_is("", ""));
}

int main(void)
{
    test_text();
    test_cut();
    test_addresses();
    test_dates();
    test_fields();
    test_subjects();
    return check_report();
}
