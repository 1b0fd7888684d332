/* Inside of the SMTP server: the session and what its files give each other.
 * Not for other rooms. */
#ifndef SMTP_SMTP_SESSION_H
#define SMTP_SMTP_SESSION_H

#include "core/task.h"
#include "core/timer.h"
#include "protocol/dialogue.h"
#include "protocol/text.h"
#include "smtp/smtp_path.h"
#include "smtp/smtp_reply.h"
#include "smtp/smtp_server.h"
#include "smtp/smtp_text.h"
#include "store/st.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_LINE_BYTES        1024 /* with CRLF; RFC 5321 4.5.3.1.4 wants 512 */
#define SMTP_MESSAGE_BYTES_MAX 33554432
#define SMTP_RECIPIENTS_MAX    STORE_RECIPIENTS_MAX
#define SMTP_RECIPIENTS_FEW    8   /* in the session itself */
#define SMTP_ERRORS_MAX        20  /* per session */
#define SMTP_IDLE_COMMANDS_MAX 100 /* between two messages */
#define SMTP_RECEIVED_MAX      50  /* RFC 5321 6.3 */
#define SMTP_ROOM_RETRY_MS     20
#define SMTP_ROOM_RETRIES      1500 /* half a minute */

enum smtp_state {
    SMTP_GREETED, /* 220 was sent */
    SMTP_HELLO,   /* HELO or EHLO was given; no transaction */
    SMTP_MAIL,    /* MAIL was given */
    SMTP_RCPT,    /* at least one recipient was accepted */
    SMTP_ROOM,    /* DATA was given, waiting for a buffer of the store */
    SMTP_DATA,    /* 354 was sent */
    SMTP_COMMIT,  /* the final dot was seen, waiting for the store */
    SMTP_CLOSING, /* the last reply waits for room in the stream */
    SMTP_OVER,    /* the task is back in its pool */
    SMTP_STATES
};

struct smtp_long_list;

/* One session. Its stream is valid in every state but SMTP_OVER. */
struct smtp_session {
    struct task task;
    struct dialogue dialogue;
    struct timer timer;
    struct st_inbound *inbound; /* SMTP_DATA; NULL once it is refused */
    struct smtp_text text;
    int64_t received_ms; /* wall clock when DATA was accepted */
    uint64_t serial;     /* of this transaction, for the Received line */
    uint64_t declared_bytes;
    uint16_t trace_bytes; /* trace lines lie in `line`; 0: not made yet */
    uint16_t trace_sent;
    uint16_t helo_bytes;
    uint16_t sender_bytes;
    uint16_t retries;
    uint8_t state;
    uint8_t refusal; /* enum smtp_reply for the end of data; SMTP_OK: none */
    uint8_t errors;
    uint8_t idle_commands;
    uint8_t user_count;
    bool extended;               /* EHLO */
    bool ended;                  /* the peer will send nothing more */
    struct smtp_long_list *many; /* recipients that are too many for few */
    int64_t few[SMTP_RECIPIENTS_FEW];
    char helo[SMTP_DOMAIN_MAX];
    char sender[SMTP_PATH_MAX]; /* NUL-terminated */
    char line[SMTP_LINE_BYTES];
};

/* ---- smtp_server.c ------------------------------------------------------ */

/* smtp_enter_state - the one way from state to state: logs it, starts the
 * timeout of the new one. */
void smtp_enter_state(struct smtp_session *session, enum smtp_state next);

/* smtp_say - sends a reply and counts it if it is an error. */
void smtp_say(struct smtp_session *session, enum smtp_reply reply);

/* smtp_check_errors - ends a session that makes nothing but errors, unless a
 * reply still waits: smtp_resume() looks again. */
void smtp_check_errors(struct smtp_session *session);

/* smtp_finish - sends a last reply and closes; the session may be over. */
void smtp_finish(struct smtp_session *session, enum smtp_reply reply);

/* smtp_resume - the session can take bytes again, or is to close. */
void smtp_resume(struct smtp_session *session);

/* smtp_reset - forgets the transaction, whose message is already stored or
 * discarded. */
void smtp_reset(struct smtp_session *session);

/* smtp_host - own name for greeting, 221, 421 and Received. */
const char *smtp_host(void);

/* smtp_count_message - a message was answered after its data. */
void smtp_count_message(const struct smtp_session *session, bool accepted);

uint64_t smtp_next_serial(void);

/* ---- smtp_command.c ----------------------------------------------------- */

/* smtp_take_command - one command line, or part of one, from data.
 * Returns how many bytes were used; 0 while a reply waits. */
size_t smtp_take_command(struct smtp_session *session, const uint8_t *data,
                         size_t len);

/* ---- smtp_data.c -------------------------------------------------------- */

/* smtp_begin_data - DATA was given: asks the store for room. */
void smtp_begin_data(struct smtp_session *session);

/* smtp_take_data - bytes of the message. Returns how many were used; 0 when
 * the store takes no more for the moment. */
size_t smtp_take_data(struct smtp_session *session, const uint8_t *data,
                      size_t len);

/* ---- smtp_recipients.c -------------------------------------------------- */

/* smtp_recipients_init - makes the pool of long lists; once. */
enum err smtp_recipients_init(unsigned lists) MUST_CHECK;

/* smtp_recipients - the ids, session->user_count of them. */
int64_t *smtp_recipients(struct smtp_session *session);

/* smtp_add_recipient - doubles count once. Returns the reply. */
enum smtp_reply smtp_add_recipient(struct smtp_session *session, int64_t user);

void smtp_clear_recipients(struct smtp_session *session);

/* ---- smtp_trace.c ------------------------------------------------------- */

/* smtp_trace_format - Return-Path and Received lines (RFC 5321 4.4). */
void smtp_trace_format(struct text *text, const struct smtp_session *session,
                       const char *host);

/* smtp_transaction_id - the id of the Received line, also told in the 250. */
void smtp_transaction_id(struct text *text, const struct smtp_session *session);

/* ---- smtp_log.c --------------------------------------------------------- */

/* smtp_log_received - the line of the log about a message that is complete,
 * before it is committed, so that both get onto the stick together. */
void smtp_log_received(const struct smtp_session *session, int64_t mail_id,
                       const struct st_envelope *envelope);

#endif
