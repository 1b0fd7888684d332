/* Unit test: messages that are made, read again by the parser, and line by line
 * for what RFC 5322 and 2045 demand. */
#include "check.h"
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/mime_flowed.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/mime/mime_make.h"
#include <string.h>

#define ROOM 400000

static struct mime_make make;
static struct mime_decoder decoder;
static char out[ROOM], content[ROOM];
static size_t out_len;
static struct mime_part parts[16];
static char strings[4096];
static struct mime mime = {.parts = parts,
                           .part_room = 16,
                           .text = strings,
                           .text_room = sizeof strings};
static struct mime_source source;

static enum err keep(void *context, const char *text, size_t len)
{
    (void)context;
    if (out_len + len >= ROOM)
        return ERR_FULL;
    memcpy(out + out_len, text, len);
    out_len += len;
    out[out_len] = '\0';
    return OK;
}

static const struct mime_sink sink = {keep, NULL};

static void begin(void)
{
    out_len = 0;
    out[0] = '\0';
    mime_make_begin(&make, &sink, 0x123456789abcdef0);
}

/* Whether all of it is ASCII in lines of CRLF that are not too long. */
static bool is_clean(size_t most)
{
    size_t line = 0;

    for (size_t i = 0; i < out_len; i++) {
        if (out[i] == '\n' || out[i] == '\r') {
            if (out[i] == '\r' && (i + 1 == out_len || out[i + 1] != '\n'))
                return false;
            if (out[i] == '\n' && (i == 0 || out[i - 1] != '\r'))
                return false;
            line = 0;
            continue;
        }
        if (++line > most || (out[i] < ' ' && out[i] != '\t') || out[i] == 0x7f)
            return false;
    }
    return out_len >= 2 && out[out_len - 1] == '\n';
}

static void end(size_t most)
{
    CHECK(mime_make_end(&make) == OK && make.bytes == out_len);
    CHECK(is_clean(most));
    mime_source_memory(&source, out, (uint32_t)out_len);
    CHECK(mime_parse(&mime, &source) == OK && !mime.cut);
}

static size_t read_part(unsigned index, enum mime_decode_as as)
{
    size_t used = 0;
    int got;

    mime_decode_begin(&decoder, &source, &parts[index], as);
    while ((got = mime_decode_read(&decoder, content + used, 512)) > 0)
        used += (size_t)got;
    content[used] = '\0';
    return used;
}

static bool field_is(const char *name, const char *wanted)
{
    char text[2000];

    mime_field_text(out, out_len, name, text, sizeof text);
    if (strcmp(text, wanted) != 0)
        printf("%s: %s, wanted %s\n", name, text, wanted);
    return strcmp(text, wanted) == 0;
}

static void subject(const char *text)
{
    begin();
    mime_make_text(&make, "Subject", text);
    end(78);
    CHECK(field_is("Subject", text));
}

static void test_text(void)
{
    char text[1500] = "";

    subject("Hello");
    subject("a long subject that goes on and on until it does not fit on one "
            "line any more and is folded, twice, as it should be");
    subject("J\u00fcrgen \u65e5\u672c\u8a9e \U0001f600 =?utf-8?q?x?=");
    subject("=?utf-8?q?not_encoded?=");
    subject("two  spaces   kept");
    for (int i = 0; i < 200; i++)
        strcat(text, "\u20ac");
    subject(text);
    memset(text, 'x', 700);
    text[700] = '\0';
    subject(text);
    subject("");
    begin();
    mime_make_text(&make, "Subject", "a\r\nBcc: evil@x\r\n\r\nbody");
    end(78);
    CHECK(field_is("Subject", "a  Bcc: evil@x    body"));
    begin();
    mime_make_text(&make, "Subject", "caf\xe9");
    end(78);
    CHECK(field_is("Subject", "caf\ufffd"));
}

#define LONG_NAME                                                              \
    "a very long name of somebody who has more names than anybody could need"

static void test_addresses(void)
{
    static const char *const names[] = {
        "",      "Ann B", "Doe, \"J\" \\x", "J\u00fcrg", "a@b",
        "<x@y>", "Dr. X", "=?utf-8?q?x?=",  LONG_NAME};
    struct mime_span rest;
    struct mime_address address;

    begin();
    mime_make_addresses(&make, "Cc");
    mime_make_addresses_end(&make);
    mime_make_addresses(&make, "To");
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        mime_make_address(&make, names[i], "local.part@host.example");
    mime_make_address(&make, "x\r\ny", "\"a b\"@c\r\n,d@e");
    mime_make_addresses_end(&make);
    end(110);
    CHECK(mime_field(out, out_len, "To", &rest));
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(mime_address_next(&rest, &address));
        CHECK(strcmp(address.address, "local.part@host.example") == 0);
        if (strncmp(names[i], "=?", 2) != 0) {
            CHECK(strcmp(address.name, names[i]) == 0);
        }
    }
    CHECK(mime_address_next(&rest, &address) &&
          strcmp(address.name, "x  y") == 0 &&
          strcmp(address.address, "\"a b\"@cd@e") == 0);
    CHECK(!mime_address_next(&rest, &address));
    CHECK(!mime_field(out, out_len, "Cc", &rest));
}

static void test_other_fields(void)
{
    struct mime_span value, id;
    char text[MIME_MAKE_ID];
    int64_t unix_ms;
    int zone, count = 0;

    begin();
    mime_make_date(&make, 1795710392000, 60);
    mime_make_ids(&make, "Message-ID",
                  mime_make_id(text, 1, 2, "host.example"));
    mime_make_ids(&make, "References",
                  "<a.very.long.message.id.0@host.example> "
                  "b.very.long.message.id.0@host.example "
                  "<c.very.long.message.id.0@host.example>\r\nX: y");
    mime_make_ids(&make, "In-Reply-To", "  ");
    mime_make_ids(&make, "In-Reply-To", "<\xc3\xa4@host.example>");
    end(78);
    CHECK(strncmp(out, "Date: Thu, 26 Nov 2026 17:26:32 +0100\r\n", 39) == 0);
    CHECK(mime_field(out, out_len, "Date", &value) &&
          mime_date(value, &unix_ms, &zone) && unix_ms == 1795710392000 &&
          zone == 60);
    CHECK(field_is("Message-ID",
                   "<00000000000000010000000000000002@host.example>"));
    CHECK(mime_field(out, out_len, "References", &value));
    while (mime_id_next(&value, &id))
        count++;
    CHECK(count == 5 && !mime_field(out, out_len, "X", &value));
    CHECK(!mime_field(out, out_len, "In-Reply-To", &value));
}

/* ---- Flowed ----------------------------------------------------------------
 */

static char lines[ROOM];

static void flow_open(void *context, unsigned quotes)
{
    (void)context;
    for (unsigned i = 0; i < quotes; i++)
        strcat(lines, ">");
    if (quotes > 0)
        strcat(lines, " ");
}

static void flow_put(void *context, const char *text, size_t len)
{
    (void)context;
    strncat(lines, text, len);
}

static void flow_close(void *context)
{
    (void)context;
    strcat(lines, "\n");
}

/* A text comes back as its paragraphs. */
static void flowed(const char *text, const char *wanted, size_t most)
{
    static const struct mime_flowed_sink flow_sink = {flow_open, flow_put,
                                                      flow_close, NULL};
    struct mime_flowed flow;

    begin();
    mime_make_flowed(&make, text, strlen(text));
    end(most);
    CHECK(parts[0].flowed && mime_is(&parts[0], "text/plain"));
    lines[0] = '\0';
    mime_flowed_begin(&flow, true, parts[0].del_sp, &flow_sink);
    mime_flowed_write(&flow, content, read_part(0, MIME_AS_TEXT));
    mime_flowed_end(&flow);
    if (strcmp(lines, wanted) != 0)
        printf("flowed: \"%s\", wanted \"%s\"\n", lines, wanted);
    CHECK(strcmp(lines, wanted) == 0);
}

static void test_flowed(void)
{
    static char text[6000];

    flowed("Hello\nWorld", "Hello\nWorld\n", 78);
    flowed("Hello  \r\n\r\n  x\n", "Hello\n\n  x\n", 78);
    flowed("From me\n>a\n> > b\n>>c\n -> d\n-- \nsig",
           "From me\n> a\n>> b\n>> c\n"
           " -> d\n-- \nsig\n",
           78);
    flowed("> a quoted line that is far too long to stand on one line, and "
           "so it is wrapped, and all of it stays quoted",
           "> a quoted line that is far too long to stand on one line, and "
           "so it is wrapped, and all of it stays quoted\n",
           78);
    flowed("J\u00fcrgen says a line that is far too long to stand on one line, "
           "and so it is wrapped > and - too From here on it goes\nx =3D y",
           "J\u00fcrgen says a line that is far too long to stand on one line, "
           "and so it is wrapped > and - too From here on it goes\nx =3D y\n",
           76);
    flowed("\u65e5\u672c\u8a9e", "\u65e5\u672c\u8a9e\n", 76);
    flowed("caf\xe9\x01", "caf\ufffd \n", 76);
    flowed("", "", 78);
    flowed("\n", "\n", 78);
    memset(text, 'x', 5000);
    strcpy(text + 5000, "\n");
    flowed(text, text, 76);
}

/* ---- Parts -----------------------------------------------------------------
 */

static void test_parts(void)
{
    static char file[100000];

    for (size_t i = 0; i < sizeof file; i++)
        file[i] = (char)(i * i >> 3);
    begin();
    mime_make_text(&make, "Subject", "x");
    mime_make_multipart(&make, "mixed");
    mime_make_flowed(&make, "text\n--=_123456789abcdef0_1\n", 26);
    mime_make_multipart(&make, "related");
    mime_make_file(&make, "text html", "", NULL);
    mime_make_file_end(&make);
    mime_make_file(&make, "image/png", "p.png", "p@x");
    mime_make_data(&make, "png", 3);
    mime_make_file_end(&make);
    mime_make_multipart_end(&make);
    mime_make_file(&make, "",
                   "r\u00e9sum\u00e9 of a very long name that goes on and "
                   "on, with \"quotes\" and /slashes.pdf",
                   NULL);
    for (size_t i = 0; i < sizeof file; i += 1000)
        mime_make_data(&make, file + i, 1000);
    mime_make_file_end(&make);
    mime_make_message(&make, "a \"b\".eml");
    mime_make_data(&make, "Subject: y\r\n\r\nz", 15);
    mime_make_file_end(&make);
    end(78);
    CHECK(mime.part_count == 8);
    CHECK(read_part(1, MIME_AS_TEXT) == 27 &&
          strcmp(content, "text\n --=_123456789abcdef0_1\n") != 0);
    CHECK(mime_is(&parts[3], "application/octet-stream") &&
          read_part(3, MIME_AS_BYTES) == 0);
    CHECK(mime_is(&parts[4], "image/png") &&
          parts[4].disposition == MIME_INLINE &&
          strcmp(parts[4].content_id, "p@x") == 0 &&
          strcmp(parts[4].name, "p.png") == 0);
    CHECK(strcmp(parts[5].name, "slashes.pdf") == 0 && parts[5].parent == 0);
    CHECK(read_part(5, MIME_AS_BYTES) == sizeof file &&
          memcmp(content, file, sizeof file) == 0);
    CHECK(mime_is(&parts[6], "message/rfc822") &&
          strcmp(parts[6].name, "a \"b\".eml") == 0 && parts[7].within == 6);
    CHECK(read_part(7, MIME_AS_BYTES) == 1 && content[0] == 'z');
    begin();
    mime_make_multipart(&make, "mixed");
    mime_make_file(&make, "text/plain; charset=utf-8", "x", NULL);
    mime_make_data(&make, "\xc3\xa4", 2);
    mime_make_file_end(&make);
    mime_make_file(&make, "Message/rfc822", "", NULL);
    mime_make_data(&make, "A: \xe4\n\nb", 7);
    mime_make_file_end(&make);
    end(78);
    CHECK(mime.part_count == 3 && mime_is(&parts[1], "text/plain") &&
          read_part(1, MIME_AS_BYTES) == 2);
    CHECK(mime_is(&parts[2], "application/octet-stream") &&
          strcmp(parts[2].name, "message.eml") == 0 &&
          read_part(2, MIME_AS_BYTES) == 7);
}

/* Without it a text in another charset than the reader's is not readable. */
static void test_charset_of_files(void)
{
    static const char *const types[][2] = {
        {"text/csv; charset=koi8-r", "koi8-r"},
        {"text/plain;charset=UTF-8", "utf-8"},
        {"text/plain; charset=a\r\nX-More: b", ""},
        {"text/plain; charset=\"a\"", ""},
        {"text/plain; format=flowed", ""},
        {"image/png; charset=koi8-r", ""},
        {"text/plain;", ""},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        begin();
        mime_make_file(&make, types[i][0], "x", NULL);
        mime_make_data(&make, "\xd2", 1);
        mime_make_file_end(&make);
        end(78);
        CHECK(strcmp(parts[0].charset, types[i][1]) == 0);
        CHECK(mime.part_count == 1 && read_part(0, MIME_AS_BYTES) == 1);
    }
}

static void test_fits(void)
{
    struct mime_source message;
    static char text[3000];

    mime_source_memory(&message, "a: b\r\n\r\nc", 9);
    CHECK(mime_make_fits(&message) == 1);
    mime_source_memory(&message, "a: \xe4\r\n", 6);
    CHECK(mime_make_fits(&message) == 0);
    memset(text, 'x', sizeof text);
    mime_source_memory(&message, text, 998);
    CHECK(mime_make_fits(&message) == 1);
    mime_source_memory(&message, text, 1000);
    CHECK(mime_make_fits(&message) == 0);
}

static enum err refuse(void *context, const char *text, size_t len)
{
    unsigned *calls = context;

    (void)text;
    (void)len;
    ++*calls;
    return ERR_IO;
}

static void test_errors(void)
{
    unsigned calls = 0;
    struct mime_sink full = {refuse, &calls};

    mime_make_begin(&make, &full, 1);
    mime_make_file(&make, "a/b", "x", NULL);
    for (int i = 0; i < 1000; i++)
        mime_make_data(&make, "0123456789", 10);
    mime_make_file_end(&make);
    CHECK(mime_make_end(&make) == ERR_IO && calls == 1);
    begin();
    for (int i = 0; i <= MIME_MAKE_DEPTH; i++)
        mime_make_multipart(&make, "mixed");
    CHECK(mime_make_end(&make) == ERR_TOO_BIG);
}

int main(void)
{
    test_text();
    test_addresses();
    test_other_fields();
    test_flowed();
    test_parts();
    test_charset_of_files();
    test_fits();
    test_errors();
    return check_report();
}
