/* Inside of the SMTP server: what its files do with a session for each other.
 * Included by smtp_session.h. */
#ifndef SMTP_SMTP_STEPS_H
#define SMTP_SMTP_STEPS_H

#include "protocol/dialogue.h"
#include "protocol/text.h"
#include "smtp/smtp_reply.h"
#include "store/st.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_session;

/* Up to SMTP_SECRET command lines are read, then something else is going on. */
enum smtp_state {
    SMTP_GREETED,  /* 220 was sent */
    SMTP_HELLO,    /* HELO or EHLO was given; no transaction */
    SMTP_MAIL,     /* MAIL was given */
    SMTP_RCPT,     /* at least one recipient was accepted */
    SMTP_CHUNKS,   /* a BDAT was given, another one follows */
    SMTP_SECRET,   /* 334 was sent, waiting for the client's part of AUTH */
    SMTP_GREETING, /* 220 is kept back, to see who talks first */
    SMTP_HELD,     /* a reply is kept back (smtp_limits.c) */
    SMTP_LOGIN,    /* waiting whether name and password are right */
    SMTP_ROOM,     /* DATA or BDAT was given, waiting for the store's room */
    SMTP_DATA,     /* 354 was sent */
    SMTP_CHUNK,    /* the bytes that BDAT has told of */
    SMTP_ENDING,   /* the message is here, its last bytes wait for the store */
    SMTP_COMMIT,   /* waiting for the store to make it durable */
    SMTP_CLOSING,  /* the last reply waits for room in the stream */
    SMTP_OVER,     /* the task is back in its pool */
    SMTP_STATES
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

/* smtp_reset - forgets the transaction, and what of its message is here. */
void smtp_reset(struct smtp_session *session);

/* smtp_count_message - a message was answered after its data. */
void smtp_count_message(const struct smtp_session *session, bool accepted);

uint64_t smtp_next_serial(void);

/* ---- smtp_command.c ----------------------------------------------------- */

/* smtp_take_command - one command line, or part of one, from data.
 * Returns how many bytes were used; 0 while a reply waits. */
size_t smtp_take_command(struct smtp_session *session, const uint8_t *data,
                         size_t len);

/* ---- smtp_transaction.c: the commands that make an envelope ---------------
 */

void smtp_run_mail(struct smtp_session *session,
                   const struct dialogue_line *argument);
void smtp_run_rcpt(struct smtp_session *session,
                   const struct dialogue_line *argument);

/* ---- smtp_auth.c ----------------------------------------------------------
 */

/* smtp_auth_offered - whether passwords may be sent over this connection. */
bool smtp_auth_offered(const struct smtp_session *session);

void smtp_run_auth(struct smtp_session *session,
                   const struct dialogue_line *argument);

/* smtp_take_secret - what the client answers to 334, as smtp_take_command(). */
size_t smtp_take_secret(struct smtp_session *session, const uint8_t *data,
                        size_t len);

/* smtp_auth_forget - the session ends: with its login, if one is going on. */
void smtp_auth_forget(struct smtp_session *session);

/* ---- smtp_data.c -------------------------------------------------------- */

void smtp_run_data(struct smtp_session *session,
                   const struct dialogue_line *argument);
void smtp_run_bdat(struct smtp_session *session,
                   const struct dialogue_line *argument);

/* smtp_begin_message - asks the store for room, again while there is none. */
void smtp_begin_message(struct smtp_session *session);

/* smtp_take_data - bytes of the message. Returns how many were used; 0 when
 * the store takes no more for the moment. */
size_t smtp_take_data(struct smtp_session *session, const uint8_t *data,
                      size_t len);

/* ---- smtp_trace.c ------------------------------------------------------- */

/* smtp_trace_format - Return-Path and Received lines (RFC 5321 4.4). */
void smtp_trace_format(struct text *text, const struct smtp_session *session,
                       const char *host);

/* smtp_transaction_id - the id of the Received line, also told in the 250. */
void smtp_transaction_id(struct text *text, const struct smtp_session *session);

/* ---- smtp_notice.c ------------------------------------------------------ */

/* smtp_notice_delivered - tells the sender of the transaction, whose message is
 * durable now, what envelope_add_success() has noted. */
void smtp_notice_delivered(const struct smtp_session *session);

/* ---- smtp_limits.c ------------------------------------------------------ */

/* smtp_limits_apply - whether the client is one that is limited. */
bool smtp_limits_apply(struct smtp_session *session);

/* smtp_limits_greet_later - enters SMTP_GREETING if the greeting is to wait.
 * smtp_limits_take_early - somebody talks there: it is refused. */
bool smtp_limits_greet_later(struct smtp_session *session);
size_t smtp_limits_take_early(struct smtp_session *session, const uint8_t *data,
                              size_t len);

/* smtp_limits_say_rcpt - the reply to RCPT: now, later, or another one.
 * postmaster: the recipient is the one whom everybody may write to (RFC 5321
 * 4.5.1), also to complain about being refused. */
void smtp_limits_say_rcpt(struct smtp_session *session, enum smtp_reply reply,
                          bool postmaster);

/* smtp_limits_release - SMTP_HELD has lasted long enough. */
void smtp_limits_release(struct smtp_session *session);

/* smtp_limits_forget - the session ends: with its judgement. */
void smtp_limits_forget(struct smtp_session *session);

/* ---- smtp_log.c --------------------------------------------------------- */

/* smtp_log_received - the line of the log about a message that is complete,
 * before it is committed, so that both get onto the stick together. */
void smtp_log_received(const struct smtp_session *session, int64_t mail_id,
                       const struct st_envelope *envelope);

/* smtp_log_refused - something was not taken: a recipient, or, with to_len 0, a
 * sender or a message. */
void smtp_log_refused(const struct smtp_session *session, const char *to,
                      size_t to_len, enum smtp_reply reply);

#endif
