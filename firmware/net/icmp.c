/* ICMP: answers echo requests, tells senders of closed UDP ports and unknown
 * protocols, and hands errors about our own segments to TCP (which believes
 * them only as far as RFC 5927 goes). Redirects, source quench, timestamps,
 * masks and router messages are ignored. */
#include "net/icmp.h"
#include "core/bytes.h"
#include "core/timer.h"
#include "net/checksum.h"
#include "net/tcp_icmp.h"
#include <string.h>

#define ICMP_HEADER          8
#define ICMP_ECHO_REPLY      0
#define ICMP_UNREACHABLE     3
#define ICMP_ECHO            8
#define ICMP_TIME_EXCEEDED   11
#define ICMP_QUOTED          8
#define ICMP_ERRORS_PER_TICK 5 /* errors sent, in ICMP_TICK_MS */
#define ICMP_ECHOS_PER_TICK  50
#define ICMP_TICK_MS         100
#define ICMP_ECHO_BYTES_MAX  1480

static struct {
    uint64_t tick;
    unsigned errors, echos;
} state;

/* RFC 1812 4.3.2.8: answers must not become a weapon or a burden. */
static bool allowed(unsigned *counter, unsigned limit)
{
    uint64_t tick = timer_now_ms() / ICMP_TICK_MS;

    if (tick != state.tick) {
        state.tick = tick;
        state.errors = 0;
        state.echos = 0;
    }
    return (*counter)++ < limit;
}

static void send_message(struct iobuf *message, uint32_t to)
{
    uint8_t *p = message->data;
    uint16_t checksum;

    put_be16(p + 2, 0);
    checksum =
        net_checksum_finish(net_checksum_add(0, p, iobuf_length(message)));
    net_checksum_store(p + 2, checksum);
    /* Nobody waits for an ICMP message that could not be sent. */
    (void)!ipv4_output(message, ipv4_address(), to, IP_ICMP, false);
}

/* In a buffer of its own: a received one has no headroom of ours. */
static void echo(const struct iobuf *request, const struct ipv4_packet *packet)
{
    size_t bytes = iobuf_length(request);
    struct iobuf *reply;

    if (packet->broadcast || bytes > ICMP_ECHO_BYTES_MAX ||
        !allowed(&state.echos, ICMP_ECHOS_PER_TICK))
        return;
    reply = iobuf_alloc();
    if (!reply)
        return;
    memcpy(iobuf_put(reply, bytes), request->data, bytes);
    reply->data[0] = ICMP_ECHO_REPLY;
    send_message(reply, packet->source);
    iobuf_release(reply);
}

/* An error about a packet that we are said to have sent. */
static void error(const struct iobuf *message)
{
    const uint8_t *quoted = message->data + ICMP_HEADER;
    size_t bytes = iobuf_length(message) - ICMP_HEADER, header_bytes;
    struct tcp_icmp_error report;

    if (bytes < IPV4_HEADER || quoted[0] >> 4 != 4)
        return;
    header_bytes = (size_t)(quoted[0] & 15) * 4;
    if (header_bytes < IPV4_HEADER || bytes < header_bytes + ICMP_QUOTED)
        return;
    if (quoted[9] != IP_TCP || get_be32(quoted + 12) != ipv4_address())
        return;
    report.local.address = net_address_v4(get_be32(quoted + 12));
    report.remote.address = net_address_v4(get_be32(quoted + 16));
    quoted += header_bytes;
    report.local.port = get_be16(quoted);
    report.remote.port = get_be16(quoted + 2);
    report.sequence = get_be32(quoted + 4);
    report.mtu = 0;
    report.hard = false;
    if (message->data[0] == ICMP_UNREACHABLE) {
        uint8_t code = message->data[1];

        report.hard =
            code == ICMP_PROTOCOL_UNREACHABLE || code == ICMP_PORT_UNREACHABLE;
        if (code == ICMP_FRAGMENTATION_NEEDED)
            report.mtu = get_be16(message->data + 6);
    }
    tcp_icmp(&report);
}

void icmp_input(struct iobuf *message, const struct ipv4_packet *packet)
{
    size_t bytes = iobuf_length(message);

    if (bytes < ICMP_HEADER ||
        net_checksum_finish(net_checksum_add(0, message->data, bytes)))
        goto drop;
    switch (message->data[0]) {
    case ICMP_ECHO:
        if (message->data[1] == 0)
            echo(message, packet);
        break;
    case ICMP_UNREACHABLE:
    case ICMP_TIME_EXCEEDED:
        if (!packet->broadcast)
            error(message);
        break;
    default:
        break;
    }
drop:
    iobuf_release(message);
}

void icmp_send_unreachable(const struct ipv4_packet *packet,
                           enum icmp_unreachable code)
{
    struct iobuf *message;
    size_t total = get_be16(packet->header + 2), quoted;
    uint8_t *p;

    if (packet->broadcast || !ipv4_is_unicast(packet->source) ||
        !allowed(&state.errors, ICMP_ERRORS_PER_TICK))
        return;
    message = iobuf_alloc();
    if (!message)
        return;
    quoted = (size_t)packet->header_bytes + ICMP_QUOTED;
    if (quoted > total)
        quoted = total;
    p = iobuf_put(message, ICMP_HEADER + quoted);
    memset(p, 0, ICMP_HEADER);
    p[0] = ICMP_UNREACHABLE;
    p[1] = (uint8_t)code;
    memcpy(p + ICMP_HEADER, packet->header, quoted);
    send_message(message, packet->source);
    iobuf_release(message);
}

void icmp_module_init(void)
{
    memset(&state, 0, sizeof(state));
}
