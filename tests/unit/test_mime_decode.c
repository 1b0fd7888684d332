/* Unit test: content of parts decoded, charsets, format=flowed. */
#include "check.h"
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/mime_flowed.h"
#include <stdlib.h>
#include <string.h>

static struct mime_decoder decoder;
static char out[200000];

/* The body decoded, read in pieces of `room`; its length, or an error. */
static int decode(struct mime_part *part, const char *body, size_t len,
                  enum mime_decode_as as, size_t room)
{
    struct mime_source source;
    char piece[64];
    size_t used = 0;
    int got;

    mime_source_memory(&source, body, (uint32_t)len);
    part->body = 0;
    part->body_bytes = (uint32_t)len;
    mime_decode_begin(&decoder, &source, part, as);
    while ((got = mime_decode_read(&decoder, piece, room)) > 0) {
        if (used + (size_t)got > sizeof out)
            return -1;
        memcpy(out + used, piece, (size_t)got);
        used += (size_t)got;
    }
    out[used] = '\0';
    return got < 0 ? got : (int)used;
}

static void gives(enum mime_encoding encoding, const char *body,
                  const char *wanted)
{
    struct mime_part part = {
        .type = "application/x", .charset = "", .encoding = (uint8_t)encoding};
    int len = decode(&part, body, strlen(body), MIME_AS_BYTES, 7);

    if (len != (int)strlen(wanted) || memcmp(out, wanted, strlen(wanted)) != 0)
        printf("decoded: \"%s\", wanted \"%s\"\n", out, wanted);
    CHECK(len == (int)strlen(wanted) &&
          memcmp(out, wanted, strlen(wanted)) == 0);
}

static void test_encodings(void)
{
    gives(MIME_7BIT, "a\r\nb\n", "a\r\nb\n");
    gives(MIME_QUOTED_PRINTABLE, "a=3D=C3=a4 \t\r\nb=\r\nc= \nd",
          "a=\xc3\xa4\r\nbcd");
    gives(MIME_QUOTED_PRINTABLE, "a =\r\n b  c  ", "a  b  c");
    gives(MIME_QUOTED_PRINTABLE, "=X =3 =", "=X =3 ");
    gives(MIME_QUOTED_PRINTABLE, "=4", "=4");
    gives(MIME_QUOTED_PRINTABLE, "a\rb= x", "a\rb= x");
    gives(MIME_QUOTED_PRINTABLE,
          "                                                                  "
          "                              x",
          "                                                                  "
          "                              x");
    gives(MIME_BASE64, "SGVs\r\nbG8=\r\n", "Hello");
    gives(MIME_BASE64, "S G!V*s bG8", "Hello");
    gives(MIME_BASE64, "SGVsbG8=SGVsbG8=", "HelloHello");
    gives(MIME_BASE64, "====", "");
    gives(MIME_BASE64, "S", "");
    gives(MIME_UUENCODE, "text\nbegin 644 cat.txt\n#0V%T\n`\nend\nmore\n",
          "Cat");
    gives(MIME_UUENCODE, "no begin here", "");
    gives(MIME_UUENCODE, "begi\nbegin 644 x\n#0V%T", "Cat");
}

static void text_is(const char *type, const char *charset, const char *body,
                    size_t len, const char *wanted)
{
    struct mime_part part = {.type = type, .charset = charset};
    int got;

    for (size_t room = 8; room < 64; room += 11) {
        got = decode(&part, body, len, MIME_AS_TEXT, room);
        if (strcmp(out, wanted) != 0)
            printf("%s: \"%s\", wanted \"%s\"\n", charset, out, wanted);
        CHECK(got == (int)strlen(wanted) && strcmp(out, wanted) == 0);
    }
}

#define TEXT_IS(charset, body, wanted)                                         \
    text_is("text/plain", charset, body, sizeof(body) - 1, wanted)

static void test_text(void)
{
    TEXT_IS("", "a\r\nb\rc\nd\0e\r\n", "a\nb\nc\nde\n");
    TEXT_IS("", "\xc3\xa4\xe4\xff", "\u00e4\u00e4\u00ff");
    TEXT_IS("us-ascii", "caf\xe9", "caf\u00e9");
    TEXT_IS("utf-8", "\xef\xbb\xbfx\xc3\xa4\xe4x\xf0\x9f\x98\x80\xed\xa0\x80",
            "x\u00e4\ufffdx\U0001f600\ufffd\ufffd\ufffd");
    TEXT_IS("iso-8859-1", "\xe4\x80\x81", "\u00e4\u20ac\ufffd");
    TEXT_IS("ISO_8859-15", "\xa4", "\u20ac");
    TEXT_IS("koi8-r", "\xf0\xd2\xc9", "\u041f\u0440\u0438");
    TEXT_IS("cp1251", "\xcf\xf0", "\u041f\u0440");
    TEXT_IS("utf-16",
            "\xff\xfe"
            "a\0\x3d\xd8\0\xde",
            "a\U0001f600");
    TEXT_IS("utf-16be", "\0a\xd8\x3d\xde\0\xd8\0\0b", "a\U0001f600\ufffdb");
    TEXT_IS("utf-16", "a\0b", "a\ufffd");
    TEXT_IS("utf-32", "a\0\0\0\0\xf6\1\0\xff\xff\xff\xff", "a\U0001f600\ufffd");
    TEXT_IS("utf-7", "A+ImIDkQ.+- +2D3eAA-x", "A\u2262\u0391.+ \U0001f600x");
    TEXT_IS("iso-2022-jp", "a\x1b$BF|K\\\x1b(Bb\x1b$BF|\nK",
            "a\u65e5\u672c"
            "b\u65e5\nK");
    TEXT_IS("iso-2022-jp", "\x1b(I1\x1b(J\\\x1b$B!", "\uff71\u00a5\ufffd");
    TEXT_IS("shift_jis", "\x93\xfa\x96\x7b\xb1\x87\x40\x80",
            "\u65e5\u672c"
            "\uff71\u2460\ufffd");
    TEXT_IS("euc-jp", "\xc6\xfc\xcb\xdc\x8e\xb1\x8f\xb0\xa1",
            "\u65e5\u672c"
            "\uff71\ufffd");
    TEXT_IS("ks_c_5601-1987", "\xc7\xd1\x81\x41\xc7", "\ud55c\uac02\ufffd");
    TEXT_IS("iso-2022-kr", "\x1b$)C\x0eGQ\x0fx", "\ud55cx");
    TEXT_IS("gb2312", "\xc8\xd5\xb1\xbe", "\u65e5\u672c");
    TEXT_IS("gbk", "\x81\x40\x80\xfe\x4f", "\u4e02\u20ac\ufa29");
    TEXT_IS("gb18030", "\x81\x30\x81\x30\x94\x39\xda\x33\x81\x30x",
            "\xc2\x80\U0001f4a9\ufffd0x");
    TEXT_IS("hz-gb-2312", "a~{HU1>~}b~~",
            "a\u65e5\u672c"
            "b~");
    TEXT_IS("big5", "\xa4\xe9\xa5\xbb\xa4", "\u65e5\u672c\ufffd");
    TEXT_IS("x-no-such", "a\xe4", "a\u00e4");
    text_is("text/html", "", "<meta charset=\"koi8-r\">\xf0", 24,
            "<meta charset=\"koi8-r\">\u041f");
    text_is("text/html", "", "<meta charset=utf-16>\xf0", 22,
            "<meta charset=utf-16>\u00f0");
}

/* All bytes of all charsets, in pieces: always UTF-8, and an end. */
static void test_any(void)
{
    static const char *const names[] = {
        "",       "utf-8",  "utf-7",     "utf-16", "utf-32",      "shift_jis",
        "euc-jp", "euc-kr", "gb18030",   "big5",   "iso-2022-jp", "iso-2022-kr",
        "hz",     "koi8-r", "iso-8859-6"};
    struct mime_part part = {.type = "text/plain"};
    char body[3000];

    for (unsigned n = 0; n < sizeof names / sizeof *names; n++) {
        for (unsigned round = 0; round < 50; round++) {
            int len;

            for (size_t i = 0; i < sizeof body; i++)
                body[i] = (char)(rand() >> 8);
            part.charset = names[n];
            part.encoding = (uint8_t)(round % 4);
            len = decode(&part, body, sizeof body - round, MIME_AS_TEXT,
                         8 + round);
            CHECK(len >= 0);
            for (int i = 0; i < len;) {
                size_t step = utf8_length(out + i, (size_t)(len - i));

                CHECK(step > 0);
                i += step > 0 ? (int)step : 1;
            }
        }
    }
}

/* ---- format=flowed --------------------------------------------------------
 */

static char flow_text[2000];

static void add(const char *text, size_t len)
{
    size_t used = strlen(flow_text);

    (void)snprintf(flow_text + used, sizeof flow_text - used, "%.*s", (int)len,
                   text);
}

static void flow_open(void *context, unsigned quotes)
{
    char mark[20];

    (void)context;
    add(mark, (size_t)snprintf(mark, sizeof mark, "%u[", quotes));
}

static void flow_put(void *context, const char *text, size_t len)
{
    (void)context;
    add(text, len);
}

static void flow_close(void *context)
{
    (void)context;
    add("]", 1);
}

static void flow_is(bool flowed, bool del_sp, const char *text,
                    const char *wanted)
{
    static const struct mime_flowed_sink sink = {flow_open, flow_put,
                                                 flow_close, NULL};
    struct mime_flowed flow;

    flow_text[0] = '\0';
    mime_flowed_begin(&flow, flowed, del_sp, &sink);
    for (size_t i = 0; text[i] != '\0'; i++)
        mime_flowed_write(&flow, text + i, 1);
    mime_flowed_end(&flow);
    if (strcmp(flow_text, wanted) != 0)
        printf("flowed: %s, wanted %s\n", flow_text, wanted);
    CHECK(strcmp(flow_text, wanted) == 0);
}

static void test_flowed(void)
{
    flow_is(true, false, "a \nb\nc\n", "0[a b]0[c]");
    flow_is(true, true, "a \nb  \nc\n", "0[ab c]");
    flow_is(true, false, ">a \n>b\n>>c\n d\n", "1[a b]2[c]0[d]");
    flow_is(true, false, "a \n>b\n", "0[a ]1[b]");
    flow_is(true, false, "> a \n> b \n>c\n  x\n >no\n", "1[a b c]0[ x]0[>no]");
    flow_is(true, false, "text \n-- \nme \nyou\n", "0[text ]0[-- ]0[me you]");
    flow_is(true, false, "\n\nx", "0[]0[]0[x]");
    flow_is(true, false, "--x\n-\n--\n", "0[--x]0[-]0[--]");
    flow_is(false, false, "a \nb\n> > c\n>d\n>> e\n > f\n",
            "0[a]0[b]2[c]1[d]2[e]0[ > f]");
    flow_is(true, false, "", "");
    flow_is(true, false, ">", "1[]");
}

int main(void)
{
    test_encodings();
    test_text();
    test_any();
    test_flowed();
    return check_report();
}
