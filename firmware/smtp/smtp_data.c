/* A message: from DATA or BDAT to the answer that it is durable.
 *
 * Bytes go straight from the received span into the store's buffers. When the
 * store takes fewer than it is given, the rest stays in the stream, whose
 * window closes; the store's resume() opens it again. A message that is going
 * to be refused is read to its end without being kept, and so is a chunk (RFC
 * 3030 section 2): what follows it must not be taken for commands.
 *
 * The header of what a user submits goes line by line through the session's
 * own buffer, and gets the fields that every message must have (RFC 6409
 * section 8). */
#include "core/check.h"
#include "core/log.h"
#include "core/machine.h"
#include "smtp/smtp_session.h"
#include <assert.h>
#include <string.h>

static_assert(STORE_MESSAGE_MAX >= SMTP_MESSAGE_BYTES_MAX + SMTP_LINE_BYTES,
              "the store takes what SIZE promises, with its trace lines");

static_assert(SMTP_LINE_BYTES >= SMTP_TEXT_BYTES, "text_of() is long enough");

static void end_of_message(struct smtp_session *session);
static void end_of_chunk(struct smtp_session *session);

static void on_room(void *context)
{
    struct smtp_session *session = context;

    if (session->state == SMTP_ENDING)
        end_of_message(session);
    smtp_resume(session);
}

/* Gives the message up; its remaining bytes are only counted. */
static void refuse(struct smtp_session *session, enum smtp_reply reply)
{
    session->refusal = (uint8_t)reply;
    if (session->inbound != NULL)
        st_inbound_discard(session->inbound);
    session->inbound = NULL;
    session->text_ready = false;
    session->text_bytes = 0;
}

/* ---- Beginning -------------------------------------------------------------
 */

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

static void start_message(struct smtp_session *session)
{
    smtp_text_init(&session->text, session->chunked);
    session->traced = false;
    session->text_ready = false;
    session->text_bytes = 0;
    session->text_sent = 0;
    session->received_ms = machine_wall_clock_ms();
    session->serial = smtp_next_serial();
    if (session->author != NULL)
        smtp_header_init(&session->author->header);
}

static void start_chunk(struct smtp_session *session)
{
    smtp_enter_state(session, SMTP_CHUNK);
    if (session->chunk_left == 0)
        end_of_chunk(session);
}

void smtp_begin_message(struct smtp_session *session)
{
    enum err why = OK;

    session->inbound =
        st_inbound_begin(session->declared_bytes, on_room, session, &why);
    if (session->inbound == NULL && why == ERR_MEMORY &&
        session->retries < SMTP_ROOM_RETRIES) {
        session->retries++;
        smtp_enter_state(session, SMTP_ROOM);
        return;
    }
    if (session->inbound != NULL || session->chunked)
        start_message(session);
    if (session->chunked) {
        session->refusal =
            session->inbound != NULL ? SMTP_OK : (uint8_t)reply_of_error(why);
        start_chunk(session);
    } else if (session->inbound != NULL) {
        session->refusal = SMTP_OK;
        smtp_enter_state(session, SMTP_DATA);
        smtp_say(session, SMTP_START_MAIL);
    } else {
        /* The transaction stays: the client may try again, or RSET. */
        smtp_enter_state(session, SMTP_RCPT);
        smtp_say(session, reply_of_error(why));
    }
}

void smtp_run_data(struct smtp_session *session,
                   const struct dialogue_line *argument)
{
    (void)argument;
    if (session->state == SMTP_MAIL) {
        smtp_say(session, SMTP_NO_RECIPIENTS);
        return;
    }
    if (session->body == SMTP_BODY_BINARYMIME) {
        smtp_say(session, SMTP_CHUNKS_ONLY);
        return;
    }
    session->retries = 0;
    session->chunked = false;
    smtp_begin_message(session);
}

/* ---- BDAT ------------------------------------------------------------------
 */

static bool parse_chunk(const struct dialogue_line *argument, uint64_t *bytes,
                        bool *last)
{
    struct dialogue_line rest;
    struct dialogue_line word = dialogue_word(argument, &rest);

    *last = text_equal(rest.text, rest.len, "LAST");
    return text_number(word.text, word.len, bytes) && (rest.len == 0 || *last);
}

/* Why the chunk cannot be part of a message; SMTP_OK: it can. */
static enum smtp_reply check_chunk(const struct smtp_session *session)
{
    if (session->state == SMTP_GREETED)
        return SMTP_HELLO_FIRST;
    if (session->state == SMTP_HELLO)
        return SMTP_SEQUENCE;
    return session->state == SMTP_MAIL ? SMTP_NO_RECIPIENTS : SMTP_OK;
}

void smtp_run_bdat(struct smtp_session *session,
                   const struct dialogue_line *argument)
{
    enum smtp_reply reply = check_chunk(session);

    if (!parse_chunk(argument, &session->chunk_left, &session->chunk_last)) {
        smtp_say(session, SMTP_ARGUMENT);
        return;
    }
    /* Nobody waits for so much to go by. */
    if (session->chunk_left > 2ull * SMTP_MESSAGE_BYTES_MAX) {
        smtp_finish(session, SMTP_TOO_BIG);
        return;
    }
    session->chunk_bytes = session->chunk_left;
    if (reply != SMTP_OK) {
        session->chunk_back = session->state;
        session->refusal = (uint8_t)reply;
        smtp_text_init(&session->text, true);
        start_chunk(session);
        return;
    }
    session->chunk_back = SMTP_CHUNKS;
    if (session->state == SMTP_CHUNKS) {
        start_chunk(session);
        return;
    }
    session->retries = 0;
    session->chunked = true;
    smtp_begin_message(session);
}

static void say_chunk(struct smtp_session *session)
{
    char buffer[64];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "250 2.0.0 ");
    text_decimal(&text, session->chunk_bytes);
    text_string(&text, " bytes taken\r\n");
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

static void end_of_chunk(struct smtp_session *session)
{
    enum smtp_reply refusal = session->refusal;

    if (session->chunk_back == SMTP_CHUNKS && session->chunk_last) {
        end_of_message(session);
        return;
    }
    smtp_enter_state(session, session->chunk_back);
    if (session->chunk_back != SMTP_CHUNKS)
        session->refusal = SMTP_OK;
    if (refusal != SMTP_OK)
        smtp_say(session, refusal);
    else
        say_chunk(session);
}

/* ---- Text of our own -------------------------------------------------------
 */

/* Where it lies: the line buffer is for others while commands are read, as they
 * are between the chunks of a header. Without a header to look at nothing is
 * kept so long. */
static char *text_of(struct smtp_session *session)
{
    return session->author != NULL ? session->author->text : session->line;
}

/* What lies ready goes to the store; before all else, the
 * trace lines. Returns false while the store has not taken it all. */
static bool write_out(struct smtp_session *session)
{
    size_t rest;

    if (!session->traced) {
        struct text text;

        text_init(&text, text_of(session), SMTP_TEXT_BYTES);
        smtp_trace_format(&text, session, smtp_host());
        ASSERT(!text.cut);
        session->text_bytes = (uint16_t)text.len;
        session->text_sent = 0;
        session->text_ready = true;
        session->traced = true;
    }
    if (!session->text_ready)
        return true;
    rest = (size_t)session->text_bytes - session->text_sent;
    session->text_sent =
        (uint16_t)(session->text_sent +
                   st_inbound_write(session->inbound,
                                    text_of(session) + session->text_sent,
                                    rest));
    if (session->text_sent < session->text_bytes)
        return false;
    session->text_ready = false;
    session->text_bytes = 0;
    session->text_sent = 0;
    return true;
}

/* The fields that are missing in the header, which ends here. */
static void add_fields(struct smtp_session *session, struct text *text)
{
    const struct smtp_header *header = &session->author->header;

    if (!header->date) {
        text_string(text, "Date: ");
        text_date(text, session->received_ms);
        text_string(text, "\r\n");
    }
    if (!header->message_id) {
        text_string(text, "Message-ID: <");
        smtp_transaction_id(text, session);
        text_string(text, "@");
        text_string(text, smtp_host());
        text_string(text, ">\r\n");
    }
}

/* Puts the missing fields before the line in the buffer. */
static void end_header(struct smtp_session *session, bool with_empty_line)
{
    char buffer[SMTP_ADDED_BYTES];
    struct text text;

    if (smtp_settings()->check_from &&
        !smtp_header_from_allowed(&session->author->header, session->user)) {
        refuse(session, SMTP_NOT_YOURS);
        return;
    }
    session->author->header.over = true;
    text_init(&text, buffer, sizeof(buffer));
    add_fields(session, &text);
    if (with_empty_line)
        text_string(&text, "\r\n");
    ASSERT(!text.cut);
    memmove(text_of(session) + text.len, text_of(session), session->text_bytes);
    memcpy(text_of(session), buffer, text.len);
    session->text_bytes = (uint16_t)(session->text_bytes + text.len);
    session->text_ready = true;
}

static void end_header_line(struct smtp_session *session, bool complete)
{
    enum smtp_header_line kind =
        smtp_header_look(&session->author->header, text_of(session),
                         session->text_bytes, complete);

    session->text_ready = true;
    if (kind != SMTP_HEADER_FIELD)
        end_header(session, kind == SMTP_HEADER_BODY);
}

/* ---- The client's bytes ----------------------------------------------------
 */

/* Whether the message is for one mailbox only: one of several that has too
 * little room for it takes it nevertheless, and no more. */
static bool is_alone(const struct smtp_session *session)
{
    return session->envelope.user_count == 1 &&
           session->envelope.remote_count == 0;
}

static void check_limits(struct smtp_session *session)
{
    const struct smtp_settings *settings = smtp_settings();
    const struct smtp_text *text = &session->text;

    if (session->refusal != SMTP_OK)
        return;
    if (text->bare && session->body != SMTP_BODY_BINARYMIME)
        refuse(session, SMTP_BARE);
    else if (text->bytes > session->bytes_max)
        refuse(session, SMTP_TOO_BIG);
    else if (text->bytes > session->quota_max && is_alone(session))
        refuse(session, SMTP_QUOTA_SMALL);
    else if (text->header > settings->header_max)
        refuse(session, SMTP_HEADER_TOO_BIG);
    else if (settings->line_max > 0 && text->longest > settings->line_max)
        refuse(session, SMTP_TEXT_LINE_TOO_LONG);
    else if (text->received > SMTP_RECEIVED_MAX)
        refuse(session, SMTP_LOOP);
}

static bool has_eighth_bit(const uint8_t *data, size_t len)
{
    size_t i = 0;
    uint64_t word;

    for (; i + sizeof(word) <= len; i += sizeof(word)) {
        memcpy(&word, data + i, sizeof(word));
        if ((word & 0x8080808080808080u) != 0)
            return true;
    }
    for (; i < len; i++)
        if (data[i] >= 0x80)
            return true;
    return false;
}

/* Other servers are told of 8-bit text also when the client has not. */
static void look_for_eight_bit(struct smtp_session *session,
                               const uint8_t *data, size_t len)
{
    if (!session->eight_bit && session->envelope.remote_count > 0)
        session->eight_bit = has_eighth_bit(data, len);
}

static size_t take_text(struct smtp_session *session, const uint8_t *data,
                        size_t len)
{
    struct smtp_text before = session->text;
    size_t from, to, took;
    size_t used = smtp_text_scan(&session->text, data, len, &from, &to);

    check_limits(session);
    if (session->inbound == NULL || to == from)
        return used;
    look_for_eight_bit(session, data + from, to - from);
    took = st_inbound_write(session->inbound, data + from, to - from);
    if (took == to - from)
        return used;
    /* Back to the last byte that was taken. */
    session->text = before;
    return from + took > 0
               ? smtp_text_scan(&session->text, data, from + took, &from, &to)
               : 0;
}

/* At most one line of a header. */
static size_t take_header(struct smtp_session *session, const uint8_t *data,
                          size_t len)
{
    const uint8_t *newline = memchr(data, '\n', len);
    size_t room = SMTP_HEADER_PART_BYTES - (size_t)session->text_bytes;
    size_t used, from, to;

    if (newline != NULL)
        len = (size_t)(newline - data) + 1;
    if (len > room)
        len = room;
    used = smtp_text_scan(&session->text, data, len, &from, &to);
    check_limits(session);
    if (session->inbound == NULL)
        return used;
    look_for_eight_bit(session, data + from, to - from);
    memcpy(text_of(session) + session->text_bytes, data + from, to - from);
    session->text_bytes = (uint16_t)(session->text_bytes + (to - from));
    if (to > from && session->text.state == SMTP_TEXT_START)
        end_header_line(session, true);
    else if (session->text_bytes == SMTP_HEADER_PART_BYTES)
        end_header_line(session, false);
    return used;
}

static bool in_header(const struct smtp_session *session)
{
    return session->author != NULL && session->inbound != NULL &&
           !session->author->header.over;
}

size_t smtp_take_data(struct smtp_session *session, const uint8_t *data,
                      size_t len)
{
    bool chunk = session->state == SMTP_CHUNK;
    size_t used;

    if (dialogue_blocked(&session->dialogue))
        return 0;
    if (session->inbound != NULL && !write_out(session))
        return 0;
    if (chunk && len > session->chunk_left)
        len = (size_t)session->chunk_left;
    used = in_header(session) ? take_header(session, data, len)
                              : take_text(session, data, len);
    if (used == 0)
        return 0;
    smtp_enter_state(session, session->state);
    if (chunk) {
        session->chunk_left -= used;
        if (session->chunk_left == 0)
            end_of_chunk(session);
    } else if (session->text.state == SMTP_TEXT_END) {
        end_of_message(session);
    }
    smtp_check_errors(session);
    return used;
}

/* ---- The end ---------------------------------------------------------------
 */

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

/* The transaction is over, well or not: forgets it and goes on. */
static void conclude(struct smtp_session *session, enum err result,
                     int64_t message_id, enum smtp_reply refusal)
{
    smtp_count_message(session, result == OK);
    if (result == ERR_REFUSED)
        smtp_log_refused(session, "", 0, refusal);
    if (result == OK && smtp_limits_apply(session))
        limits_friend(&session->limits, session->sender);
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
    if (result == OK && session->envelope.success_count > 0)
        smtp_notice_delivered(session);
    conclude(session, result, message_id, reply_of_error(result));
    smtp_resume(session);
}

static void commit(struct smtp_session *session)
{
    struct st_inbound *inbound = session->inbound;
    const struct envelope_lists *lists = envelope_list(&session->envelope);
    const struct st_envelope envelope = {
        .sender = session->sender,
        .users = lists->users,
        .user_count = session->envelope.user_count,
        .remotes = lists->remotes,
        .remote_count = session->envelope.remote_count,
        .envid = lists->envid,
        .returning = (enum store_return)session->returning,
        /* What the message is; an address that is so by an alias needs it
         * for itself, not for the others. */
        .smtputf8 = session->smtputf8,
        .eight_bit = session->eight_bit,
        .submitter = session->user,
    };

    session->inbound = NULL;
    smtp_log_received(session, st_inbound_id(inbound), &envelope);
    smtp_enter_state(session, SMTP_COMMIT);
    st_inbound_commit(inbound, &envelope, on_committed, session);
}

/* A message that came by BDAT may end anywhere, a stored one ends its last
 * line. Returns true when it did not. */
static bool end_last_line(struct smtp_session *session)
{
    struct smtp_text *text = &session->text;

    if (text->state == SMTP_TEXT_START || text->state == SMTP_TEXT_END ||
        (session->body == SMTP_BODY_BINARYMIME && !in_header(session)))
        return false;
    if (text->state == SMTP_TEXT_CR) {
        refuse(session, SMTP_BARE);
        return false;
    }
    memcpy(text_of(session) + session->text_bytes, "\r\n", 2);
    session->text_bytes = (uint16_t)(session->text_bytes + 2);
    session->text_ready = true;
    text->state = SMTP_TEXT_START;
    return true;
}

/* Makes ready what is still missing at the end, one thing at a time. Returns
 * false when nothing is. */
static bool add_end(struct smtp_session *session)
{
    bool ended = end_last_line(session);

    if (session->refusal != SMTP_OK || (!ended && !in_header(session)))
        return false;
    if (in_header(session) && session->text_bytes > 0)
        end_header_line(session, true);
    else if (in_header(session))
        end_header(session, false);
    return session->refusal == SMTP_OK;
}

/* Called again when the store has room for what is still to be written. */
static void end_of_message(struct smtp_session *session)
{
    do {
        if (session->inbound != NULL && !write_out(session)) {
            smtp_enter_state(session, SMTP_ENDING);
            return;
        }
    } while (session->refusal == SMTP_OK && add_end(session));
    if (session->refusal != SMTP_OK)
        conclude(session, ERR_REFUSED, 0, session->refusal);
    else
        commit(session);
}
