/* The message on its way out, read from the store block by block.
 *
 * By DATA (RFC 5321 4.5.2): a dot at the start of a line is doubled, and a bare
 * CR or LF becomes CRLF, so that no server can see the end of the message where
 * it is not. By BDAT (RFC 3030) where CHUNKING is offered: byte for byte, in
 * one chunk, with no 354 to wait for.
 *
 * The line "Return-Path:" that was put before the message here is not sent
 * (RFC 5321 4.4). */
#include "core/check.h"
#include "protocol/text.h"
#include "relay/relay_session.h"
#include <string.h>
#include <strings.h>

static const char trimmed_name[] = "Return-Path:";
#define TRIMMED_NAME_LENGTH (sizeof(trimmed_name) - 1)

static void read_done(struct st_request *request);

static void read_block(struct relay_session *session)
{
    ASSERT(!session->reading);
    session->reading = true;
    session->read.request.done = read_done;
    session->read.request.context = session;
    session->read.message_id = session->job->message_id;
    session->read.offset = session->offset;
    session->read.buffer = session->block;
    session->read.bytes = sizeof(session->block);
    st_read(&session->read);
}

void relay_body_prepare(struct relay_session *session)
{
    session->offset = 0;
    session->block_len = session->block_at = 0;
    session->whole = false;
    session->trimmed = 0;
    session->begun = false;
    session->line_start = true;
    session->after_cr = false;
    session->dotted = false;
    /* What is being read for a connection before is of no use. */
    session->read_again =
        session->reading && !st_cancel(&session->read.request);
    if (session->read_again)
        return;
    session->reading = false;
    read_block(session);
}

/* Bytes of the field that is not sent, at the start of the first block. */
static size_t field_to_trim(const uint8_t *block, size_t len)
{
    const uint8_t *at = block;

    if (len < TRIMMED_NAME_LENGTH ||
        strncasecmp((const char *)block, trimmed_name, TRIMMED_NAME_LENGTH) !=
            0)
        return 0;
    do {
        at = memchr(at, '\n', len - (size_t)(at - block));
        if (at == NULL || ++at == block + len)
            return 0;
    } while (*at == ' ' || *at == '\t');
    return (size_t)(at - block);
}

static void take_block(struct relay_session *session)
{
    size_t got = (size_t)session->read.got;

    if (session->offset == 0) {
        session->trimmed = field_to_trim(session->block, got);
        session->block_at = session->trimmed;
    } else {
        session->block_at = 0;
    }
    session->block_len = got;
    session->offset += got;
    session->whole = session->offset >= session->job->bytes || got == 0;
}

static void read_done(struct st_request *request)
{
    struct relay_session *session = request->context;

    session->reading = false;
    if (session->state == RELAY_OVER) {
        task_push(&session->task);
        return;
    }
    /* The job may have been another's, or have none. */
    if (session->read_again) {
        session->read_again = false;
        if (session->job != NULL && session->stream != NULL)
            read_block(session);
        return;
    }
    if (session->job == NULL || session->stream == NULL)
        return;
    if (request->result != OK) {
        /* The stick is away, which counts as nothing; or it has damaged the
         * message, or the administrator has deleted that. */
        if (request->result != ERR_GONE)
            relay_decide(session->job, RELAY_DEFERRED,
                         "451 4.3.0 the message cannot be read here");
        relay_drop(session);
        return;
    }
    take_block(session);
    if (session->state == RELAY_BODY)
        relay_body_send(session);
}

/* ---- Text with its dots -------------------------------------------------- */

/* How many bytes can go as they are: lines that end in CRLF, up to one that
 * begins with a dot, or to a bare CR (with it) or a bare LF (without). */
static size_t clean_run(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        const uint8_t *lf = memchr(bytes + at, '\n', len - at);
        size_t end = lf != NULL ? (size_t)(lf - bytes) : len;
        const uint8_t *cr = memchr(bytes + at, '\r', end - at);

        if (cr != NULL && (size_t)(cr - bytes) + 1 != end)
            return (size_t)(cr - bytes) + 1;
        if (lf == NULL)
            return len;
        if (cr == NULL)
            return end;
        at = end + 1;
        if (at < len && bytes[at] == '.')
            return at;
    }
    return len;
}

/* Remembers where in a line the last byte that was sent leaves us. */
static void sent_byte(struct relay_session *session, uint8_t last)
{
    session->after_cr = last == '\r';
    session->line_start = last == '\n';
    session->dotted = false;
}

/* Returns false when the stream takes no more. */
static bool put_byte(struct relay_session *session, char byte)
{
    if (stream_write(session->stream, &byte, 1) != 1)
        return false;
    sent_byte(session, (uint8_t)byte);
    return true;
}

static bool put_run(struct relay_session *session, size_t run)
{
    const uint8_t *from = session->block + session->block_at;
    size_t took = stream_write(session->stream, from, run);

    session->block_at += took;
    if (took > 0)
        sent_byte(session, from[took - 1]);
    return took == run;
}

/* Sends what is in the block. Returns false when the stream takes no more. */
static bool put_text(struct relay_session *session)
{
    while (session->block_at < session->block_len) {
        const uint8_t *from = session->block + session->block_at;
        size_t run = clean_run(from, session->block_len - session->block_at);
        bool done;

        if (session->after_cr) {
            /* Its LF, which may have to be added. */
            done =
                *from == '\n' ? put_run(session, 1) : put_byte(session, '\n');
        } else if (session->line_start && *from == '.' && !session->dotted) {
            done = put_byte(session, '.');
            if (done)
                session->line_start = session->dotted = true;
        } else {
            done = run > 0 ? put_run(session, run) : put_byte(session, '\r');
        }
        if (!done)
            return false;
    }
    return true;
}

/* The final dot, behind a line that is complete. */
static void put_end(struct relay_session *session)
{
    static const char end[] = "\r\n.\r\n";
    size_t skip = session->line_start ? 2 : session->after_cr ? 1 : 0;
    size_t len = sizeof(end) - 1 - skip;

    memcpy(session->out, end + skip, len);
    relay_say(session, len);
}

/* ---- Sending ------------------------------------------------------------- */

/* BDAT, whose chunk is the whole message. */
static void put_chunk_size(struct relay_session *session)
{
    struct text text;

    text_init(&text, session->out, sizeof(session->out));
    text_string(&text, "BDAT ");
    text_decimal(&text, session->job->bytes - session->trimmed);
    text_string(&text, " LAST\r\n");
    relay_say(session, text.len);
}

static bool put_block(struct relay_session *session)
{
    if (!session->chunking)
        return put_text(session);
    return put_run(session, session->block_len - session->block_at);
}

static void end_message(struct relay_session *session)
{
    /* The size was told: less than that cannot be taken back. */
    if (session->offset != session->job->bytes) {
        relay_lost(session, false, "451 4.3.0 the message is damaged here");
        return;
    }
    relay_enter_state(session, RELAY_ANSWER);
    if (!session->chunking)
        put_end(session);
}

void relay_body_send(struct relay_session *session)
{
    if (session->out_sent != session->out_len)
        return;
    if (session->data_refused) {
        /* For nobody: an empty message is the way out (RFC 2920 3.1). */
        session->line_start = true;
        relay_enter_state(session, RELAY_ANSWER);
        put_end(session);
        return;
    }
    if (!session->begun && session->offset == 0 && !session->whole)
        return;
    if (!session->begun) {
        session->begun = true;
        if (session->chunking)
            put_chunk_size(session);
        if (session->out_sent != session->out_len)
            return;
    }
    if (session->reading || !put_block(session))
        return;
    /* Each block has its time (RFC 5321 4.5.3.2.5). */
    relay_enter_state(session, RELAY_BODY);
    if (session->whole)
        end_message(session);
    else
        read_block(session);
}

void relay_body_begin(struct relay_session *session)
{
    relay_enter_state(session, RELAY_BODY);
    relay_body_send(session);
}
