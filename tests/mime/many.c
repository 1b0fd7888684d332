/* Many messages through all of mailstore/mime: made by its generator, written
 * by hand, spoilt, and torture.
 *
 *   many [--count N] [--seed S] [--write FOLDER]
 *
 * What is well-formed must come back as it was put in: header fields, the tree
 * of parts, names, every byte of content. Of what is not, every offset must lie
 * in the message, every text must be UTF-8, and all must end. --write keeps
 * the well-formed ones as FOLDER/N.eml, for other readers. */
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/mime_flowed.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/mime/mime_html.h"
#include "mailstore/mime/mime_make.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM  (1u << 20)
#define PARTS 64
#define FILES 6

/* ---- Chance ----------------------------------------------------------------
 */

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(chance_state >> 33) % below;
}

/* ---- A message being written
 * ------------------------------------------------- */

static char message[ROOM];
static size_t message_len;

static enum err add_bytes(void *context, const char *text, size_t len)
{
    (void)context;
    if (message_len + len > ROOM)
        return ERR_FULL;
    memcpy(message + message_len, text, len);
    message_len += len;
    return OK;
}

static const char *line_end = "\r\n";
/* Soft line ends may have spaces behind them, which not every reader knows. */
static bool padded = true;

/* A line, with the message's own line ends. */
static void add_line(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

static void add_line(const char *format, ...)
{
    char line[2000];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)add_bytes(NULL, line, (size_t)len);
    (void)add_bytes(NULL, line_end, strlen(line_end));
}

static void fail(const char *what, const char *detail)
{
    FILE *file = fopen("mime_many.eml", "wb");

    printf("FAILED: %s: %s (the message is in mime_many.eml)\n", what, detail);
    if (file) {
        (void)fwrite(message, 1, message_len, file);
        (void)fclose(file);
    }
    exit(1);
}

#define REQUIRED(condition)                                                    \
    do {                                                                       \
        if (!(condition))                                                      \
            fail(__func__, #condition);                                        \
    } while (0)

/* ---- What a well-formed message consists of
 * ---------------------------------- */

struct leaf {
    char type[64];
    char name[128];
    char content[3000];
    size_t bytes;
    bool text; /* line ends do not count */
};

static struct leaf leaves[FILES * 4];
static unsigned leaf_count;
static char subject[400], from_name[100];

static const char *const words[] = {
    "mail",
    "Caf\u00e9",
    "\u65e5\u672c\u8a9e",
    "\u043c\u0438\u0440",
    "a",
    "=?x?=",
    "\"q\"",
    "stra\u00dfe",
    "\U0001f600",
    "x,y;z",
    "(c)",
    "re:",
    "averyverylongwordthatgoesonandonwithoutanyspaceinit",
    "\u05e9\u05dc"};

static void random_text(char *text, size_t room, unsigned count)
{
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        const char *word = words[chance(sizeof words / sizeof *words)];

        if (strlen(text) + strlen(word) + 2 > room)
            return;
        if (i > 0)
            strcat(text, " ");
        strcat(text, word);
    }
}

static struct leaf *new_leaf(const char *type, bool text)
{
    struct leaf *leaf = &leaves[leaf_count++];

    (void)snprintf(leaf->type, sizeof leaf->type, "%s", type);
    leaf->name[0] = '\0';
    leaf->bytes = 0;
    leaf->text = text;
    return leaf;
}

static void random_content(struct leaf *leaf)
{
    unsigned lines = chance(20);

    leaf->bytes = 0;
    if (!leaf->text) {
        leaf->bytes = chance(sizeof leaf->content);
        for (size_t i = 0; i < leaf->bytes; i++)
            leaf->content[i] = (char)chance(256);
        return;
    }
    for (unsigned i = 0; i < lines; i++) {
        char line[200];

        random_text(line, sizeof line - 2, chance(12));
        strcat(line, "\n");
        if (leaf->bytes + strlen(line) > sizeof leaf->content)
            return;
        memcpy(leaf->content + leaf->bytes, line, strlen(line));
        leaf->bytes += strlen(line);
    }
}

/* ---- By the generator
 * -------------------------------------------------------- */

static struct mime_make make;

static void make_part(bool body)
{
    static const char *const types[] = {"image/png", "application/pdf",
                                        "text/html", "audio/x-a+b"};
    struct leaf *leaf;

    if (body) {
        leaf = new_leaf("text/plain", true);
        random_content(leaf);
        mime_make_flowed(&make, leaf->content, leaf->bytes);
        return;
    }
    leaf = new_leaf(types[chance(4)], false);
    random_content(leaf);
    random_text(leaf->name, sizeof leaf->name, chance(4));
    mime_make_file(&make, leaf->type, leaf->name, chance(2) ? "id@x" : NULL);
    for (size_t i = 0; i < leaf->bytes;) {
        size_t piece = 1 + chance(900);

        if (piece > leaf->bytes - i)
            piece = leaf->bytes - i;
        mime_make_data(&make, leaf->content + i, piece);
        i += piece;
    }
    mime_make_file_end(&make);
}

static void by_generator(void)
{
    struct mime_sink sink = {add_bytes, NULL};
    unsigned files = chance(FILES);

    mime_make_begin(&make, &sink, chance_state);
    mime_make_text(&make, "Subject", subject);
    mime_make_date(&make, (int64_t)chance(2000000000) * 1000,
                   (int)chance(1400) - 700);
    mime_make_addresses(&make, "From");
    mime_make_address(&make, from_name, "a.b@host.example");
    mime_make_addresses_end(&make);
    mime_make_addresses(&make, "To");
    for (unsigned i = chance(4); i > 0; i--)
        mime_make_address(&make, i & 1 ? "" : from_name, "c@d.example");
    mime_make_addresses_end(&make);
    if (files > 0)
        mime_make_multipart(&make, "mixed");
    make_part(true);
    for (unsigned i = 0; i < files; i++) {
        if (chance(4) == 0 && make.depth < MIME_MAKE_DEPTH)
            mime_make_multipart(&make, "related");
        make_part(false);
        if (chance(4) == 0 && make.depth > 1)
            mime_make_multipart_end(&make);
    }
    REQUIRED(mime_make_end(&make) == OK && make.bytes == message_len);
}

/* ---- By hand: forms that the generator does not use
 * --------------------------- */

static void add_base64(const struct leaf *leaf)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned column = 0, width = 4 * (1 + chance(19));

    for (size_t i = 0; i < leaf->bytes; i += 3) {
        uint32_t bits = 0;
        size_t left = leaf->bytes - i;
        char four[4];

        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < left ? (uint8_t)leaf->content[i + j] : 0);
        for (unsigned j = 0; j < 4; j++)
            four[j] = j <= left ? digits[bits >> (18 - 6 * j) & 63] : '=';
        (void)add_bytes(NULL, four, 4);
        column += 4;
        if (column >= width) {
            add_line("%s", "");
            column = 0;
        }
    }
    if (column > 0)
        add_line("%s", "");
}

static void add_quoted(const struct leaf *leaf)
{
    unsigned column = 0;

    for (size_t i = 0; i < leaf->bytes; i++) {
        uint8_t c = (uint8_t)leaf->content[i];
        bool plain = c > ' ' && c < 0x7f && c != '=' && chance(10) > 0;
        char text[8];
        int len = snprintf(text, sizeof text,
                           plain       ? "%c"
                           : chance(2) ? "=%02X"
                                       : "=%02x",
                           c);

        if (column + (unsigned)len > 75) {
            add_line("=%s", chance(2) && padded ? "  " : "");
            column = 0;
        }
        (void)add_bytes(NULL, text, (size_t)len);
        column += (unsigned)len;
    }
    add_line("=");
}

static void add_leaf(void)
{
    static const char *const dispositions[] = {"attachment", "inline",
                                               "ATTACHMENT"};
    struct leaf *leaf = new_leaf("application/x-test", false);
    unsigned encoding = chance(2);

    random_content(leaf);
    (void)snprintf(leaf->name, sizeof leaf->name, "file %u.bin", chance(1000));
    add_line("%s: application/%sx-Test",
             chance(2) ? "Content-type" : "CONTENT-TYPE", chance(2) ? "" : "");
    add_line("Content-Transfer-Encoding:%s%s", chance(2) ? " " : "\t",
             encoding ? "BASE64" : "quoted-printable");
    if (chance(2))
        add_line("Content-Disposition: %s;%s filename=\"%s\"",
                 dispositions[chance(3)], chance(2) ? "\r\n\t" : "",
                 leaf->name);
    else
        add_line(
            "Content-Disposition: %s; size=3; filename*0*=us-ascii'en'file;"
            " filename*1=\"%s\"",
            dispositions[chance(3)], leaf->name + 4);
    add_line("%s", "");
    if (encoding)
        add_base64(leaf);
    else
        add_quoted(leaf);
}

/* A multipart whose boundary is the beginning of those within it. */
static void add_tree(unsigned depth, const char *boundary)
{
    char inner[80];
    unsigned count = 1 + chance(3);

    add_line("Content-Type: multipart/%s; boundary=\"%s\"",
             chance(2) ? "mixed" : "parallel", boundary);
    add_line("%s", "");
    if (chance(2))
        add_line("preamble --%s", boundary);
    for (unsigned i = 0; i < count; i++) {
        add_line("--%s%s", boundary, chance(4) ? "" : "  ");
        (void)snprintf(inner, sizeof inner, "%s%c", boundary,
                       "x_'= ?:/"[chance(8)]);
        if (inner[strlen(inner) - 1] == ' ')
            strcat(inner, "e");
        if (depth < 5 && leaf_count < FILES && chance(3) == 0)
            add_tree(depth + 1, inner);
        else
            add_leaf();
    }
    add_line("--%s--", boundary);
    if (chance(3) == 0)
        add_line("epilogue");
}

static void by_hand(void)
{
    line_end = chance(2) ? "\r\n" : "\n";
    add_line("From: \"%s\" <a.b@host.example>", "X");
    (void)snprintf(from_name, sizeof from_name, "X");
    (void)snprintf(subject, sizeof subject, "\u00e4 \u00f6x");
    add_line("Subject: =?iso-8859-1?q?=E4_?= =?utf-8?B?w7Y=?=%s", "x");
    add_line("MIME-Version: 1.0 (Test)");
    if (chance(5) == 0)
        add_leaf();
    else
        add_tree(0, "b");
    line_end = "\r\n";
}

/* ---- Reading
 * ------------------------------------------------------------------ */

static struct mime_part parts[PARTS];
static char strings[8192];
static struct mime mime = {.parts = parts,
                           .part_room = PARTS,
                           .text = strings,
                           .text_room = sizeof strings};
static struct mime_decoder decoder;
static struct html_clean clean;
static struct html_text plain;
static struct mime_source source;
static char content[ROOM * 2];

static size_t read_part(const struct mime_part *part, enum mime_decode_as as)
{
    size_t used = 0, room = 8 + chance(1000);
    int got;

    mime_decode_begin(&decoder, &source, part, as);
    while ((got = mime_decode_read(&decoder, content + used, room)) > 0) {
        used += (size_t)got;
        REQUIRED(used < sizeof content - 1100);
    }
    REQUIRED(got == 0);
    return used;
}

/* Flowed text comes back as its lines, quotes and all. */
static char flow[8192];
static size_t flow_len;

static void flow_add(const char *text, size_t len)
{
    REQUIRED(flow_len + len < sizeof flow);
    memcpy(flow + flow_len, text, len);
    flow_len += len;
}

static void flow_open(void *context, unsigned quotes)
{
    (void)context;
    while (quotes-- > 0)
        flow_add(">", 1);
}

static void flow_put(void *context, const char *text, size_t len)
{
    (void)context;
    flow_add(text, len);
}

static void flow_close(void *context)
{
    (void)context;
    flow_add("\n", 1);
}

static void compare_text(const struct mime_part *part, const struct leaf *leaf)
{
    static const struct mime_flowed_sink sink = {flow_open, flow_put,
                                                 flow_close, NULL};
    struct mime_flowed state;
    size_t bytes = read_part(part, MIME_AS_TEXT);

    flow_len = 0;
    mime_flowed_begin(&state, part->flowed, part->del_sp, &sink);
    mime_flowed_write(&state, content, bytes);
    mime_flowed_end(&state);
    REQUIRED(flow_len == leaf->bytes &&
             memcmp(flow, leaf->content, flow_len) == 0);
}

static void compare(void)
{
    struct mime_span value;
    struct mime_address address;
    char text[1000];
    unsigned leaf = 0;

    REQUIRED(mime_parse(&mime, &source) == OK && !mime.cut);
    mime_field_text(message, message_len, "Subject", text, sizeof text);
    REQUIRED(strcmp(text, subject) == 0);
    REQUIRED(mime_field(message, message_len, "From", &value) &&
             mime_address_next(&value, &address));
    REQUIRED(strcmp(address.name, from_name) == 0 &&
             strcmp(address.address, "a.b@host.example") == 0);
    for (unsigned i = 0; i < mime.part_count; i++) {
        const struct mime_part *part = &parts[i];
        const struct leaf *wanted = &leaves[leaf];

        if (mime_is(part, "multipart/"))
            continue;
        REQUIRED(leaf < leaf_count);
        leaf++;
        REQUIRED(mime_is(part, wanted->type));
        if (wanted->text) {
            compare_text(part, wanted);
            continue;
        }
        REQUIRED(strcmp(part->name, wanted->name) == 0);
        REQUIRED(read_part(part, MIME_AS_BYTES) == wanted->bytes &&
                 memcmp(content, wanted->content, wanted->bytes) == 0);
    }
    REQUIRED(leaf == leaf_count);
}

/* ---- What must hold of any bytes
 * ---------------------------------------------- */

static void require_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = utf8_length(text + i, len - i);

        REQUIRED(step > 0);
        i += step;
    }
}

static enum err take_utf8(void *context, const char *text, size_t len)
{
    size_t *total = context;

    (void)text;
    *total += len;
    return OK;
}

static void read_fields(const struct mime_part *part)
{
    struct mime_span rest = {message + part->header, part->header_bytes}, name,
                     value, id;
    struct mime_address address;
    char text[200];
    int64_t unix_ms;
    int zone;

    for (unsigned i = 0; i < 50 && mime_field_next(&rest, &name, &value); i++) {
        struct mime_span list = value, ids = value;

        require_utf8(text, mime_text(value, text, sizeof text));
        for (unsigned n = 0; n < 50 && mime_address_next(&list, &address);
             n++) {
            require_utf8(address.name, strlen(address.name));
            require_utf8(address.address, strlen(address.address));
        }
        while (mime_id_next(&ids, &id))
            REQUIRED(id.text >= value.text &&
                     id.text + id.len <= value.text + value.len);
        (void)mime_date(value, &unix_ms, &zone);
    }
}

static void read_any(void)
{
    static const struct html_options options = {0};
    size_t total = 0;
    struct mime_sink sink = {take_utf8, &total};

    REQUIRED(mime_parse(&mime, &source) == OK);
    REQUIRED(mime.part_count >= 1 && mime.part_count <= PARTS);
    for (unsigned i = 0; i < mime.part_count; i++) {
        const struct mime_part *part = &parts[i];
        size_t bytes;

        REQUIRED(part->header + part->header_bytes <= part->body);
        REQUIRED(part->body + part->body_bytes <= message_len);
        REQUIRED(i == 0 ? part->parent == MIME_NONE : part->parent < i);
        REQUIRED(part->depth == (i == 0 ? 0 : parts[part->parent].depth + 1));
        REQUIRED(part->depth <= MIME_DEPTH);
        require_utf8(part->name, strlen(part->name));
        require_utf8(part->type, strlen(part->type));
        require_utf8(part->content_id, strlen(part->content_id));
        read_fields(part);
        (void)mime_shown(&mime, i, part->within, chance(2) != 0);
        if (part->children > 0 && part->body_bytes > 10000)
            continue;
        bytes = read_part(part, MIME_AS_TEXT);
        require_utf8(content, bytes);
        if (!mime_is(part, "text/html") && chance(4) > 0)
            continue;
        html_clean_begin(&clean, &options, &sink);
        html_clean_write(&clean, content, bytes);
        REQUIRED(html_clean_end(&clean) == OK);
        html_text_begin(&plain, &sink);
        html_text_write(&plain, content, bytes);
        REQUIRED(html_text_end(&plain) == OK);
    }
}

/* ---- Spoilt ones
 * ---------------------------------------------------------------- */

static void spoil_once(void)
{
    static const char *const insertions[] = {
        "\0",
        "\r",
        "\n",
        "\r\n\r\n",
        "--b",
        "--b--\r\n",
        "=",
        "\xff\xfe",
        "=?utf-8?b?",
        "\"",
        ";",
        "(",
        "<",
        "\n ",
        "Content-Type: multipart/mixed; boundary=b\n\n",
        "--",
        "Content-Type: message/rfc822\n\n"};
    size_t at = message_len > 0 ? chance((uint32_t)message_len) : 0;
    size_t len = chance(40), pick = chance(17);
    const char *insert = insertions[pick];
    size_t insert_len = pick == 0 ? 1 : strlen(insert);

    switch (chance(5)) {
    case 0:
        if (message_len > 0)
            message[at] = (char)chance(256);
        break;
    case 1:
        if (len > message_len - at)
            len = message_len - at;
        memmove(message + at, message + at + len, message_len - at - len);
        message_len -= len;
        break;
    case 2:
        if (chance(10) == 0)
            message_len = at;
        break;
    case 3:
        if (message_len + len > ROOM || len > message_len - at)
            break;
        memmove(message + at + len, message + at, message_len - at);
        message_len += len;
        break;
    default:
        if (message_len + insert_len > ROOM)
            break;
        memmove(message + at + insert_len, message + at, message_len - at);
        memcpy(message + at, insert, insert_len);
        message_len += insert_len;
        break;
    }
}

/* ---- Torture
 * ---------------------------------------------------------------------- */

static void repeat(const char *text, unsigned count)
{
    while (count-- > 0)
        (void)add_bytes(NULL, text, strlen(text));
}

static void torture(unsigned kind)
{
    unsigned count = 1 + chance(3000);

    switch (kind % 16) {
    case 0: /* multiparts within multiparts, all with one boundary */
        repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", count);
        break;
    case 1: /* messages within messages */
        repeat("Content-Type: message/rfc822\n\n", count);
        break;
    case 2: /* parts without anything */
        repeat("Content-Type: multipart/mixed; boundary=b\n\n", 1);
        repeat("--b\n", count);
        break;
    case 3: /* a header that does not end */
        repeat("X: y\r\n z\r\n", count);
        break;
    case 4: /* one line */
        repeat("=?utf-8?q?", count);
        break;
    case 5:
        repeat("To: ", 1);
        repeat("\"\\\",<(", count);
        break;
    case 6:
        repeat("Content-Disposition: attachment", 1);
        for (unsigned i = 0; i < count / 4; i++)
            add_line("; filename*%u*=%%", chance(80));
        break;
    case 7: /* nested comments, quotes that do not close */
        repeat("Content-Type: text/plain; name=\"", 1);
        repeat("(\\", count);
        break;
    case 8: /* boundaries of all lengths */
        repeat("Content-Type: multipart/mixed; boundary=", 1);
        repeat("b", chance(600));
        repeat("\n\n--", 1);
        repeat("b", chance(600));
        repeat("\n\nx\n", 1);
        break;
    case 9: /* only line ends */
        repeat(chance(2) ? "\r" : "\n", count);
        break;
    case 10:
        repeat("Content-Type: text/html\nContent-Transfer-Encoding: "
               "quoted-printable\n\n",
               1);
        repeat("<div a=\"&", count);
        break;
    case 11:
        repeat("Content-Type: text/html; charset=iso-2022-jp\n\n<style>", 1);
        repeat("@media{/*\x1b$B", count);
        break;
    case 12:
        repeat("Content-Type: text/plain; charset=utf-7; format=flowed\n\n+",
               1);
        repeat("> +2D3 \n", count);
        break;
    case 13:
        repeat("Content-Transfer-Encoding: uuencode\n\nbegin 644 x\n", 1);
        repeat("M~~~`", count);
        break;
    case 14: /* bytes */
        for (unsigned i = 0; i < count; i++) {
            char byte = (char)chance(256);

            (void)add_bytes(NULL, &byte, 1);
        }
        break;
    default: /* --, and nothing said of it */
        repeat("Content-Type: multipart/mixed\n\n", 1);
        repeat("--\n--a\nContent-Type: multipart/x\n\n--c\n", count / 8);
        break;
    }
}

/* ---- All of it
 * ----------------------------------------------------------------- */

static void write_file(const char *folder, unsigned number)
{
    char path[300];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%u.eml", folder, number);
    file = fopen(path, "wb");
    if (!file || fwrite(message, 1, message_len, file) != message_len ||
        fclose(file) != 0)
        fail("cannot write", path);
}

static void one(unsigned number, const char *folder)
{
    unsigned kind = folder ? number % 2 : number % 4;

    message_len = 0;
    leaf_count = 0;
    random_text(subject, sizeof subject, chance(10));
    random_text(from_name, 80, chance(3));
    if (kind == 3)
        torture(number / 4);
    else if (chance(2))
        by_generator();
    else
        by_hand();
    for (unsigned i = kind == 2 ? 1 + chance(20) : 0; i > 0; i--)
        spoil_once();
    mime_source_memory(&source, message, (uint32_t)message_len);
    if (kind < 2)
        compare();
    if (folder)
        write_file(folder, number);
    read_any();
}

int main(int count, char **arguments)
{
    unsigned messages = 100000;
    const char *folder = NULL;
    uint64_t seed = 1, bytes = 0;
    clock_t start = clock();

    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(arguments[i], "--count") == 0)
            messages = (unsigned)strtoul(arguments[i + 1], NULL, 10);
        if (strcmp(arguments[i], "--seed") == 0)
            seed = strtoull(arguments[i + 1], NULL, 10);
        if (strcmp(arguments[i], "--write") == 0)
            folder = arguments[i + 1];
        padded = folder == NULL;
    }
    for (unsigned i = 0; i < messages; i++) {
        chance_state = seed * 1000003 + i;
        (void)chance(2);
        one(i, folder);
        bytes += message_len;
    }
    printf("%u messages, %llu MB, %.1f s: half of them well-formed and as they "
           "were put in, a quarter spoilt, a quarter torture\n",
           messages, (unsigned long long)(bytes / 1000000),
           (double)(clock() - start) / CLOCKS_PER_SEC);
    return 0;
}
