/* libFuzzer: any bytes as a message: taken apart, every field read, every part
 * decoded. Offsets must lie in the message, text must be UTF-8, all must end.
 *
 * Input: a byte that says how much room there is, and the message. */
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/mime_flowed.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/mime/mime_html.h"
#include "mailstore/mime/mime_make.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PARTS 32

static struct mime_decoder decoder;
static struct mime_plain plain;
static struct mime_make make;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = utf8_length(text + i, len - i);

        require(step > 0);
        i += step;
    }
}

/* A line of text as headers give it. */
static void require_line(const char *text)
{
    require_utf8(text, strlen(text));
    for (; *text != '\0'; text++)
        require((uint8_t)*text >= ' ' && *text != 0x7f);
}

static void read_fields(const char *message, const struct mime_part *part,
                        size_t room)
{
    struct mime_span rest = {message + part->header, part->header_bytes}, name,
                     value;

    while (mime_field_next(&rest, &name, &value)) {
        struct mime_span list = value, ids = value, id;
        struct mime_address address;
        char text[300];
        int64_t unix_ms;
        int zone;

        require(mime_text(value, text, room + 1) <= room);
        require_line(text);
        require(mime_subject_base(text).len <= strlen(text));
        while (mime_address_next(&list, &address)) {
            require_line(address.name);
            require_line(address.address);
            require(address.name[0] != '\0' || address.address[0] != '\0');
        }
        while (mime_id_next(&ids, &id))
            require(id.len > 0 && id.text >= value.text);
        (void)mime_date(value, &unix_ms, &zone);
    }
}

/* ---- Sinks ------------------------------------------------------------------
 */

static enum err take(void *context, const char *text, size_t len)
{
    size_t *left = context;

    (void)text;
    if (len > *left)
        return ERR_FULL;
    *left -= len;
    return OK;
}

/* What is made must be ASCII. */
static enum err take_ascii(void *context, const char *text, size_t len)
{
    (void)context;
    for (size_t i = 0; i < len; i++)
        require(text[i] == '\r' || text[i] == '\n' || text[i] == '\t' ||
                (text[i] >= ' ' && text[i] < 0x7f));
    return OK;
}

static unsigned open_count;

static void flow_open(void *context, unsigned quotes)
{
    (void)context;
    (void)quotes;
    require(open_count++ == 0);
}

static void flow_put(void *context, const char *text, size_t len)
{
    (void)context;
    require(open_count == 1 && memchr(text, '\n', len) == NULL);
}

static void flow_close(void *context)
{
    (void)context;
    require(open_count-- == 1);
}

static const struct mime_flowed_sink flow_sink = {flow_open, flow_put,
                                                  flow_close, NULL};

/* A message of what was read. */
static void make_message(const struct mime_part *part, const char *text,
                         size_t len)
{
    struct mime_sink ascii = {take_ascii, NULL};

    mime_make_begin(&make, &ascii, 1);
    mime_make_text(&make, "X", text);
    mime_make_addresses(&make, "To");
    mime_make_address(&make, text, "a@b");
    mime_make_addresses_end(&make);
    mime_make_multipart(&make, "mixed");
    mime_make_flowed(&make, text, len);
    mime_make_file(&make, part->type, part->name, part->content_id);
    mime_make_data(&make, text, len);
    mime_make_file_end(&make);
    require(mime_make_end(&make) == OK);
}

static void read_part(const struct mime_source *source,
                      const struct mime_part *part, size_t room)
{
    struct mime_flowed flow;
    char text[300];
    bool first = true;
    int got;

    mime_decode_begin(&decoder, source, part, MIME_AS_BYTES);
    while ((got = mime_decode_read(&decoder, text, room)) > 0)
        require((size_t)got <= room);
    require(got == 0);
    open_count = 0;
    mime_flowed_begin(&flow, part->flowed, part->del_sp, &flow_sink);
    mime_decode_begin(&decoder, source, part, MIME_AS_TEXT);
    while ((got = mime_decode_read(&decoder, text, room)) > 0) {
        require((size_t)got <= room);
        require_utf8(text, (size_t)got);
        mime_flowed_write(&flow, text, (size_t)got);
        text[got] = '\0';
        if (first)
            make_message(part, text, (size_t)got);
        first = false;
    }
    require(got == 0);
    mime_flowed_end(&flow);
    require(open_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = size > 0 ? 8 + data[0] : 8, len = size > 0 ? size - 1 : 0;
    struct mime_part *parts = calloc(PARTS, sizeof *parts);
    struct mime *mime = calloc(1, sizeof *mime);
    char *message = malloc(len + 1), *text = malloc(room * 8);
    struct mime_source source;

    require(parts && mime && message && text);
    if (len > 0)
        memcpy(message, data + 1, len);
    mime->parts = parts;
    mime->part_room = 1 + (unsigned)room % PARTS;
    mime->text = text;
    mime->text_room = room * 8;
    mime_source_memory(&source, message, (uint32_t)len);
    require(mime_parse(mime, &source) == OK && mime->part_count > 0);
    for (unsigned i = 0; i < mime->part_count; i++) {
        const struct mime_part *part = &parts[i];
        size_t left = room * 100;
        struct mime_sink sink = {take, &left};

        require(part->header + part->header_bytes <= part->body);
        require(part->body + part->body_bytes <= len);
        require(i == 0 ? part->parent == MIME_NONE : part->parent < i);
        require_line(part->name);
        require_line(part->type);
        require_line(part->content_id);
        read_fields(message, part, room);
        read_part(&source, part, room);
        (void)mime_plain(&plain, &source, part, &sink);
        (void)mime_shown(mime, i, part->within, room & 1);
    }
    free(text);
    free(message);
    free(mime);
    free(parts);
    return 0;
}
