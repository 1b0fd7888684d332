/* libFuzzer: what neighbours may say by multicast DNS, and time servers.
 *
 * An input whose first byte is even is one message, read as it is, and as the
 * answer to a request for the time. Any other is, behind that byte, records of
 * two bytes (what happens, how many bytes belong to it) and those bytes, to a
 * responder that runs. */
#define WIRE_FRAMES 64
#include "net/ipv4.h"
#include "net/mdns.h"
#include "net/mdns_message.h"
#include "net/sntp_packet.h"
#include "tests/unit/dns_build.h"
#include "tests/unit/fake_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_message(const uint8_t *data, size_t size)
{
    static struct mdns_heard heard;
    static struct mdns_self self;
    static uint8_t out[MDNS_MESSAGE_BYTES];
    struct sntp_reply reply;

    self.address = OUR_IP;
    if (!dns_name_parse("mail.local", &self.host) ||
        !dns_name_parse("5.1.168.192.in-addr.arpa", &self.reverse))
        abort();
    if (mdns_message_read(data, size, &self, &heard) && heard.questions &&
        mdns_message_legacy(out, &self, heard.wanted, &heard) > sizeof(out))
        abort();
    if (size >= 48 &&
        sntp_packet_read(data, size, get_be64(data + 24), &reply) ==
            SNTP_GOOD &&
        (reply.stratum == 0 || reply.stratum > 15 || reply.hold_ms > 1000))
        abort();
}

static void datagram(uint8_t what, const uint8_t *data, size_t len)
{
    static const uint8_t group[6] = {1, 0, 0x5E, 0, 0, 0xFB};
    uint32_t to = what & 0x10 ? OUR_IP : MDNS_GROUP;
    uint8_t f[400];

    put_be16(f + 34, what & 0x20 ? 40000 : 5353);
    put_be16(f + 36, 5353);
    put_be16(f + 38, (uint16_t)(8 + len));
    put_be16(f + 40, 0);
    memcpy(f + 42, data, len);
    build_ip(f, PEER_IP, to, 17, 8 + len);
    if (to == MDNS_GROUP)
        memcpy(f, group, 6);
    wire_in(f, 42 + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_config config = {.prefix_length = 24, .hostname = "mail"};

    if (!size)
        return 0;
    if (!(data[0] & 1)) {
        read_message(data + 1, size - 1);
        return 0;
    }
    data++;
    size--;
    wire_begin(64, 4);
    config.address = net_address_v4(OUR_IP);
    net_configure(&config);
    wire.answer_arp = true;
    while (size >= 2) {
        size_t len = data[1] < size - 2 ? data[1] : size - 2;

        if (data[0] % 3 == 0)
            pass_time(len * 10);
        else
            datagram(data[0], data + 2, len);
        data += 2 + len;
        size -= 2 + len;
    }
    pass_time(1000);
    mdns_stop();
    wire.answer_arp = false;
    pass_time(6000); /* ARP gives up what waits */
    if (iobuf_free() != iobuf_total() || check_failed_count)
        abort();
    return 0;
}
