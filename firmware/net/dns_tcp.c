/* Questions by TCP (RFC 1035 4.2.2, RFC 7766), for answers that do not fit into
 * a datagram: a few connections, one question each, with a buffer for one
 * answer. The query that asks keeps the time. Not supported: several questions
 * over one connection; answers above DNS_TCP_BYTES count as failures. */
#include "core/bytes.h"
#include "core/memory.h"
#include "net/dns_internal.h"
#include "net/tcp.h"
#include <string.h>

#define CONNECTIONS  4
#define LENGTH_BYTES 2

struct dns_tcp {
    struct stream *stream; /* NULL: free */
    struct dns_query *query;
    uint8_t question[LENGTH_BYTES + DNS_QUERY_BYTES];
    size_t question_bytes;
    size_t have; /* with the length before the answer */
    uint8_t *answer;
};

static struct {
    struct dns_tcp connections[CONNECTIONS];
} state;

static void release(struct dns_tcp *tcp)
{
    struct stream *stream = tcp->stream;

    tcp->stream = NULL;
    tcp->query = NULL;
    if (stream)
        stream_abort(stream);
    dns_query_tcp_free();
}

/* The connection is given back before the query learns, which may ask again:
 * the answer stays where it is until bytes of another one arrive. */
static void finish(struct dns_tcp *tcp, const uint8_t *message, size_t bytes)
{
    struct dns_query *query = tcp->query;

    release(tcp);
    dns_query_tcp_message(query, message, bytes);
}

void dns_tcp_drop(struct dns_tcp *tcp)
{
    release(tcp);
}

static void on_opened(struct stream *stream)
{
    struct dns_tcp *tcp = stream->context;

    (void)stream_write(stream, tcp->question, tcp->question_bytes);
}

static size_t on_received(struct stream *stream, const uint8_t *data,
                          size_t len)
{
    struct dns_tcp *tcp = stream->context;
    size_t wanted, n;

    for (n = 0; n < len && tcp->have < LENGTH_BYTES; n++)
        tcp->answer[tcp->have++] = data[n];
    if (tcp->have < LENGTH_BYTES)
        return len;
    wanted = LENGTH_BYTES + (size_t)get_be16(tcp->answer);
    if (wanted > LENGTH_BYTES + DNS_TCP_BYTES) {
        finish(tcp, NULL, 0);
        return len;
    }
    if (wanted - tcp->have < len - n)
        len = n + wanted - tcp->have;
    memcpy(tcp->answer + tcp->have, data + n, len - n);
    tcp->have += len - n;
    if (tcp->have == wanted)
        finish(tcp, tcp->answer + LENGTH_BYTES, wanted - LENGTH_BYTES);
    return len;
}

static void on_ended(struct stream *stream)
{
    finish(stream->context, NULL, 0);
}

static void on_closed(struct stream *stream, enum err reason)
{
    struct dns_tcp *tcp = stream->context;

    (void)reason;
    tcp->stream = NULL;
    finish(tcp, NULL, 0);
}

static const struct stream_handler handler = {.opened = on_opened,
                                              .received = on_received,
                                              .ended = on_ended,
                                              .closed = on_closed};

struct dns_tcp *dns_tcp_ask(struct dns_query *query,
                            const struct net_address *server,
                            const uint8_t *message, size_t bytes, bool *busy)
{
    struct net_endpoint to = {.address = *server, .port = DNS_PORT};
    struct dns_tcp *tcp = state.connections;

    *busy = false;
    while (tcp->query) {
        if (++tcp == state.connections + CONNECTIONS) {
            *busy = true;
            return NULL;
        }
    }
    put_be16(tcp->question, (uint16_t)bytes);
    memcpy(tcp->question + LENGTH_BYTES, message, bytes);
    tcp->question_bytes = LENGTH_BYTES + bytes;
    tcp->have = 0;
    tcp->stream = tcp_connect(&to, &handler, tcp);
    if (!tcp->stream)
        return NULL;
    tcp->query = query;
    return tcp;
}

enum err dns_tcp_init(void)
{
    memset(&state, 0, sizeof(state));
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        state.connections[i].answer =
            memory_take("DNS", LENGTH_BYTES + DNS_TCP_BYTES, 8);
        if (!state.connections[i].answer)
            return ERR_MEMORY;
    }
    return OK;
}
