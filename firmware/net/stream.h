/* The byte stream between a transport (TCP, later TLS over TCP) and a mail
 * protocol. A protocol includes this and nothing else of net.
 *
 * Upwards, the transport calls the handler; downwards, the protocol calls
 * stream_*(). What a handler writes while received() runs is sent when it
 * returns, in the same segment as the acknowledgement: TCP, protocol and answer
 * in one pass ("intertwined"). Written at any other time it is sent at the end
 * of the turn of MT. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "core/err.h"
#include "net/address.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* What a protocol does with a stream. opened, ended and writable may be NULL.
 */
struct stream_handler {
    /* An active open has succeeded (never called for accepted streams). */
    void (*opened)(struct stream *stream);

    /* Bytes have arrived. Returns how many of them it has consumed, 0 to
     * len. What is left is kept, closes the receive window, and is offered
     * again, with what came after it, at the next arrival or after
     * stream_resume(). data is valid during the call only. A handler may
     * be called several times for what one segment brought. */
    size_t (*received)(struct stream *stream, const uint8_t *data, size_t len);

    /* The peer will send nothing more (FIN), and everything it had sent
     * was consumed. The protocol may still write; it should close. */
    void (*ended)(struct stream *stream);

    /* There is room again after stream_write() took less than it was
     * given. */
    void (*writable)(struct stream *stream);

    /* The stream is over: OK (closed by both sides in order), ERR_RESET,
     * ERR_TIMEOUT, ERR_GONE. The last call; the stream must not be touched
     * after it, nor after stream_close() or stream_abort() returned with
     * detach (see there). */
    void (*closed)(struct stream *stream, enum err reason);
};

/* What a transport does. */
struct stream_operations {
    size_t (*write)(struct stream *stream, const void *data, size_t len);
    size_t (*space)(const struct stream *stream);
    void (*close)(struct stream *stream);
    void (*abort)(struct stream *stream);
    void (*resume)(struct stream *stream);
    void (*set_idle_timeout)(struct stream *stream, uint32_t ms);
    void (*peer)(const struct stream *stream, struct net_endpoint *peer);
    void (*local)(const struct stream *stream, struct net_endpoint *local);
};

/* First member of the transport's own structure. */
struct stream {
    const struct stream_operations *operations;
    const struct stream_handler *handler;
    void *context; /* the protocol's session */
};

/* stream_write - queues bytes for sending; they are copied.
 * Returns how many were taken, 0 to len: as much as stream_space() says. */
static inline size_t stream_write(struct stream *stream, const void *data,
                                  size_t len)
{
    return stream->operations->write(stream, data, len);
}

/* stream_space - how many bytes stream_write() would take now. A new stream
 * always has room for at least 4096. */
static inline size_t stream_space(const struct stream *stream)
{
    return stream->operations->space(stream);
}

/* stream_close - sends what was written, then FIN, in one segment where it
 * fits. The handler is detached: it hears nothing more of this stream, and the
 * pointer is dead to the caller. What still arrives is discarded. */
static inline void stream_close(struct stream *stream)
{
    stream->handler = NULL;
    stream->operations->close(stream);
}

/* stream_abort - sends RST; the handler is detached likewise. */
static inline void stream_abort(struct stream *stream)
{
    stream->handler = NULL;
    stream->operations->abort(stream);
}

/* stream_resume - offers the bytes that received() left again, before the end
 * of this turn of MT (never from inside this call). */
static inline void stream_resume(struct stream *stream)
{
    stream->operations->resume(stream);
}

/* stream_set_idle_timeout - the stream is closed with ERR_TIMEOUT when the peer
 * has sent nothing new and acknowledged nothing for that long; 0: never. The
 * handler's closed() may not write any more; protocols that owe a last answer
 * (SMTP's 421) keep a timer of their own that is shorter. */
static inline void stream_set_idle_timeout(struct stream *stream, uint32_t ms)
{
    stream->operations->set_idle_timeout(stream, ms);
}

static inline void stream_peer(const struct stream *stream,
                               struct net_endpoint *peer)
{
    stream->operations->peer(stream, peer);
}

static inline void stream_local(const struct stream *stream,
                                struct net_endpoint *local)
{
    stream->operations->local(stream, local);
}

#endif
