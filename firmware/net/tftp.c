/* TFTP client: see tftp.h.
 *
 *   RRQ ->  <- OACK   ACK 0 ->  <- DATA 1..w   ACK w ->  ...
 *   RRQ ->  <- DATA 1 ACK 1 ->                            (no options)
 *
 * The server answers from a port of its own, which it keeps; what comes from
 * another one is told so (RFC 1350 section 4). A window is acknowledged when it
 * is complete, at the last block, and at the first one that is missing (RFC
 * 7440 section 4); an old block is not acknowledged again, so that no doubled
 * packet doubles all that follow. Block numbers go from 65535 on to 0.
 * Not supported: writing, netascii, multicast, IPv6. */
#include "net/tftp.h"
#include "core/bytes.h"
#include "core/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES   512 /* without options */
#define TRY_MS        1000
#define TRY_MS_MAX    8000
#define TRIES         7
#define REQUEST_BYTES 400

enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6 };
enum {
    ERROR_UNDEFINED = 0,
    ERROR_ILLEGAL = 4,
    ERROR_UNKNOWN_TID = 5,
    ERROR_OPTIONS = 8
};

enum tftp_state { TFTP_IDLE, TFTP_ASKED, TFTP_RUNNING };

/* ---- Out ------------------------------------------------------------------
 */

static void put_string(uint8_t **at, const char *text)
{
    size_t bytes = strlen(text) + 1;

    memcpy(*at, text, bytes);
    *at += bytes;
}

static void send(struct tftp *tftp, const void *bytes, size_t len)
{
    /* What cannot be sent now is tried again like what gets lost. */
    (void)!udp_send(&tftp->socket, &tftp->server, bytes, len);
}

static enum err send_request(struct tftp *tftp)
{
    uint8_t packet[REQUEST_BYTES];
    uint8_t *at = packet;
    char number[12];

    put_be16(at, RRQ);
    at += 2;
    put_string(&at, tftp->file);
    put_string(&at, "octet");
    put_string(&at, "tsize");
    put_string(&at, "0");
    put_string(&at, "blksize");
    (void)snprintf(number, sizeof(number), "%d", TFTP_BLOCK_BYTES);
    put_string(&at, number);
    put_string(&at, "windowsize");
    (void)snprintf(number, sizeof(number), "%d", TFTP_WINDOW);
    put_string(&at, number);
    put_string(&at, "timeout");
    put_string(&at, "2");
    return udp_send(&tftp->socket, &tftp->server, packet,
                    (size_t)(at - packet));
}

static void send_ack(struct tftp *tftp)
{
    uint8_t packet[4];

    put_be16(packet, ACK);
    put_be16(packet + 2, tftp->block);
    tftp->unacknowledged = 0;
    send(tftp, packet, sizeof(packet));
}

static void send_error(struct tftp *tftp, const struct net_endpoint *to,
                       uint16_t code, const char *text)
{
    uint8_t packet[64];
    uint8_t *at = packet + 4;

    put_be16(packet, ERROR);
    put_be16(packet + 2, code);
    put_string(&at, text);
    (void)!udp_send(&tftp->socket, to, packet, (size_t)(at - packet));
}

/* ---- Ends -----------------------------------------------------------------
 */

static void stop(struct tftp *tftp)
{
    tftp->state = TFTP_IDLE;
    timer_stop(&tftp->timer);
    udp_close(&tftp->socket);
}

void tftp_cancel(struct tftp *tftp)
{
    if (tftp->state == TFTP_RUNNING)
        send_error(tftp, &tftp->server, ERROR_UNDEFINED, "given up");
    if (tftp->state != TFTP_IDLE)
        stop(tftp);
}

static void finish(struct tftp *tftp, enum err result)
{
    stop(tftp);
    tftp->done(tftp, result);
}

/* We will not take it: the server need not wait for that. */
static void give_up(struct tftp *tftp, uint16_t code, const char *text,
                    enum err result)
{
    send_error(tftp, &tftp->server, code, text);
    finish(tftp, result);
}

static void start_timer(struct tftp *tftp)
{
    uint64_t ms = (uint64_t)TRY_MS << (tftp->tries < 3 ? tftp->tries : 3);

    timer_start(&tftp->timer, ms < TRY_MS_MAX ? ms : TRY_MS_MAX);
}

/* Whether what is due, an acknowledgement, has to wait for tftp_go_on(). */
static bool stop_here(struct tftp *tftp)
{
    if (tftp->paused) {
        tftp->waits = true;
        timer_stop(&tftp->timer);
    }
    return tftp->paused;
}

static void try_again(struct timer *timer)
{
    struct tftp *tftp = LIST_ELEMENT(timer, struct tftp, timer);

    if (stop_here(tftp))
        return;
    if (++tftp->tries == TRIES) {
        finish(tftp, ERR_TIMEOUT);
        return;
    }
    if (tftp->state == TFTP_ASKED)
        (void)!send_request(tftp);
    else
        send_ack(tftp);
    start_timer(tftp);
}

void tftp_pause(struct tftp *tftp)
{
    tftp->paused = true;
}

void tftp_go_on(struct tftp *tftp)
{
    tftp->paused = false;
    if (!tftp->waits || tftp->state != TFTP_RUNNING)
        return;
    tftp->waits = false;
    send_ack(tftp);
    start_timer(tftp);
}

/* ---- In -------------------------------------------------------------------
 */

/* One string of a packet; NULL when it does not end within. */
static const char *take_string(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *nul = memchr(*at, '\0', (size_t)(end - *at));
    const char *text = (const char *)*at;

    if (nul == NULL)
        return NULL;
    *at = nul + 1;
    return text;
}

static bool same(const char *a, const char *b)
{
    while (*a && (*a | 0x20) == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Whether it is an answer to what was asked for, within what was asked. */
static bool take_option(struct tftp *tftp, const char *name, const char *value)
{
    unsigned long long number = strtoull(value, NULL, 10);

    if (*value < '0' || *value > '9')
        return false;
    if (same(name, "blksize")) {
        tftp->block_bytes = (uint16_t)number;
        return number >= 8 && number <= TFTP_BLOCK_BYTES;
    }
    if (same(name, "windowsize")) {
        tftp->window = (uint16_t)number;
        return number >= 1 && number <= TFTP_WINDOW;
    }
    if (same(name, "tsize")) {
        tftp->total = number;
        return true;
    }
    return same(name, "timeout");
}

static void take_oack(struct tftp *tftp, const uint8_t *at, const uint8_t *end)
{
    if (tftp->state != TFTP_ASKED) {
        /* A second one: our ACK of the first was lost. */
        if (tftp->block == 0 && tftp->got == 0)
            send_ack(tftp);
        return;
    }
    while (at < end) {
        const char *name = take_string(&at, end);
        const char *value = name ? take_string(&at, end) : NULL;

        if (value == NULL || !take_option(tftp, name, value)) {
            give_up(tftp, ERROR_OPTIONS, "not what was asked for", ERR_INVALID);
            return;
        }
    }
    tftp->state = TFTP_RUNNING;
    tftp->tries = 0;
    send_ack(tftp);
    start_timer(tftp);
}

static void take_error(struct tftp *tftp, const uint8_t *data, size_t len)
{
    static const enum err results[] = {ERR_IO,     ERR_NOT_FOUND, ERR_REFUSED,
                                       ERR_FULL,   ERR_INVALID,   ERR_INVALID,
                                       ERR_EXISTS, ERR_REFUSED,   ERR_INVALID};
    uint16_t code = get_be16(data);
    size_t i;

    for (i = 2; i < len && data[i] && i < TFTP_MESSAGE + 1; i++)
        tftp->message[i - 2] =
            (char)(data[i] < ' ' || data[i] > '~' ? '?' : data[i]);
    tftp->message[i - 2] = '\0';
    finish(tftp, code < sizeof(results) / sizeof(results[0]) ? results[code]
                                                             : ERR_IO);
}

static void end_of_file(struct tftp *tftp)
{
    send_ack(tftp);
    finish(tftp, tftp->total && tftp->total != tftp->got ? ERR_CORRUPT : OK);
}

static void take_data(struct tftp *tftp, uint16_t block, const uint8_t *data,
                      size_t len)
{
    enum err err;

    if (tftp->waits)
        return;
    /* The server knows no options: as RFC 1350 has it. */
    tftp->state = TFTP_RUNNING;
    if (block != (uint16_t)(tftp->block + 1)) {
        uint16_t ahead = (uint16_t)(block - tftp->block);

        /* One before it was lost: once for each window. Older ones are late
         * doubles. */
        if (ahead > 1 && ahead <= tftp->window &&
            tftp->unacknowledged != 0xFFFF && !stop_here(tftp)) {
            send_ack(tftp);
            tftp->unacknowledged = 0xFFFF;
        }
        return;
    }
    if (len > tftp->block_bytes) {
        give_up(tftp, ERROR_ILLEGAL, "block too long", ERR_INVALID);
        return;
    }
    tftp->block = block;
    tftp->tries = 0;
    tftp->got += len;
    err = tftp->take(tftp, data, len);
    if (err) {
        give_up(tftp, ERROR_UNDEFINED, "no room for it", err);
        return;
    }
    if (len < tftp->block_bytes) {
        end_of_file(tftp);
        return;
    }
    if (tftp->unacknowledged == 0xFFFF)
        tftp->unacknowledged = 0;
    if (++tftp->unacknowledged < tftp->window) {
        start_timer(tftp);
        return;
    }
    if (!stop_here(tftp)) {
        send_ack(tftp);
        start_timer(tftp);
    }
}

static void received(struct udp_socket *socket, const struct net_endpoint *from,
                     const uint8_t *data, size_t len)
{
    struct tftp *tftp = LIST_ELEMENT(socket, struct tftp, socket);

    if (!net_address_equal(&from->address, &tftp->server.address) || len < 2)
        return;
    if (tftp->state == TFTP_ASKED && tftp->block == 0 && tftp->got == 0)
        tftp->server.port = from->port;
    if (from->port != tftp->server.port) {
        send_error(tftp, from, ERROR_UNKNOWN_TID, "unknown transfer");
        return;
    }
    switch (get_be16(data)) {
    case OACK:
        take_oack(tftp, data + 2, data + len);
        break;
    case DATA:
        if (len >= 4)
            take_data(tftp, get_be16(data + 2), data + 4, len - 4);
        break;
    case ERROR:
        if (len >= 4)
            take_error(tftp, data + 2, len - 2);
        break;
    default:
        give_up(tftp, ERROR_ILLEGAL, "what is that", ERR_INVALID);
    }
}

/* ---- Beginning ------------------------------------------------------------
 */

enum err tftp_begin(struct tftp *tftp)
{
    enum err err;

    if (tftp->file[0] == '\0' || strlen(tftp->file) > TFTP_NAME_MAX)
        return ERR_INVALID;
    if (tftp->server.port == 0)
        tftp->server.port = TFTP_PORT;
    tftp->socket.port = 0;
    tftp->socket.received = received;
    tftp->block_bytes = BLOCK_BYTES;
    tftp->window = 1;
    tftp->unacknowledged = 0;
    tftp->paused = tftp->waits = false;
    tftp->block = 0;
    tftp->got = tftp->total = 0;
    tftp->tries = 0;
    tftp->message[0] = '\0';
    timer_init(&tftp->timer, try_again);
    err = udp_open(&tftp->socket);
    if (err)
        return err;
    tftp->state = TFTP_ASKED;
    err = send_request(tftp);
    if (err) {
        stop(tftp);
        return err;
    }
    start_timer(tftp);
    return OK;
}
