/* Replies of many lines: listings, and messages from the store.
 *
 * A message goes through a buffer of two halves out of a small shared pool:
 * one half is sent while the other is read. Bytes go from the half to the
 * stream in as long pieces as there are between stuffed dots. When the stream
 * takes less than it is given, its writable() calls again. Sessions that find
 * no buffer wait in order. */
#include "core/check.h"
#include "core/memory.h"
#include "pop3/pop3_session.h"
#include <string.h>

/* A part of a listing is put together here before it is written; what the
 * stream does not take of it must fit into the session's line buffer. */
#define LISTING_BYTES 512
#define ENTRY_BYTES   48 /* longest line of a listing */

static struct {
    struct list free;
    struct list waiting; /* sessions */
} state;

enum err pop3_send_init(unsigned buffers)
{
    struct pop3_buffer *buffer =
        memory_take("POP3S buffers", buffers * sizeof(*buffer), 64);
    unsigned i;

    list_init(&state.free);
    list_init(&state.waiting);
    if (buffer == NULL)
        return ERR_MEMORY;
    for (i = 0; i < buffers; i++) {
        list_init(&buffer[i].link);
        list_append(&state.free, &buffer[i].link);
    }
    return OK;
}

/* ---- Listings ------------------------------------------------------------ */

void pop3_format_entry(struct text *text, const struct pop3_session *session,
                       uint32_t index, enum pop3_listing listing)
{
    const struct store_maildrop *drop = &session->maildrop.drop;
    const struct store_entry *entry = store_entry_at(drop, index);

    text_decimal(text, (uint64_t)index + 1);
    text_string(text, " ");
    if (listing == POP3_LIST_SIZES) {
        text_decimal(text, entry->bytes);
    } else {
        text_hex(text, drop->uid_validity, 8);
        text_hex(text, entry->uid, 8);
    }
    text_string(text, "\r\n");
}

static void finish(struct pop3_session *session)
{
    pop3_send_stop(session);
    session->listing = POP3_LIST_NONE;
    pop3_enter_state(session, POP3_TRANSACTION);
}

static void send_listing_on(struct pop3_session *session)
{
    const struct store_maildrop *drop = &session->maildrop.drop;

    while (!dialogue_blocked(&session->dialogue)) {
        char buffer[LISTING_BYTES];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        while (session->index < drop->count &&
               text.room - text.len >= ENTRY_BYTES) {
            if (!pop3_is_marked(store_entry_at(drop, session->index)))
                pop3_format_entry(&text, session, session->index,
                                  session->listing);
            session->index++;
        }
        if (session->index == drop->count &&
            text.room - text.len >= ENTRY_BYTES) {
            text_string(&text, ".\r\n");
            dialogue_write(&session->dialogue, text.bytes, text.len);
            finish(session);
            return;
        }
        dialogue_write(&session->dialogue, text.bytes, text.len);
    }
}

void pop3_send_listing(struct pop3_session *session, enum pop3_listing listing)
{
    session->listing = (uint8_t)listing;
    session->index = 0;
    pop3_enter_state(session, POP3_SENDING);
    pop3_say(session, POP3_OK);
    send_listing_on(session);
}

/* ---- Messages ------------------------------------------------------------ */

static const struct store_entry *entry_of(const struct pop3_session *session)
{
    return store_entry_at(&session->maildrop.drop, session->index);
}

static void on_read(struct st_request *request);

/* Fills the half that holds nothing, when there is more to read. */
static void read_ahead(struct pop3_session *session)
{
    struct pop3_buffer *buffer = session->buffer;
    uint64_t left = entry_of(session)->bytes - session->offset;
    uint8_t half = buffer->sending;

    if (buffer->ready[half] > 0)
        half ^= 1;
    if (buffer->busy || left == 0 || buffer->ready[half] > 0 ||
        session->text.finished)
        return;
    buffer->reading = half;
    buffer->busy = true;
    memset(&buffer->read, 0, sizeof(buffer->read));
    list_init(&buffer->read.request.link);
    buffer->read.request.done = on_read;
    buffer->read.request.context = buffer;
    buffer->read.message_id = entry_of(session)->message_id;
    buffer->read.offset = session->offset;
    buffer->read.buffer = buffer->bytes[half];
    buffer->read.bytes =
        left < POP3_PIECE_BYTES ? (size_t)left : POP3_PIECE_BYTES;
    st_read(&buffer->read);
}

static void take_buffer(struct pop3_session *session,
                        struct pop3_buffer *buffer)
{
    session->buffer = buffer;
    buffer->session = session;
    buffer->ready[0] = buffer->ready[1] = 0;
    buffer->position = 0;
    buffer->sending = 0;
    buffer->busy = false;
    read_ahead(session);
}

/* The buffer goes to the one who waits longest, or back to the free ones. */
static void pass_on(struct pop3_buffer *buffer)
{
    struct list *node = list_take_first(&state.waiting);

    buffer->session = NULL;
    if (node != NULL)
        take_buffer(LIST_ELEMENT(node, struct pop3_session, waiting), buffer);
    else
        list_append(&state.free, &buffer->link);
}

void pop3_send_stop(struct pop3_session *session)
{
    struct pop3_buffer *buffer = session->buffer;

    list_remove(&session->waiting);
    if (buffer == NULL)
        return;
    session->buffer = NULL;
    buffer->session = NULL;
    if (!buffer->busy || st_cancel(&buffer->read.request))
        pass_on(buffer);
}

/* The store could not give the message, or not all of it. Before the first byte
 * that can be told; later only a reset says that it is not complete. */
static void fail(struct pop3_session *session, enum err error)
{
    if (session->replied) {
        pop3_abort(session);
        return;
    }
    finish(session);
    /* One that is not there any more was deleted in a browser meanwhile. */
    pop3_say(session, error == ERR_NOT_FOUND ? POP3_NO_MESSAGE
                      : error == ERR_CORRUPT ? POP3_DAMAGED
                                             : POP3_TEMPORARY);
    pop3_continue(session);
}

static void on_read(struct st_request *request)
{
    struct pop3_buffer *buffer = request->context;
    struct pop3_session *session = buffer->session;
    enum err error = request->result;

    buffer->busy = false;
    if (session == NULL) {
        pass_on(buffer);
        return;
    }
    if (error == OK && buffer->read.got <= 0)
        error = ERR_CORRUPT;
    if (error == OK && (size_t)buffer->read.got > buffer->read.bytes)
        error = ERR_CORRUPT;
    if (error != OK) {
        fail(session, error);
        return;
    }
    buffer->ready[buffer->reading] = (uint32_t)buffer->read.got;
    session->offset += (uint64_t)buffer->read.got;
    read_ahead(session);
    pop3_continue(session);
}

/* Sends from the current half. Returns false when the stream is full. */
static bool send_piece(struct pop3_session *session)
{
    struct pop3_buffer *buffer = session->buffer;
    const uint8_t *half = buffer->bytes[buffer->sending];
    uint32_t end = buffer->ready[buffer->sending];
    struct stream *stream = session->dialogue.stream;

    while (buffer->position < end && !session->text.finished) {
        const uint8_t *data = half + buffer->position;
        struct pop3_text before;
        size_t run, took;

        if (pop3_text_dot_due(&session->text, data[0])) {
            if (stream_write(stream, ".", 1) == 0)
                return false;
            session->text.dot_sent = true;
        }
        before = session->text;
        run = pop3_text_scan(&session->text, data, end - buffer->position);
        took = stream_write(stream, data, run);
        if (took < run) {
            session->text = before;
            (void)pop3_text_scan(&session->text, data, took);
        }
        buffer->position += (uint32_t)took;
        session->sent += took;
        if (took < run)
            return false;
    }
    buffer->ready[buffer->sending] = 0;
    buffer->position = 0;
    buffer->sending ^= 1;
    return true;
}

static void say_size(struct pop3_session *session)
{
    char buffer[48];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "+OK ");
    text_decimal(&text, entry_of(session)->bytes);
    text_string(&text, " octets\r\n");
    session->replied = true;
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

/* All lines are out: the CRLF that the last one may lack, and the final dot. */
static void end_message(struct pop3_session *session)
{
    struct pop3_figures *figures = pop3_count();
    bool whole = session->text.lines == POP3_ALL_LINES;

    if (session->text.line_start)
        dialogue_write(&session->dialogue, ".\r\n", 3);
    else
        dialogue_write(&session->dialogue, "\r\n.\r\n", 5);
    figures->bytes += session->sent;
    if (whole) {
        figures->retrieved++;
        session->retrieved++;
        pop3_log_message(session, entry_of(session)->message_id, "retrieved");
    }
    finish(session);
}

static void send_message_on(struct pop3_session *session)
{
    struct pop3_buffer *buffer = session->buffer;
    uint64_t bytes = entry_of(session)->bytes;

    if (bytes > 0 && buffer == NULL)
        return;
    if (!session->replied) {
        if (bytes > 0 && buffer->ready[0] == 0)
            return;
        say_size(session);
    }
    while (!dialogue_blocked(&session->dialogue)) {
        if (session->text.finished || session->sent == bytes) {
            end_message(session);
            return;
        }
        if (buffer->ready[buffer->sending] == 0)
            return;
        pop3_enter_state(session, POP3_SENDING);
        if (!send_piece(session))
            return;
        read_ahead(session);
    }
}

void pop3_send_message(struct pop3_session *session, uint32_t index,
                       uint64_t lines)
{
    struct list *node = NULL;

    session->index = index;
    session->offset = 0;
    session->sent = 0;
    session->replied = false;
    session->listing = POP3_LIST_NONE;
    pop3_text_init(&session->text, lines);
    pop3_enter_state(session, POP3_SENDING);
    if (entry_of(session)->bytes > 0) {
        node = list_take_first(&state.free);
        if (node == NULL)
            list_append(&state.waiting, &session->waiting);
        else
            take_buffer(session, LIST_ELEMENT(node, struct pop3_buffer, link));
    }
    send_message_on(session);
}

void pop3_send_more(struct pop3_session *session)
{
    if (session->listing != POP3_LIST_NONE)
        send_listing_on(session);
    else
        send_message_on(session);
}
