/* A user who has logged in, or is about to: the part of a session that only
 * submission needs. From a pool of its own, since most sessions are of other
 * servers.
 *
 * While he logs in it holds name and password; then, of each message, what its
 * header has to be looked at for (RFC 6409 section 8): whether Date and
 * Message-ID are there, and whose address stands in From. */
#ifndef SMTP_SMTP_AUTHOR_H
#define SMTP_SMTP_AUTHOR_H

#include "account/account.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_FROM_BYTES 998
/* A header line, or the first part of it, and what may have to go before it. */
#define SMTP_HEADER_PART_BYTES 1024
#define SMTP_ADDED_BYTES       512
#define SMTP_TEXT_BYTES        (SMTP_HEADER_PART_BYTES + 2 + SMTP_ADDED_BYTES)

/* The header of a message, line by line. */
struct smtp_header {
    bool over;    /* its end was seen */
    bool any;     /* a field was seen */
    bool in_line; /* what comes next continues a line that was too long */
    bool in_from; /* the present field is From */
    bool date, message_id, from;
    bool from_cut; /* From is longer than fits */
    uint16_t from_bytes;
    char from_text[SMTP_FROM_BYTES]; /* its value, folding and all */
};

enum smtp_header_line {
    SMTP_HEADER_FIELD, /* part of the header */
    SMTP_HEADER_END,   /* the empty line behind it */
    SMTP_HEADER_BODY,  /* the body begins, without an empty line */
};

struct smtp_session;

struct smtp_author {
    struct list link; /* of the free ones, or of those that were asked */
    struct smtp_session *asked; /* whose client has to answer now */
    uint8_t mechanism;
    bool named; /* AUTH LOGIN: the name is here, the password is not */
    union {
        struct account_login login;
        struct smtp_header header;
    };
    char text[SMTP_TEXT_BYTES]; /* on its way to the store */
};

/* smtp_author_module_init - makes so many; once. */
enum err smtp_author_module_init(unsigned count) MUST_CHECK;

/* smtp_author_take - zeroed; NULL: all are in use. smtp_author_give - wipes. */
struct smtp_author *smtp_author_take(void);
void smtp_author_give(struct smtp_author *author);

/* smtp_author_ask - the session's client has to answer before anything goes on:
 * meanwhile it can give way to others. smtp_author_answered - it has.
 * smtp_author_oldest - the session whose client was asked longest ago; NULL:
 * none is. */
void smtp_author_ask(struct smtp_author *author, struct smtp_session *session);
void smtp_author_answered(struct smtp_author *author);
struct smtp_session *smtp_author_oldest(void);

/* ---- smtp_header.c --------------------------------------------------------
 */

void smtp_header_init(struct smtp_header *header);

/* smtp_header_look - a line of the message with its CRLF, or the first part of
 * one (complete: whether it ends here) while the header is not over. */
enum smtp_header_line smtp_header_look(struct smtp_header *header,
                                       const char *line, size_t len,
                                       bool complete);

/* smtp_header_from_allowed - whether each address in From is the user's own. */
bool smtp_header_from_allowed(const struct smtp_header *header, int64_t user);

#endif
