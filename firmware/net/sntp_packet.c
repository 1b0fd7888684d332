/* SNTP's packets: a request that tells nothing of us, and the tests that an
 * answer must pass (RFC 4330 5, RFC 5905 7.3, 7.4, 14). Extension fields and
 * authentication are not looked at. */
#include "net/sntp_packet.h"
#include "core/bytes.h"
#include <string.h>

#define VERSION       4
#define MODE_CLIENT   3
#define MODE_SERVER   4
#define NOT_IN_STEP   3 /* leap indicator: the server's clock is not set */
#define STRATUM_WORST 15
#define ERA_S         4294967296LL
#define UNIX_AT_S     2208988800LL /* 1970 in the era that began in 1900 */
#define DISTANCE_MS   1500         /* RFC 5905 MAXDIST */
#define HOLD_MS       1000

void sntp_packet_build(uint8_t out[SNTP_PACKET_BYTES], uint64_t nonce)
{
    memset(out, 0, SNTP_PACKET_BYTES);
    out[0] = VERSION << 3 | MODE_CLIENT;
    put_be64(out + 40, nonce);
}

/* The first bit tells the era (RFC 4330 3): 1968 to 2036, or to 2104. */
static int64_t to_unix_ms(uint64_t timestamp)
{
    int64_t seconds = (int64_t)(timestamp >> 32);
    uint64_t fraction = timestamp & 0xFFFFFFFF;

    if (!(timestamp >> 63))
        seconds += ERA_S;
    return (seconds - UNIX_AT_S) * 1000 + (int64_t)(fraction * 1000 >> 32);
}

/* 16.16 seconds, which may be negative in old versions: then it is far too
 * much. */
static uint32_t short_ms(const uint8_t *p)
{
    return (uint32_t)((uint64_t)get_be32(p) * 1000 >> 16);
}

static enum sntp_verdict kiss(const uint8_t *code)
{
    if (!memcmp(code, "RATE", 4))
        return SNTP_RATE;
    if (!memcmp(code, "DENY", 4) || !memcmp(code, "RSTR", 4))
        return SNTP_DENY;
    return SNTP_BAD;
}

enum sntp_verdict sntp_packet_read(const uint8_t *packet, size_t bytes,
                                   uint64_t nonce, struct sntp_reply *reply)
{
    uint64_t received, sent;
    int64_t hold_ms;
    uint64_t distance_ms;

    if (bytes < SNTP_PACKET_BYTES || (packet[0] & 7) != MODE_SERVER ||
        (packet[0] >> 3 & 7) < 3 || (packet[0] >> 3 & 7) > VERSION ||
        get_be64(packet + 24) != nonce)
        return SNTP_STRANGE;
    if (packet[1] == 0)
        return kiss(packet + 12);
    received = get_be64(packet + 32);
    sent = get_be64(packet + 40);
    if (packet[0] >> 6 == NOT_IN_STEP || packet[1] > STRATUM_WORST || !sent ||
        !received)
        return SNTP_BAD;
    distance_ms = short_ms(packet + 4) / 2 + (uint64_t)short_ms(packet + 8);
    hold_ms = to_unix_ms(sent) - to_unix_ms(received);
    if (distance_ms > DISTANCE_MS || hold_ms < 0 || hold_ms > HOLD_MS)
        return SNTP_BAD;
    reply->unix_ms = to_unix_ms(sent);
    reply->hold_ms = (uint32_t)hold_ms;
    reply->distance_ms = (uint32_t)distance_ms;
    reply->stratum = packet[1];
    return SNTP_GOOD;
}
