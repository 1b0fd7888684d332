/* TFTP client (RFC 1350) that reads files, with options (RFC 2347): block size
 * (2348), timeout and size (2349), window (7440). */
#ifndef NET_TFTP_H
#define NET_TFTP_H

#include "core/err.h"
#include "core/timer.h"
#include "net/udp.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TFTP_PORT     69
#define TFTP_MESSAGE  80
#define TFTP_NAME_MAX 200

#define TFTP_BLOCK_BYTES  1428 /* one Ethernet frame, with room for tunnels */
#define TFTP_WINDOW       8
#define TFTP_WINDOW_BYTES (TFTP_WINDOW * TFTP_BLOCK_BYTES)

/* One file on its way. Lies with whoever asks, cleared before it is filled;
 * stays until done(). */
struct tftp {
    /* In. port 0: TFTP_PORT. */
    struct net_endpoint server;
    const char *file;
    /* More bytes, in order; anything but OK ends it with that result. It may
     * call tftp_pause(). */
    enum err (*take)(struct tftp *tftp, const uint8_t *data, size_t len);
    /* OK: it is whole; ERR_NOT_FOUND, ERR_REFUSED, ERR_INVALID, ERR_IO: what
     * the server said, see message; ERR_TIMEOUT: it says nothing (any more);
     * ERR_CORRUPT: not as many bytes as it had promised; or take()'s. Called
     * from timers and receiving, never from inside tftp_begin(). */
    void (*done)(struct tftp *tftp, enum err result);
    void *context;

    /* Out. */
    uint64_t total; /* bytes, as the server says; 0: it does not */
    uint64_t got;
    char message[TFTP_MESSAGE]; /* the server's words, printable; or "" */

    /* tftp.c's own. */
    struct udp_socket socket;
    struct timer timer;
    uint16_t block; /* the last one that was taken, in its 16 bits */
    uint16_t block_bytes;
    uint16_t window, unacknowledged;
    uint8_t state, tries;
    bool paused, waits; /* waits: for tftp_go_on(), with a window complete */
};

/* tftp_begin - asks for the file. Returns OK, ERR_INVALID (file name), or
 * ERR_NOT_FOUND (no way to the server): then done() is not called. */
enum err tftp_begin(struct tftp *tftp) MUST_CHECK;

/* tftp_pause - no more than the rest of a window, TFTP_WINDOW_BYTES, comes
 * until tftp_go_on(): the server waits for our acknowledgement. */
void tftp_pause(struct tftp *tftp);
void tftp_go_on(struct tftp *tftp);

/* tftp_cancel - done() is not called any more. Also for one that is over. */
void tftp_cancel(struct tftp *tftp);

#endif
