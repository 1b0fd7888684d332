/* A server's replies (RFC 5321 4.2): put together line by line, within limits,
 * whatever the server sends. Pure functions. */
#ifndef RELAY_RELAY_REPLY_H
#define RELAY_RELAY_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_REPLY_TEXT  200
#define RELAY_REPLY_LINES 100

enum relay_reply_result {
    RELAY_REPLY_MORE, /* further lines follow */
    RELAY_REPLY_DONE,
    RELAY_REPLY_BAD, /* not SMTP, or without end */
};

struct relay_reply {
    uint16_t code; /* 200 to 599 */
    uint16_t lines;
    uint16_t len; /* of the text */
    bool done;
    /* Code and text of all lines, joined by spaces; printable ASCII. */
    char text[RELAY_REPLY_TEXT];
};

void relay_reply_init(struct relay_reply *reply);

/* relay_reply_line - takes one line, without its CRLF; begins a new reply when
 * the one before was done. */
enum relay_reply_result relay_reply_line(struct relay_reply *reply,
                                         const char *line, size_t len);

#define RELAY_STATUS_BYTES 12

/* relay_status - the enhanced status code (RFC 3463) of a reply's text, or of
 * ours; where it has none that fits its code, "5.0.0" or "4.0.0".
 * status: RELAY_STATUS_BYTES. Returns status. */
char *relay_status(const char *text, bool permanent, char *status);

/* What a server offers in its answer to EHLO. */
struct relay_offer {
    bool pipelining, eight_bit, smtputf8, dsn, chunking, size;
    bool auth_plain, auth_login;
    uint64_t size_max;       /* 0: it does not say */
    uint32_t recipients_max; /* of a message (RFC 9422); 0: it does not say */
    uint32_t messages_max;   /* of a connection (RFC 9422); 0: likewise */
};

/* relay_offer_line - takes one line of that answer, without its CRLF, code and
 * separator included. */
void relay_offer_line(struct relay_offer *offer, const char *line, size_t len);

#endif
