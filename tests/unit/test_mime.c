/* Unit test: messages taken apart into parts, broken ones too. */
#include "check.h"
#include "mailstore/mime/mime.h"
#include <string.h>

#define PARTS 32

static struct mime_part parts[PARTS];
static char text[4096];
static struct mime mime = {
    .parts = parts, .part_room = PARTS, .text = text, .text_room = sizeof text};
static const char *message;

static void parse(const char *bytes)
{
    struct mime_source source;

    message = bytes;
    mime.part_room = PARTS;
    mime.text_room = sizeof text;
    mime_source_memory(&source, bytes, (uint32_t)strlen(bytes));
    CHECK(mime_parse(&mime, &source) == OK);
}

/* Whether part number i has this body, as it stands. */
static bool body_is(unsigned i, const char *wanted)
{
    return i < mime.part_count && parts[i].body_bytes == strlen(wanted) &&
           memcmp(message + parts[i].body, wanted, strlen(wanted)) == 0;
}

static void test_simple(void)
{
    parse("Subject: x\r\n\r\nHello\r\n");
    CHECK(mime.part_count == 1 && mime_is(&parts[0], "text/plain"));
    CHECK(body_is(0, "Hello\r\n") && parts[0].header_bytes == 14);
    CHECK(parts[0].role == MIME_ROLE_TEXT && parts[0].parent == MIME_NONE);
    parse("");
    CHECK(mime.part_count == 1 && parts[0].body_bytes == 0);
    parse("no header at all\nsecond: line\n");
    CHECK(body_is(0, "no header at all\nsecond: line\n"));
    parse("From x@y Thu\nContent-Type: TEXT/HTML; Charset=\"UTF-8\"\n\nx");
    CHECK(mime_is(&parts[0], "text/html") &&
          strcmp(parts[0].charset, "utf-8") == 0 && body_is(0, "x"));
    CHECK(parts[0].role == MIME_ROLE_HTML);
    parse("A: b\nContent-Transfer-Encoding : BASE64 \n"
          "Content-Type: text/plain;\n format=flowed; delsp=\"yes\"\n\n");
    CHECK(parts[0].encoding == MIME_BASE64 && parts[0].flowed &&
          parts[0].del_sp);
    parse("Content-Type: text\n\nx");
    CHECK(mime_is(&parts[0], "text/plain"));
    parse("Content-Type: text/html charset=koi8-r\n\nx");
    CHECK(mime_is(&parts[0], "text/html") &&
          strcmp(parts[0].charset, "koi8-r") == 0);
}

static void test_multipart(void)
{
    parse(
        "Content-Type: multipart/mixed; boundary=\"b 1\"\r\n\r\npreamble\r\n"
        "--b 1\r\n\r\none\r\n--b 1  \r\nContent-Type: text/html\r\n\r\ntwo\r\n"
        "\r\n--b 1--\r\nepilogue\r\n--b 1\r\n\r\nno\r\n");
    CHECK(mime.part_count == 3 && parts[0].children == 2);
    CHECK(body_is(1, "one") && body_is(2, "two\r\n"));
    CHECK(parts[1].parent == 0 && parts[1].depth == 1);
    CHECK(parts[0].role == MIME_ROLE_HOLDER);

    /* Prefixes of boundaries, inner ones that are not closed, no blank line. */
    parse("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
          "Content-Type: multipart/alternative; boundary=bb\n--bb\n\nx\n--bb\n"
          "Content-Type: text/html\n\ny\n--b\n\nz\n--b--");
    CHECK(mime.part_count == 5 && body_is(2, "x") && body_is(3, "y"));
    CHECK(body_is(4, "z") && parts[4].parent == 0 && parts[3].parent == 1);
    CHECK(mime_shown(&mime, 3, MIME_NONE, true) &&
          !mime_shown(&mime, 2, MIME_NONE, true));
    CHECK(!mime_shown(&mime, 3, MIME_NONE, false) &&
          mime_shown(&mime, 2, MIME_NONE, false) &&
          mime_shown(&mime, 4, MIME_NONE, false));

    /* No boundary was said; none is there; it is empty. */
    parse("Content-Type: multipart/mixed\n\nx\n--guess\n\ny\n--guess--\n");
    CHECK(mime.part_count == 2 && body_is(1, "y"));
    parse("Content-Type: multipart/mixed; boundary=nowhere\n\nx\n--other\n");
    CHECK(mime.part_count == 1 && body_is(0, "x\n--other\n") &&
          parts[0].role == MIME_ROLE_TEXT);
    parse("Content-Type: multipart/mixed; boundary=\"\"\n\nx\n");
    CHECK(mime.part_count == 1 && body_is(0, "x\n"));
    parse("Content-Type: multipart/mixed; boundary*0=a; boundary*1=\"b\"\n\n"
          "--ab\n\nx\n--ab--\n");
    CHECK(mime.part_count == 2 && body_is(1, "x"));
    /* RFC 2046 5.1.1: a space may stand anywhere but at its end. */
    parse("Content-Type: multipart/mixed; boundary=\" b c \"\n\n-- b c\n\nx\n"
          "-- b c--\n");
    CHECK(mime.part_count == 2 && body_is(1, "x"));
    parse("Content-Type: multipart/mixed; boundary=a=b:c\n\n--a=b:c\n\nx\n"
          "--a=b:c--\n");
    CHECK(mime.part_count == 2 && body_is(1, "x"));
    parse("Content-Type: multipart/mixed; boundary=b\n\n--b\nfoo: bar\n--b\n\n"
          "--b--\n");
    CHECK(mime.part_count == 3 && body_is(1, "") && body_is(2, ""));
}

static void test_messages(void)
{
    parse("Content-Type: multipart/digest; boundary=b\n\n--b\n\n"
          "Subject: inner\n\ntext\n--b\nContent-Type: message/rfc822\n\n"
          "Content-Type: multipart/mixed; boundary=c\n\n--c\n\nu\n--c--\n"
          "--b\nContent-Type: text/plain\n\nv\n--b--\n");
    CHECK(mime.part_count == 7);
    CHECK(mime_is(&parts[1], "message/rfc822") && body_is(2, "text"));
    CHECK(parts[2].within == 1 && parts[2].parent == 1 &&
          parts[1].children == 1);
    CHECK(mime_is(&parts[3], "message/rfc822") && parts[4].within == 3 &&
          parts[5].within == 3 && body_is(5, "u"));
    CHECK(parts[6].within == MIME_NONE && body_is(6, "v"));
    CHECK(mime_attached(&mime, 1, MIME_NONE) && mime_shown(&mime, 2, 1, true) &&
          !mime_shown(&mime, 2, MIME_NONE, true));
    parse("Content-Type: message/rfc822\n\nno header\n");
    CHECK(mime.part_count == 2 && body_is(1, "no header\n"));
    parse("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
          "QTogYgoKYwo=\n");
    CHECK(mime.part_count == 1 && parts[0].role == MIME_ROLE_ATTACHED);
}

static void name_is(const char *fields, const char *wanted)
{
    char whole[2048];

    (void)snprintf(whole, sizeof whole, "%s\n\nx", fields);
    parse(whole);
    if (strcmp(parts[0].name, wanted) != 0)
        printf("name: %s, wanted %s\n", parts[0].name, wanted);
    CHECK(strcmp(parts[0].name, wanted) == 0);
}

static void test_names(void)
{
    name_is("Content-Type: a/b; name=plain.txt", "plain.txt");
    name_is("Content-Type: a/b; name=wrong.txt\n"
            "Content-Disposition: attachment; filename=\"a \\\"b\\\".txt\"",
            "a \"b\".txt");
    name_is("Content-Disposition: attachment; filename=my file.pdf; size=3",
            "my file.pdf");
    name_is("Content-Disposition: attachment; filename=\"C:\\dir\\x.doc\"",
            "x.doc");
    name_is("Content-Disposition: attachment; filename=\"../../etc/passwd\"",
            "passwd");
    name_is("Content-Disposition: attachment;\n"
            " filename*=UTF-8''%e2%82%ac%20rates.txt; filename=\"EUR.txt\"",
            "\u20ac rates.txt");
    name_is("Content-Disposition: attachment;\n filename*1*=%c3%a4.;\n"
            " filename*0*=iso-8859-15''%a4; filename*2=\"t%78t\"",
            "\u20ac\u00c3\u20ac.t%78t");
    name_is("Content-Type: a/b;\n"
            " name=\"=?utf-8?Q?=C3=A4?= =?utf-8?B?w7Y=?=.txt\"",
            "\u00e4\u00f6.txt");
    name_is("Content-Type: a/b; name==?iso-8859-1?Q?=E4_b.txt?=",
            "\u00e4 b.txt");
    name_is("Content-Disposition: attachment; filename=\"\xc3\xa4.txt\"",
            "\u00e4.txt");
    name_is("Content-Disposition: attachment; filename=\"\xe4.txt\"",
            "\u00e4.txt");
    name_is("Content-Disposition: attachment; filename=\"not closed",
            "not closed");
    name_is("Content-Disposition: filename=bare.txt", "bare.txt");
    name_is("Content-Disposition: attachment; filename=\"a\x01\u202e"
            "b\"",
            "a b");
    name_is("Content-Disposition: attachment; filename*0=a; filename*2=c", "a");
    CHECK(parts[0].disposition == MIME_ATTACHMENT);
    name_is("Content-Type: a/b; name*=''; ; =; *=; name", "");
    name_is("Content-Disposition: inline (x; filename=no); filename=y", "y");
    CHECK(parts[0].disposition == MIME_INLINE);
}

static void test_related(void)
{
    parse("Content-Type: multipart/related; boundary=r\n\n--r\n"
          "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n"
          "--a\nContent-Type: text/html\n\n<b>x</b>\n--a--\n--r\n"
          "Content-Type: image/png; name=i.png\nContent-ID: <i@x>\n\npng\n"
          "--r\nContent-Type: text/plain; name=t.txt\n\nfile\n--r--\n");
    CHECK(mime.part_count == 6);
    CHECK(parts[4].role == MIME_ROLE_RELATED &&
          strcmp(parts[4].content_id, "i@x") == 0);
    CHECK(mime_by_content_id(&mime, "i@x", 3) == &parts[4] &&
          mime_by_content_id(&mime, "i", 1) == NULL);
    CHECK(mime_attached(&mime, 5, MIME_NONE));
    CHECK(mime_shown(&mime, 3, MIME_NONE, true) &&
          !mime_shown(&mime, 2, MIME_NONE, true));
}

/* What HTML cannot show is offered as a file: nobody would see it else. */
static void test_related_files(void)
{
    parse("Content-Type: multipart/related; boundary=r\n\n--r\n"
          "Content-Type: text/html\n\n<img src=cid:i@x>\n--r\n"
          "Content-Type: image/png\nContent-ID: <i@x>\n\npng\n--r\n"
          "Content-Type: application/pdf; name=bill.pdf\n"
          "Content-ID: <p@x>\nContent-Disposition: attachment\n\npdf\n--r\n"
          "Content-Type: image/tiff\nContent-ID: <t@x>\n\ntiff\n--r--\n");
    CHECK(mime.part_count == 5 && parts[2].role == MIME_ROLE_RELATED);
    CHECK(!mime_attached(&mime, 2, MIME_NONE));
    CHECK(mime_attached(&mime, 3, MIME_NONE));
    CHECK(mime_attached(&mime, 4, MIME_NONE));
    parse("Content-Type: multipart/related; boundary=r\n\n--r\n\n"
          "See the picture.\n--r\nContent-Type: image/png\n"
          "Content-ID: <i@x>\n\npng\n--r--\n");
    CHECK(mime.part_count == 3 && mime_attached(&mime, 2, MIME_NONE));
}

/* More levels, parts and text than there is room for. */
static void test_limits(void)
{
    static char deep[64 * 1024];
    size_t used = 0;

    for (int i = 0; i < 40; i++)
        used += (size_t)snprintf(deep + used, sizeof deep - used,
                                 "Content-Type: multipart/mixed; "
                                 "boundary=b%d\n\n--b%d\n",
                                 i, i);
    (void)snprintf(deep + used, sizeof deep - used, "\ntext\n--b3--\nrest\n");
    parse(deep);
    CHECK(mime.cut && mime.part_count == MIME_DEPTH + 1);
    CHECK(parts[0].body + parts[0].body_bytes == strlen(deep));
    used = (size_t)snprintf(deep, sizeof deep,
                            "Content-Type: multipart/mixed; boundary=b\n\n");
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(deep + used, sizeof deep - used,
                                 "--b\nContent-Type: image/x%d\n\n%d\n", i, i);
    parse(deep);
    CHECK(mime.cut && mime.part_count == PARTS && body_is(3, "2"));
    mime.text_room = 20;
    CHECK(mime_parse(&mime, &mime.source) == OK && mime.cut);
    CHECK(mime_is(&parts[0], "application/octet-stream") ||
          mime_is(&parts[0], "multipart/mixed"));

    /* Lines over the window, in header and body, and NULs. */
    memset(deep, 'x', 20000);
    memcpy(deep, "A: ", 3);
    memcpy(deep + 9000, "\nContent-Type: multipart/mixed; boundary=z\n\n", 43);
    memcpy(deep + 15000, "\n--z\n\n\0\n--z--\n", 14);
    deep[20000] = '\0';
    mime_source_memory(&mime.source, deep, 20000);
    mime.text_room = sizeof text;
    CHECK(mime_parse(&mime, &mime.source) == OK && mime.part_count == 2);
    CHECK(parts[1].body == 15006 && parts[1].body_bytes == 1);
}

static int read_fails(const struct mime_source *source, uint32_t offset,
                      void *buffer, size_t bytes)
{
    (void)source;
    memset(buffer, 'a', bytes);
    return offset > 5000 ? ERR_IO : (int)bytes;
}

static void test_source(void)
{
    struct mime_source source = {read_fails, NULL, NULL, 100000};

    CHECK(mime_parse(&mime, &source) == ERR_IO && mime.part_count == 1);
}

int main(void)
{
    test_simple();
    test_multipart();
    test_messages();
    test_names();
    test_related();
    test_related_files();
    test_limits();
    test_source();
    return check_report();
}
