/* Frames from a fuzzer into the network room, with listeners, a UDP socket, an
 * active open and DHCP behind it.
 *
 * Input: records of one length byte (in units of 8, 0: let time pass) and a
 * frame. Destination address, checksums of IP, TCP, UDP and ICMP are put right,
 * so that the fuzzer gets past them; TCP acknowledgement numbers below 65536
 * are taken as relative to what was seen last, likewise sequence numbers.
 *
 * Built by clang with -fsanitize=fuzzer,address,undefined from this file,
 * tests/unit/fake_machine.c, firmware/net and firmware/core (without the
 * coroutines). */
#define WIRE_FRAMES 64
#include "net/udp.h"
#include "tests/unit/fake_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned mood;

static size_t on_received(struct stream *stream, const uint8_t *data,
                          size_t len)
{
    (void)data;
    mood = mood * 5 + 1;
    switch (mood % 7) {
    case 0:
        stream_close(stream);
        return len;
    case 1:
        stream_abort(stream);
        return len;
    case 2:
        stream_resume(stream);
        return len / 2;
    case 3:
        return 0;
    default:
        stream_write(stream, "250 ok\r\n", 8);
        return len;
    }
}

static void on_closed(struct stream *stream, enum err reason)
{
    (void)stream;
    (void)reason;
}

static const struct stream_handler handler = {.received = on_received,
                                              .closed = on_closed};

static void on_accept(struct stream *stream)
{
    stream->handler = &handler;
    stream_set_idle_timeout(stream, 60000);
    stream_write(stream, "220 hello\r\n", 11);
}

static void on_datagram(struct udp_socket *socket,
                        const struct net_endpoint *from, const uint8_t *data,
                        size_t len)
{
    if (len)
        (void)!udp_send(socket, from, data, 1);
}

static uint32_t last_seq, last_ack;
static uint16_t last_port;

static void look_at_output(void)
{
    struct seen s;

    while ((s = seen_next()).any) {
        last_seq = s.seq + (uint32_t)s.len + !!(s.flags & (SYN | FIN));
        last_ack = s.ack;
        last_port = s.source_port;
    }
}

static void fix_tcp(uint8_t *f, size_t len)
{
    uint8_t *p = f + 34;

    if (len < 20)
        return;
    if (get_be32(p + 4) < 65536)
        put_be32(p + 4, last_ack + get_be32(p + 4));
    if (get_be32(p + 8) < 65536)
        put_be32(p + 8, last_seq + get_be32(p + 8));
    if (p[2] & 0x80)
        put_be16(p + 2, last_port);
    put_be16(p + 16, 0);
    put_be16(p + 16, plain_checksum(p, len,
                                    plain_pseudo(get_be32(f + 26),
                                                 get_be32(f + 30), 6, len)));
}

static void fix_frame(uint8_t *f, size_t len)
{
    if (len < 34 || get_be16(f + 12) != 0x0800)
        return;
    put_be16(f + 16, (uint16_t)(len - 14));
    if (f[14] == 0x45 && f[23] == 6)
        fix_tcp(f, len - 34);
    if (f[14] == 0x45 && f[23] == 17 && len >= 42)
        put_be16(f + 40, 0);
    if (f[14] == 0x45 && f[23] == 1 && len >= 42) {
        put_be16(f + 36, 0);
        put_be16(f + 36, plain_checksum(f + 34, len - 34, 0));
    }
    put_be16(f + 24, 0);
    if ((size_t)(f[14] & 15) * 4 + 14 <= len)
        put_be16(f + 24, plain_checksum(f + 14, (size_t)(f[14] & 15) * 4, 0));
}

static void one_frame(const uint8_t *data, size_t len)
{
    uint8_t f[1514];

    memcpy(f, our_mac, 6);
    if (len && data[0] & 1)
        memset(f, 0xFF, 6);
    memcpy(f + 6, data, len);
    fix_frame(f, len + 6);
    wire_in(f, len + 6);
    look_at_output();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_config config = {.prefix_length = 24};
    static struct udp_socket socket = {.port = 53, .received = on_datagram};
    struct net_endpoint to = {.address = net_address_v4(PEER_IP), .port = 25};

    wire_begin(128, 8);
    wire_know_peer();
    mood = size ? data[0] : 0;

    if (tcp_listen(25, on_accept) != OK || udp_open(&socket) != OK)
        abort();
    if (!tcp_connect(&to, &handler, NULL))
        abort();
    net_flush();
    look_at_output();
    while (size) {
        size_t len = (size_t)data[0] * 8;

        data++;
        size--;
        if (len > size)
            len = size;
        if (len)
            one_frame(data, len > 1508 ? 1508 : len);
        else
            pass_time(size ? data[0] * 37U : 1);
        data += len;
        size -= len;
        net_flush();
    }
    config.dhcp = mood & 1;
    net_configure(&config);
    tcp_abort_all();
    pass_time(400000);
    if (iobuf_free() != iobuf_total() || check_failed_count)
        abort();
    return 0;
}
