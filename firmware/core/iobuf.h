/* Network buffers: a fixed pool of 2 KiB pieces of memory that every network
 * card can reach by DMA.
 *
 *   block            data            tail                    block + 2048
 *     |-- headroom --|--- frame -----|------- tailroom --------|
 *
 * Headers are pushed and pulled in place on the way from wire to protocol and
 * back; bytes are not copied between layers. A buffer is counted: whoever keeps
 * a pointer beyond the call that handed it over takes a reference. The network
 * card holds one while a frame waits to be sent, TCP holds one until the bytes
 * were acknowledged; a buffer goes back to the pool with its last reference. */
#ifndef CORE_IOBUF_H
#define CORE_IOBUF_H

#include "core/err.h"
#include "core/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IOBUF_BYTES 2048
/* Room before the payload for Ethernet, IP (v4 or v6) and TCP headers with
 * options; keeps the payload 16-byte aligned. */
#define IOBUF_HEADROOM 128

struct iobuf {
    struct list link; /* for whoever owns it: a queue */
    uint8_t *block;   /* IOBUF_BYTES, aligned to its size */
    uint8_t *data;    /* first valid byte */
    uint8_t *tail;    /* behind the last valid byte */
    uint16_t references;
    uint16_t flags;    /* meaning belongs to the owner of the queue */
    uint32_t sequence; /* TCP: sequence number of the first payload byte */
};

/* iobuf_pool_init - makes the pool; once, at start.
 * count: number of buffers. Returns OK or ERR_MEMORY. */
enum err iobuf_pool_init(size_t count) MUST_CHECK;

/* iobuf_alloc - an empty buffer with IOBUF_HEADROOM before data, one reference.
 * Returns NULL when the pool is used up (counted). A reserve of 1/8 of the pool
 * is kept for receiving: see iobuf_alloc_receive(). */
struct iobuf *iobuf_alloc(void);

/* iobuf_alloc_receive - the same for network cards' receive rings: may use the
 * reserve, and the buffer starts without headroom. */
struct iobuf *iobuf_alloc_receive(void);

/* Another reference, resp. one less; the last one frees the buffer. */
struct iobuf *iobuf_take(struct iobuf *buffer);
void iobuf_release(struct iobuf *buffer);

static inline size_t iobuf_length(const struct iobuf *buffer)
{
    return (size_t)(buffer->tail - buffer->data);
}

static inline size_t iobuf_headroom(const struct iobuf *buffer)
{
    return (size_t)(buffer->data - buffer->block);
}

static inline size_t iobuf_tailroom(const struct iobuf *buffer)
{
    return (size_t)(buffer->block + IOBUF_BYTES - buffer->tail);
}

/* Grows the frame at its front, at its end; shrinks it at its front. They
 * return the first byte of the room made, resp. the new first byte. That there
 * is room is the caller's invariant (asserted). */
void *iobuf_push(struct iobuf *buffer, size_t bytes);
void *iobuf_put(struct iobuf *buffer, size_t bytes);
void *iobuf_pull(struct iobuf *buffer, size_t bytes);

/* Figures for the running screen and for leak tests. */
size_t iobuf_total(void);
size_t iobuf_free(void);
uint64_t iobuf_refusals(void);

#endif
