/* Content on its way out: blocks of a common pool, which hold what a page has
 * written until the stream takes it, so that a page seldom waits for a client.
 *
 * A block has room for a chunk's size in front of its data and for CRLF behind,
 * which are put in when it is closed. Behind the head of an answer come its
 * blocks, or content that lies in the AO. */
#include "core/check.h"
#include "core/memory.h"
#include "http/http_internal.h"
#include <string.h>

/* From so many blocks on an answer begins to go out before it is complete; so
 * many it may hold before its page waits; at so few a page goes on. */
#define BLOCKS_BEGIN 8u
#define BLOCKS_MOST  64u
#define BLOCKS_FEW   4u

static struct {
    struct http_block *free;
    unsigned count, total;
} state;

enum err http_out_init(unsigned blocks)
{
    struct http_block *memory =
        memory_take("web pages", blocks * sizeof(*memory), 64);

    memset(&state, 0, sizeof(state));
    if (memory == NULL)
        return ERR_MEMORY;
    for (unsigned i = 0; i < blocks; i++) {
        memory[i].next = state.free;
        state.free = &memory[i];
    }
    state.count = state.total = blocks;
    return OK;
}

unsigned http_out_free(void)
{
    return state.count;
}

bool http_out_plenty(void)
{
    return state.count > state.total / 4 * 3;
}

static void give_back(struct http_block *block)
{
    block->next = state.free;
    state.free = block;
    state.count++;
}

void http_out_drop(struct http_exchange *x)
{
    while (x->first) {
        struct http_block *block = x->first;

        x->first = block->next;
        give_back(block);
    }
    x->last = NULL;
    x->blocks = 0;
    x->fixed_left = 0;
}

/* What a page has not completed yet waits for the page. */
bool http_out_waits(const struct http_exchange *x)
{
    if (!x->composed)
        return false;
    return x->answer_sent != x->answer_len || x->fixed_left != 0 ||
           (x->first != NULL && (x->state == X_SENDING || x->first != x->last));
}

/* ---- To the stream --------------------------------------------------------
 */

static size_t put(struct http_exchange *x, const void *data, size_t len)
{
    size_t took = stream_write(x->session->stream, data, len);

    x->sent += took;
    return took;
}

bool http_out_flush(struct http_exchange *x)
{
    size_t len = (size_t)x->answer_len - x->answer_sent;

    if (len > 0) {
        size_t took = put(x, x->answer + x->answer_sent, len);

        x->answer_sent = (uint16_t)(x->answer_sent + took);
        if (took < len)
            return false;
    }
    while (x->first) {
        struct http_block *block = x->first;
        size_t took;

        len = (size_t)block->end - block->begin;
        /* The one that is being filled has to be closed first. */
        if (block == x->last && x->state != X_SENDING)
            return true;
        took = put(x, block->bytes + block->begin, len);
        block->begin = (uint16_t)(block->begin + took);
        if (took < len)
            return false;
        x->first = block->next;
        if (x->first == NULL)
            x->last = NULL;
        x->blocks--;
        give_back(block);
    }
    if (x->fixed_left > 0) {
        size_t took = put(x, x->fixed, x->fixed_left);

        x->fixed += took;
        x->fixed_left -= took;
    }
    return x->fixed_left == 0;
}

/* ---- From the page --------------------------------------------------------
 */

/* Puts chunk framing around a block that is full or the last. */
static void close_block(const struct http_exchange *x, struct http_block *block)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = (size_t)block->end - block->begin;

    if (x->length != LENGTH_CHUNKED || len == 0)
        return;
    block->begin = (uint16_t)(block->begin - HTTP_CHUNK_HEAD);
    for (unsigned i = 0; i < 4; i++)
        block->bytes[block->begin + i] =
            (uint8_t)digits[len >> (12 - 4 * i) & 15];
    block->bytes[block->begin + 4] = '\r';
    block->bytes[block->begin + 5] = '\n';
    block->bytes[block->end++] = '\r';
    block->bytes[block->end++] = '\n';
}

/* The answer is longer than what is kept: it begins to go out. */
static void begin_sending(struct http_exchange *x)
{
    if (x->composed)
        return;
    if (x->length == LENGTH_OPEN) {
        x->length = x->head.minor > 0 ? LENGTH_CHUNKED : LENGTH_CLOSE;
        x->close_after |= x->length == LENGTH_CLOSE;
    }
    http_answer_compose(x);
    for (struct http_block *block = x->first; block; block = block->next)
        if (block != x->last)
            close_block(x, block);
}

void http_out_push(struct http_exchange *x)
{
    begin_sending(x);
    (void)http_out_flush(x);
}

static bool may_wait(const struct http_exchange *x)
{
    return x->job_runs && x->started;
}

/* A page of a job waits until there is room; true: there is none and never will
 * be. */
static bool wait_for_room(struct http_exchange *x)
{
    while (x->blocks >= BLOCKS_MOST || state.free == NULL) {
        if (http_gone(x) || !may_wait(x))
            return true;
        begin_sending(x);
        if (x->blocks < BLOCKS_MOST && x->blocks > 1)
            (void)http_out_flush(x);
        if (state.free == NULL)
            http_exchange_make_blocks();
        if (x->blocks < BLOCKS_MOST && state.free != NULL)
            break;
        /* Somebody else's blocks become free without a word to this one. */
        if (x->blocks <= 1)
            st_job_pause();
        else
            st_job_wait(&x->job);
    }
    return false;
}

static struct http_block *add_block(struct http_exchange *x)
{
    struct http_block *block;

    if (x->blocks >= BLOCKS_BEGIN)
        begin_sending(x);
    if (wait_for_room(x)) {
        x->failed = true;
        return NULL;
    }
    if (x->last && x->composed)
        close_block(x, x->last);
    block = state.free;
    state.free = block->next;
    state.count--;
    block->next = NULL;
    block->begin = block->end = HTTP_CHUNK_HEAD;
    if (x->last)
        x->last->next = block;
    else
        x->first = block;
    x->last = block;
    x->blocks++;
    if (x->composed && x->session)
        (void)http_out_flush(x);
    return block;
}

void http_write(struct http_exchange *x, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    if (!x->status)
        http_begin(x, 200, HTTP_HTML);
    if (x->length == LENGTH_KNOWN && len > x->announced - x->written) {
        len = (size_t)(x->announced - x->written);
        x->failed = true;
    }
    x->written += len;
    if (x->head_only || x->session == NULL)
        return;
    while (len > 0 && !x->failed) {
        struct http_block *block = x->last;
        size_t room =
            block ? HTTP_CHUNK_HEAD + HTTP_BLOCK_DATA - (size_t)block->end : 0;
        size_t part;

        if (room == 0 || (x->composed && block->begin != HTTP_CHUNK_HEAD)) {
            block = add_block(x);
            if (!block)
                return;
            room = HTTP_BLOCK_DATA;
        }
        part = len < room ? len : room;
        memcpy(block->bytes + block->end, bytes, part);
        block->end = (uint16_t)(block->end + part);
        bytes += part;
        len -= part;
    }
}

void http_out_end(struct http_exchange *x)
{
    static const char last_chunk[] = "0\r\n\r\n";

    if (x->length == LENGTH_OPEN) {
        x->length = LENGTH_KNOWN;
        x->announced = x->written;
    }
    if (x->length == LENGTH_KNOWN && x->written != x->announced &&
        !x->head_only)
        x->failed = true;
    if (x->length == LENGTH_CHUNKED && x->last)
        close_block(x, x->last);
    if (x->length == LENGTH_CHUNKED && !x->head_only) {
        x->fixed = (const uint8_t *)last_chunk;
        x->fixed_left = sizeof(last_chunk) - 1;
    }
}
