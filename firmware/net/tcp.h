/* TCP (RFC 9293): see tcp.c for what is done and what is not. */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "core/err.h"
#include "core/iobuf.h"
#include "net/address.h"
#include "net/stream.h"
#include <stddef.h>
#include <stdint.h>

/* tcp_module_init - makes `connections` TCBs and the hash table; once.
 * Returns OK or ERR_MEMORY. */
enum err tcp_module_init(unsigned connections) MUST_CHECK;

/* tcp_listen - takes connections on a port, on every own address.
 * accept: called when the handshake is complete. It sets stream->handler and
 * stream->context, may write its greeting at once, and may close or abort.
 * Returns OK, ERR_EXISTS (port in use) or ERR_MEMORY (32 listeners). */
enum err tcp_listen(uint16_t port,
                    void (*accept)(struct stream *stream)) MUST_CHECK;

/* tcp_unlisten - takes no more connections on a port; existing ones go on. */
void tcp_unlisten(uint16_t port);

/* tcp_connect - active open from a random local port (RFC 6056).
 * The handler's opened() or closed() is called later, never from inside.
 * Returns the stream, or NULL when no TCB or port is free. */
struct stream *tcp_connect(const struct net_endpoint *remote,
                           const struct stream_handler *handler, void *context);

/* tcp_input - one segment, from IP. segment->data points at the TCP header and
 * tail behind the last payload byte; takes over the caller's reference. */
void tcp_input(struct iobuf *segment, const struct net_address *source,
               const struct net_address *destination);

/* tcp_flush - sends what was written or became due since the last call, and
 * offers bytes again on resumed streams. MT calls it at the end of each turn.
 * Returns true when it did anything. */
bool tcp_flush(void);

/* tcp_abort_all - RST to everyone, for restart and power off. */
void tcp_abort_all(void);

struct tcp_figures {
    unsigned connections, connections_peak, capacity;
    uint64_t accepted, opened, refused; /* refused: no TCB free */
    uint64_t segments_in, segments_out, retransmitted;
    uint64_t bad; /* checksum, header, sequence */
    uint64_t resets_in, resets_out, timeouts;
    uint64_t cookies; /* SYNs that were answered by a cookie */
};

void tcp_figures(struct tcp_figures *figures);

#endif
