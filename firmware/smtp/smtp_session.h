/* Inside of the SMTP server: the session. Not for other rooms. What its files
 * give each other: smtp_steps.h. */
#ifndef SMTP_SMTP_SESSION_H
#define SMTP_SMTP_SESSION_H

#include "core/task.h"
#include "core/timer.h"
#include "envelope/envelope.h"
#include "limits/judge.h"
#include "protocol/dialogue.h"
#include "protocol/text.h"
#include "smtp/smtp_author.h"
#include "smtp/smtp_parameters.h"
#include "smtp/smtp_path.h"
#include "smtp/smtp_reply.h"
#include "smtp/smtp_server.h"
#include "smtp/smtp_settings.h"
#include "smtp/smtp_steps.h"
#include "smtp/smtp_text.h"
#include "store/st.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With CRLF. RFC 5321 4.5.3.1.4 wants 512, the extensions up to 1200 in all. */
#define SMTP_LINE_BYTES        2048
#define SMTP_MESSAGE_BYTES_MAX 33554432
#define SMTP_RECEIVED_MAX      50 /* RFC 5321 6.3 */
#define SMTP_ROOM_RETRY_MS     20
#define SMTP_ROOM_RETRIES      1500 /* half a minute */

/* One session. Its stream is valid in every state but SMTP_OVER. */
struct smtp_session {
    struct task task;
    struct dialogue dialogue;
    struct timer timer;
    struct st_inbound *inbound; /* a message; NULL once it is refused */
    struct smtp_author *author; /* from AUTH on */
    struct limits_session limits;
    struct limits_judgement *judgement; /* in SMTP_HELD, while there is one */
    struct smtp_text text;
    int64_t user;        /* who is logged in; 0: nobody */
    int64_t received_ms; /* wall clock when DATA was accepted */
    uint64_t serial;     /* of this transaction, for the Received line */
    uint64_t declared_bytes;
    uint64_t quota_max;  /* room in the mailbox of the only recipient */
    uint64_t bytes_max;  /* of a message, as the recipients' domains allow */
    uint64_t chunk_left; /* of a BDAT */
    uint64_t chunk_bytes;
    /* Text of our own for the store, which lies in text(): trace lines, header
     * lines. It is gathered, then ready, then sent. */
    uint16_t text_bytes;
    uint16_t text_sent;
    uint16_t helo_bytes;
    uint16_t sender_bytes;
    uint16_t retries;
    uint16_t idle_commands;
    uint8_t state;
    uint8_t refusal; /* enum smtp_reply for the end of data; SMTP_OK: none */
    uint8_t errors;
    uint8_t body;       /* enum smtp_body */
    uint8_t returning;  /* enum store_return */
    uint8_t held_state; /* behind SMTP_HELD */
    uint8_t held_reply;
    uint8_t listed; /* limits_zone() of a block list; 0: on none */
    bool refuse_listed;
    bool judged;
    uint8_t chunk_back; /* state behind a chunk: SMTP_CHUNKS, if it is good */
    bool text_ready;
    bool submission; /* the port is for users only */
    bool encrypted;  /* nobody else can read along */
    bool extended;   /* EHLO */
    bool smtputf8;   /* the transaction may have addresses of RFC 6531 */
    bool eight_bit;  /* bytes above 127 were declared or seen */
    bool chunked;    /* by BDAT, not by DATA */
    bool chunk_last;
    bool traced;                 /* the trace lines are made */
    bool ended;                  /* the peer will send nothing more */
    struct envelope_mark before; /* the recipient that is answered */
    struct envelope envelope;
    char helo[SMTP_DOMAIN_MAX];
    char sender[SMTP_PATH_MAX]; /* NUL-terminated */
    char line[SMTP_LINE_BYTES];
};

#endif
