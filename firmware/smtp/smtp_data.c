/* DATA: from the command to the answer after the final dot.
 *
 * Bytes go straight from the received span into the store's buffers. When the
 * store takes fewer than it is given, the rest stays in the stream, whose
 * window closes; the store's resume() opens it again. A message that is going
 * to be refused is read to its end without being kept. */
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include "smtp/smtp_session.h"
#include <assert.h>

static_assert(STORE_MESSAGE_MAX >= SMTP_MESSAGE_BYTES_MAX + SMTP_LINE_BYTES,
              "the store takes what SIZE promises, with its trace lines");

static void on_room(void *context)
{
    smtp_resume(context);
}

void smtp_begin_data(struct smtp_session *session)
{
    enum err why = OK;

    session->inbound =
        st_inbound_begin(session->declared_bytes, on_room, session, &why);
    if (session->inbound != NULL) {
        smtp_text_init(&session->text);
        session->refusal = SMTP_OK;
        session->trace_bytes = 0;
        session->trace_sent = 0;
        session->received_ms = machine_wall_clock_ms();
        session->serial = smtp_next_serial();
        smtp_enter_state(session, SMTP_DATA);
        smtp_say(session, SMTP_START_MAIL);
        return;
    }
    if (why == ERR_MEMORY && session->retries < SMTP_ROOM_RETRIES) {
        session->retries++;
        smtp_enter_state(session, SMTP_ROOM);
        return;
    }
    /* The transaction stays: the client may try DATA again, or RSET. */
    smtp_enter_state(session, SMTP_RCPT);
    if (why == ERR_FULL)
        smtp_say(session, SMTP_STORE_FULL);
    else if (why == ERR_MEMORY)
        smtp_say(session, SMTP_STORE_BUSY);
    else
        smtp_say(session, SMTP_STORE_GONE);
}

/* Gives the message up; its remaining bytes are only counted. */
static void refuse(struct smtp_session *session, enum smtp_reply reply)
{
    session->refusal = (uint8_t)reply;
    if (session->inbound != NULL)
        st_inbound_discard(session->inbound);
    session->inbound = NULL;
}

static void check_limits(struct smtp_session *session)
{
    if (session->refusal != SMTP_OK)
        return;
    if (session->text.bare)
        refuse(session, SMTP_BARE);
    else if (session->text.bytes > SMTP_MESSAGE_BYTES_MAX)
        refuse(session, SMTP_TOO_BIG);
    else if (session->text.received > SMTP_RECEIVED_MAX)
        refuse(session, SMTP_LOOP);
}

/* The trace lines go before the first byte. They lie in the line buffer, which
 * nobody else needs between 354 and the final dot.
 * Returns false while the store has not taken them all. */
static bool write_trace(struct smtp_session *session)
{
    size_t rest;

    if (session->trace_bytes == 0) {
        struct text text;

        text_init(&text, session->line, sizeof(session->line));
        smtp_trace_format(&text, session, smtp_host());
        ASSERT(!text.cut);
        session->trace_bytes = (uint16_t)text.len;
    }
    rest = (size_t)session->trace_bytes - session->trace_sent;
    if (rest > 0) {
        size_t took = st_inbound_write(
            session->inbound, session->line + session->trace_sent, rest);

        session->trace_sent = (uint16_t)(session->trace_sent + took);
    }
    return session->trace_sent == session->trace_bytes;
}

static void say_stored(struct smtp_session *session, int64_t message_id)
{
    char buffer[96];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "250 2.0.0 Ok: message ");
    text_decimal(&text, (uint64_t)message_id);
    text_string(&text, " stored, id ");
    smtp_transaction_id(&text, session);
    text_string(&text, "\r\n");
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

static enum smtp_reply reply_of_error(enum err error)
{
    if (error == ERR_FULL)
        return SMTP_STORE_FULL;
    if (error == ERR_TOO_BIG)
        return SMTP_TOO_BIG;
    if (error == ERR_MEMORY || error == ERR_BUSY)
        return SMTP_STORE_BUSY;
    return SMTP_STORE_GONE;
}

/* The transaction is over, well or not: forgets it and goes on. */
static void conclude(struct smtp_session *session, enum err result,
                     int64_t message_id, enum smtp_reply refusal)
{
    smtp_count_message(session, result == OK);
    smtp_reset(session);
    session->idle_commands = 0;
    if (result == OK)
        say_stored(session, message_id);
    else
        smtp_say(session, refusal);
}

static void on_committed(void *context, enum err result, int64_t message_id)
{
    struct smtp_session *session = context;

    ASSERT(session->state == SMTP_COMMIT);
    if (result != OK) {
        log_warn("smtp", "message not stored session=%u error=\"%s\"",
                 (unsigned)session->task.index, err_text(result));
        log_mail(message_id, "smtp", "not stored error=\"%s\"",
                 err_text(result));
    }
    conclude(session, result, message_id, reply_of_error(result));
    smtp_resume(session);
}

static void end_of_data(struct smtp_session *session)
{
    struct st_inbound *inbound = session->inbound;
    const struct st_envelope envelope = {
        .sender = session->sender,
        .users = smtp_recipients(session),
        .user_count = session->user_count,
        .envid = "",
    };

    if (session->refusal != SMTP_OK) {
        conclude(session, ERR_REFUSED, 0, session->refusal);
        return;
    }
    session->inbound = NULL;
    smtp_log_received(session, st_inbound_id(inbound), &envelope);
    smtp_enter_state(session, SMTP_COMMIT);
    st_inbound_commit(inbound, &envelope, on_committed, session);
}

size_t smtp_take_data(struct smtp_session *session, const uint8_t *data,
                      size_t len)
{
    struct smtp_text before = session->text;
    size_t used, from, to;

    if (dialogue_blocked(&session->dialogue))
        return 0;
    if (session->inbound != NULL && !write_trace(session))
        return 0;
    used = smtp_text_scan(&session->text, data, len, &from, &to);
    check_limits(session);
    if (session->inbound != NULL && to > from) {
        size_t took =
            st_inbound_write(session->inbound, data + from, to - from);

        if (took < to - from) {
            /* Back to the last byte that was taken. */
            session->text = before;
            used = from + took > 0 ? smtp_text_scan(&session->text, data,
                                                    from + took, &from, &to)
                                   : 0;
        }
    }
    if (used > 0)
        smtp_enter_state(session, SMTP_DATA);
    if (session->text.state == SMTP_TEXT_END)
        end_of_data(session);
    return used;
}
