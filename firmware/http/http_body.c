/* The body of a request, as it comes: unframed into a buffer, from which the
 * page reads. When the buffer is full the rest stays in the stream, which
 * closes its window. */
#include "core/check.h"
#include "http/http_internal.h"
#include <string.h>

void http_body_begin(struct http_exchange *x)
{
    x->body_done = x->head.framing == FRAMING_NONE ||
                   (x->head.framing == FRAMING_LENGTH && x->head.length == 0);
    x->body_left = x->head.length;
    if (x->head.framing == FRAMING_CHUNKED)
        http_chunked_init(&x->chunked);
}

static size_t take_length(struct http_exchange *x, const uint8_t *data,
                          size_t len)
{
    size_t room = HTTP_BODY_BYTES - x->body_end;

    if (len > room)
        len = room;
    if (len > x->body_left)
        len = (size_t)x->body_left;
    memcpy(x->body + x->body_end, data, len);
    x->body_end += (uint32_t)len;
    x->body_left -= len;
    x->body_seen += len;
    x->body_done = x->body_left == 0;
    return len;
}

static size_t take_chunks(struct http_exchange *x, const uint8_t *data,
                          size_t len)
{
    uint64_t most = x->route->body_max ? x->route->body_max : HTTP_FORM_MAX;
    size_t taken, got;
    enum http_chunked_result result =
        http_chunked_feed(&x->chunked, data, len, &taken, x->body + x->body_end,
                          HTTP_BODY_BYTES - x->body_end, &got);

    x->body_end += (uint32_t)got;
    x->body_seen += got;
    x->body_done = result == CHUNKED_DONE;
    if (result == CHUNKED_BAD)
        x->body_error = ERR_INVALID;
    else if (x->body_seen > most)
        x->body_error = ERR_TOO_BIG;
    return taken;
}

size_t http_body_take(struct http_exchange *x, const uint8_t *data, size_t len)
{
    size_t taken;

    /* Nobody reads it; the connection ends with this answer. */
    if (x->body == NULL || x->body_error)
        return len;
    taken = x->head.framing == FRAMING_CHUNKED ? take_chunks(x, data, len)
                                               : take_length(x, data, len);
    http_count()->bytes_in += taken;
    if (x->state == X_PAGE) {
        st_job_wake(&x->job);
        return taken;
    }
    if (x->body_error) {
        http_exchange_refuse(x, x->body_error == ERR_TOO_BIG ? 413 : 400,
                             x->body_error == ERR_TOO_BIG
                                 ? "That is more than this page takes."
                                 : "The chunks are malformed.");
        return len;
    }
    if ((x->body_done || x->body_end == HTTP_BODY_BYTES) &&
        list_empty(&x->wait))
        http_exchange_run(x);
    return taken;
}

/* ---- As a source of forms -------------------------------------------------
 */

static struct http_exchange *exchange_of(struct http_source *source)
{
    return LIST_ELEMENT(source, struct http_scratch, source)->x;
}

/* Moves what is left to the begin, when there is no room behind it. */
static void make_room(struct http_exchange *x)
{
    if (x->body_begin == 0 || x->body_end < HTTP_BODY_BYTES / 2)
        return;
    memmove(x->body, x->body + x->body_begin, x->body_end - x->body_begin);
    x->body_end -= x->body_begin;
    x->body_begin = 0;
}

static int peek(struct http_source *source, size_t want, const uint8_t **data)
{
    struct http_exchange *x = exchange_of(source);

    ASSERT(want <= HTTP_SOURCE_BYTES);
    while (x->body_end - x->body_begin < want && !x->body_done && !x->again) {
        if (x->body_error)
            return x->body_error;
        if (http_gone(x))
            return ERR_GONE;
        make_room(x);
        stream_resume(x->session->stream);
        st_job_wait(&x->job);
    }
    *data = x->body + x->body_begin;
    return (int)(x->body_end - x->body_begin);
}

static void take(struct http_source *source, size_t bytes)
{
    exchange_of(source)->body_begin += (uint32_t)bytes;
}

void http_body_source(struct http_scratch *scratch)
{
    scratch->source.peek = peek;
    scratch->source.take = take;
}
