/* The chunked coding: see http_chunked.h. A table of state x class of byte ->
 * next state; what a byte does besides is done on the way into the state. */
#include "http/http_chunked.h"
#include <string.h>

#define EXTRA_BYTES 4096u
/* Sixteen hex digits less one: no sum of sizes overflows. */
#define SIZE_LIMIT (UINT64_C(1) << 56)

enum state {
    SIZE_FIRST, /* at least one digit */
    SIZE,
    EXTENSION,
    SIZE_LF, /* CR seen */
    DATA,
    DATA_CR, /* the chunk is over */
    DATA_LF,
    LINE_FIRST, /* behind the last chunk: a trailer field, or the end */
    LINE,
    LINE_LF,
    END_LF,
    DONE,
    BAD,
    STATES
};

enum class { OTHER, HEX_DIGIT, SEMICOLON, SPACE, CR, LF, CLASSES };

static const uint8_t next_state[STATES][CLASSES] = {
    [SIZE_FIRST] = {BAD, SIZE, BAD, BAD, BAD, BAD},
    [SIZE] = {BAD, SIZE, EXTENSION, EXTENSION, SIZE_LF, BAD},
    [EXTENSION] = {EXTENSION, EXTENSION, EXTENSION, EXTENSION, SIZE_LF, BAD},
    [SIZE_LF] = {BAD, BAD, BAD, BAD, BAD, DATA},
    [DATA] = {BAD, BAD, BAD, BAD, BAD, BAD}, /* not taken bytewise */
    [DATA_CR] = {BAD, BAD, BAD, BAD, DATA_LF, BAD},
    [DATA_LF] = {BAD, BAD, BAD, BAD, BAD, SIZE_FIRST},
    [LINE_FIRST] = {LINE, LINE, BAD, BAD, END_LF, BAD},
    [LINE] = {LINE, LINE, LINE, LINE, LINE_LF, BAD},
    [LINE_LF] = {BAD, BAD, BAD, BAD, BAD, LINE_FIRST},
    [END_LF] = {BAD, BAD, BAD, BAD, BAD, DONE},
    [DONE] = {BAD, BAD, BAD, BAD, BAD, BAD},
    [BAD] = {BAD, BAD, BAD, BAD, BAD, BAD},
};

static enum class class_of(uint8_t c) {
    if ((c >= '0' && c <= '9') ||
        ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')) return HEX_DIGIT;
    switch (c){
        case ';' : return SEMICOLON; case ' ' : case '\t' : return SPACE;
        case '\r' : return CR;
        case '\n' : return LF;
        default : return OTHER;
    }
}

void http_chunked_init(struct http_chunked *chunked)
{
    chunked->left = 0;
    chunked->extra = 0;
    chunked->state = SIZE_FIRST;
}

static void enter(struct http_chunked *chunked, uint8_t next, uint8_t c)
{
    if (next == SIZE) {
        unsigned digit = c <= '9' ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u;

        chunked->left = chunked->left << 4 | digit;
        if (chunked->left >= SIZE_LIMIT)
            next = BAD;
    } else if (next == EXTENSION || next == LINE) {
        if (++chunked->extra > EXTRA_BYTES)
            next = BAD;
    } else if (next == DATA && chunked->left == 0) {
        next = LINE_FIRST;
    }
    chunked->state = next;
}

enum http_chunked_result http_chunked_feed(struct http_chunked *chunked,
                                           const uint8_t *data, size_t len,
                                           size_t *taken, uint8_t *out,
                                           size_t room, size_t *got)
{
    size_t at = 0, put = 0;

    while (at < len && chunked->state < DONE) {
        if (chunked->state == DATA) {
            size_t part = len - at < room - put ? len - at : room - put;

            if (part > chunked->left)
                part = (size_t)chunked->left;
            if (part == 0)
                break;
            memcpy(out + put, data + at, part);
            put += part;
            at += part;
            chunked->left -= part;
            if (chunked->left == 0)
                chunked->state = DATA_CR;
            continue;
        }
        enter(chunked, next_state[chunked->state][class_of(data[at])],
              data[at]);
        at++;
    }
    *taken = at;
    *got = put;
    return chunked->state == DONE  ? CHUNKED_DONE
           : chunked->state == BAD ? CHUNKED_BAD
                                   : CHUNKED_MORE;
}
