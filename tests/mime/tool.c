/* What mailstore/mime makes of its input, for tests in Python.
 *
 *   tool dump FILE...      each message as a line of JSON
 *   tool charset NAME      standard input as UTF-8
 *   tool clean [remote]    HTML made safe; standard error: loads left out
 *   tool text              HTML as plain text */
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/mime/mime_html.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM  (8u << 20)
#define PARTS 256

static char input[ROOM];
static struct mime_part parts[PARTS];
static char strings[65536];
static struct mime mime = {.parts = parts,
                           .part_room = PARTS,
                           .text = strings,
                           .text_room = sizeof strings};
static struct mime_decoder decoder;
static struct html_clean clean;
static struct html_text plain;

static size_t read_all(FILE *file)
{
    return fread(input, 1, sizeof input, file);
}

/* ---- JSON ------------------------------------------------------------------
 */

static void put_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void put_addresses(size_t len, const char *field)
{
    struct mime_span rest;
    struct mime_address address;
    const char *comma = "";

    (void)mime_field(input, len, field, &rest);
    printf("\"%s\": [", field);
    while (mime_address_next(&rest, &address)) {
        printf("%s[", comma);
        put_string(address.name);
        putchar(',');
        put_string(address.address);
        putchar(']');
        comma = ", ";
    }
    printf("], ");
}

static void put_content(const struct mime_source *source,
                        const struct mime_part *part)
{
    char bytes[1000];
    int got;

    mime_decode_begin(&decoder, source, part, MIME_AS_BYTES);
    while ((got = mime_decode_read(&decoder, bytes, sizeof bytes)) > 0) {
        for (int i = 0; i < got; i++)
            printf("%02x", (uint8_t)bytes[i]);
    }
}

static void put_part(const struct mime_source *source,
                     const struct mime_part *part)
{
    printf("{\"type\": ");
    put_string(part->type);
    printf(", \"charset\": ");
    put_string(part->charset);
    printf(", \"name\": ");
    put_string(part->name);
    printf(", \"content_id\": ");
    put_string(part->content_id);
    printf(", \"depth\": %u, \"children\": %u, \"content\": \"", part->depth,
           part->children);
    if (part->children == 0)
        put_content(source, part);
    printf("\"}");
}

static void dump(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t len = file ? read_all(file) : 0;
    struct mime_source source;
    struct mime_span value;
    char text[4000];
    int64_t unix_ms = -1;
    int zone = 0;

    if (file)
        (void)fclose(file);
    mime_source_memory(&source, input, (uint32_t)len);
    if (mime_parse(&mime, &source) != OK)
        exit(1);
    printf("{\"Subject\": ");
    mime_field_text(input, len, "Subject", text, sizeof text);
    put_string(text);
    printf(", ");
    put_addresses(len, "From");
    put_addresses(len, "To");
    (void)mime_field(input, len, "Date", &value);
    (void)mime_date(value, &unix_ms, &zone);
    printf("\"date\": %lld, \"zone\": %d, \"parts\": [", (long long)unix_ms,
           zone);
    for (unsigned i = 0; i < mime.part_count; i++) {
        printf("%s", i > 0 ? ", " : "");
        put_part(&source, &parts[i]);
    }
    printf("]}\n");
}

/* ---- Streams ----------------------------------------------------------------
 */

static enum err write_out(void *context, const char *text, size_t len)
{
    (void)context;
    return fwrite(text, 1, len, stdout) == len ? OK : ERR_IO;
}

static const struct mime_sink sink = {write_out, NULL};

static int convert(const char *name)
{
    size_t len = read_all(stdin), at = 0, taken, given;
    struct charset_state state;
    bool known;
    char text[64];

    charset_begin(&state, charset_find(name, strlen(name), &known));
    do {
        given = charset_convert(&state, input + at, len - at, &taken, text,
                                sizeof text, true);
        at += taken;
        (void)write_out(NULL, text, given);
    } while (given > 0 || at < len);
    return known ? 0 : 3;
}

static int make_clean(bool remote)
{
    struct html_options options = {.remote = remote};

    html_clean_begin(&clean, &options, &sink);
    html_clean_write(&clean, input, read_all(stdin));
    if (html_clean_end(&clean) != OK)
        return 1;
    (void)fprintf(stderr, "%u\n", clean.blocked);
    return 0;
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";

    if (strcmp(mode, "dump") == 0) {
        for (int i = 2; i < count; i++)
            dump(arguments[i]);
        return 0;
    }
    if (strcmp(mode, "charset") == 0 && count == 3)
        return convert(arguments[2]);
    if (strcmp(mode, "clean") == 0)
        return make_clean(count > 2);
    if (strcmp(mode, "text") == 0) {
        html_text_begin(&plain, &sink);
        html_text_write(&plain, input, read_all(stdin));
        return html_text_end(&plain) != OK;
    }
    (void)fprintf(stderr, "tool: dump FILE... | charset NAME | clean [remote] "
                          "| text\n");
    return 2;
}
