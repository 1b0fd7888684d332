/* libFuzzer: any bytes as the body of a form. The first byte says of which
 * kind; the boundary is "b". However the source shows its bytes, the fields are
 * the same. */
#include "http/http_form.h"
#include <stdlib.h>
#include <string.h>

struct memory_source {
    struct http_source source;
    const uint8_t *bytes;
    size_t len, at, extra;
    uint8_t *shown;
};

struct outcome {
    uint8_t *bytes;
    size_t len, room;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of its own: a look beyond what is shown is found. */
static int peek(struct http_source *source, size_t want, const uint8_t **data)
{
    struct memory_source *memory = (struct memory_source *)source;
    size_t left = memory->len - memory->at;
    size_t show = want + memory->extra < left ? want + memory->extra : left;

    if (want > HTTP_SOURCE_BYTES)
        abort();
    free(memory->shown);
    memory->shown = malloc(show ? show : 1);
    memcpy(memory->shown, memory->bytes + memory->at, show);
    *data = memory->shown;
    return (int)show;
}

static void take(struct http_source *source, size_t bytes)
{
    struct memory_source *memory = (struct memory_source *)source;

    if (bytes > memory->len - memory->at)
        abort();
    memory->at += bytes;
}

static void keep(struct outcome *outcome, const void *bytes, size_t len)
{
    if (outcome->len + len > outcome->room) {
        outcome->room = (outcome->len + len) * 2;
        outcome->bytes = realloc(outcome->bytes, outcome->room);
    }
    if (len > 0)
        memcpy(outcome->bytes + outcome->len, bytes, len);
    outcome->len += len;
}

static void read_form(const char *type, const uint8_t *bytes, size_t len,
                      size_t extra, size_t piece, struct outcome *outcome)
{
    struct memory_source memory = {{peek, take}, bytes, len, 0, extra, NULL};
    struct http_form form;
    struct http_part part;
    int err = http_form_begin(&form, &memory.source, type);

    while (!err) {
        uint8_t buffer[64];
        int got;

        err = http_form_next(&form, &part);
        if (err)
            break;
        keep(outcome, part.name, strlen(part.name) + 1);
        keep(outcome, part.file_name, strlen(part.file_name) + 1);
        keep(outcome, part.type, strlen(part.type) + 1);
        while ((got = http_form_read(&form, buffer, piece)) > 0)
            keep(outcome, buffer, (size_t)got);
        err = got;
    }
    keep(outcome, &err, sizeof(err));
    free(memory.shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
    };
    struct outcome whole = {0}, parts = {0};
    const char *type;

    if (size == 0)
        return 0;
    type = types[data[0] & 1];
    read_form(type, data + 1, size - 1, 8000, 64, &whole);
    read_form(type, data + 1, size - 1, 0, 7, &parts);
    if (whole.len != parts.len ||
        memcmp(whole.bytes, parts.bytes, whole.len) != 0)
        abort();
    free(whole.bytes);
    free(parts.bytes);
    return 0;
}
