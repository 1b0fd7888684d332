/* The maildrop of a session: login, exclusive lock, marks, removal.
 *
 * Requests to the store lie in the session, so a session whose client has gone
 * stays (POP3_DYING) until the store has answered, and then lets the lock go.
 * Nothing is removed but by QUIT (RFC 1939 section 6), and then "+OK" is said
 * only when the removal is durable. */
#include "core/check.h"
#include "core/log.h"
#include "pop3/pop3_session.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Clearing the first part of the union clears the second one as well. */
static_assert(offsetof(struct pop3_session, deleted_bytes) + sizeof(uint64_t) <=
                  offsetof(struct pop3_session, login) +
                      sizeof(struct account_login),
              "the login is the longer part");

static void start_request(struct st_request *request,
                          struct pop3_session *session,
                          void (*done)(struct st_request *request))
{
    memset(request, 0, sizeof(*request));
    list_init(&request->link);
    request->done = done;
    request->context = session;
}

/* ---- Marks --------------------------------------------------------------- */

bool pop3_is_marked(const struct store_entry *entry)
{
    return entry->message_id < 0;
}

void pop3_mark(struct pop3_session *session, struct store_entry *entry)
{
    entry->message_id = -entry->message_id;
    session->deleted++;
    session->deleted_bytes += entry->bytes;
}

void pop3_unmark_all(struct pop3_session *session)
{
    const struct store_maildrop *drop = &session->maildrop.drop;
    uint32_t i;

    for (i = 0; session->deleted > 0 && i < drop->count; i++) {
        struct store_entry *entry = store_entry_at(drop, i);

        if (pop3_is_marked(entry))
            entry->message_id = -entry->message_id;
    }
    session->deleted = 0;
    session->deleted_bytes = 0;
}

/* ---- Login and lock ------------------------------------------------------ */

static void on_locked(struct st_request *request)
{
    struct pop3_session *session = request->context;
    enum err result = request->result;

    if (session->state == POP3_DYING) {
        pop3_release(session);
        return;
    }
    if (result == OK) {
        char buffer[64];
        struct text text;

        text_init(&text, buffer, sizeof(buffer));
        text_string(&text, "+OK maildrop has ");
        text_decimal(&text, session->maildrop.drop.count);
        text_string(&text, " messages\r\n");
        pop3_count()->logins++;
        pop3_enter_state(session, POP3_TRANSACTION);
        dialogue_write(&session->dialogue, text.bytes, text.len);
    } else {
        if (session->maildrop.locked)
            st_maildrop_close(&session->maildrop);
        session->has_drop = false;
        pop3_enter_state(session, POP3_GREETED);
        pop3_say(session, result == ERR_BUSY ? POP3_IN_USE : POP3_TEMPORARY);
    }
    pop3_continue(session);
}

/* The login did not succeed; too many wrong ones end the session. */
static void say_failed(struct pop3_session *session, enum err result)
{
    enum pop3_reply reply = POP3_TEMPORARY;

    pop3_enter_state(session, POP3_GREETED);
    if (result == ERR_REFUSED) {
        pop3_count()->refused_logins++;
        session->wrong_passwords++;
        reply = POP3_AUTH;
    }
    if (session->wrong_passwords >= POP3_LOGINS_MAX) {
        pop3_finish(session, POP3_AUTH_LAST);
        return;
    }
    pop3_say(session, reply);
    pop3_continue(session);
}

static void on_login(struct account_login *login)
{
    struct pop3_session *session = login->context;
    enum err result = login->result;
    int64_t user_id = login->user_id;

    /* The other part of the union starts empty. */
    memset(login, 0, sizeof(*login));
    if (result != OK) {
        say_failed(session, result);
        return;
    }
    list_init(&session->waiting);
    start_request(&session->maildrop.request, session, on_locked);
    session->maildrop.user_id = user_id;
    session->has_drop = true;
    pop3_enter_state(session, POP3_LOCK);
    st_maildrop_open(&session->maildrop);
}

void pop3_begin_login(struct pop3_session *session)
{
    struct account_login *login = &session->login;
    struct net_endpoint peer;

    stream_peer(session->dialogue.stream, &peer);
    login->peer = peer.address;
    login->service = "pop3";
    login->done = on_login;
    login->context = session;
    pop3_enter_state(session, POP3_LOGIN);
    account_login(login);
}

/* ---- Removal ------------------------------------------------------------- */

static bool remove_some(struct pop3_session *session);

static void on_removed(struct st_request *request)
{
    struct pop3_session *session = request->context;
    enum err result = request->result;

    if (result == OK) {
        pop3_count()->deleted += session->deletion.count;
        session->removed += (uint32_t)session->deletion.count;
        if (remove_some(session))
            return;
    } else {
        log_warn("pop3", "marked messages not removed session=%u error=\"%s\"",
                 (unsigned)session->task.index, err_text(result));
    }
    if (session->state == POP3_DYING) {
        pop3_release(session);
        return;
    }
    pop3_enter_state(session, POP3_CLOSING);
    pop3_finish(session, result == OK ? POP3_BYE : POP3_NOT_DELETED);
}

/* The uids of marked messages among those of one block are put at its front: a
 * uid is shorter than an entry, so none is overwritten before it was read. */
static const uint32_t *gather_uids(struct pop3_session *session, size_t *count)
{
    const struct store_maildrop *drop = &session->maildrop.drop;
    uint8_t *out = (uint8_t *)(void *)store_entry_at(drop, session->index);
    size_t found = 0;

    do {
        struct store_entry entry = *store_entry_at(drop, session->index);

        session->index++;
        if (!pop3_is_marked(&entry))
            continue;
        pop3_log_message(session, -entry.message_id, "deleted");
        memcpy(out + found * sizeof(entry.uid), &entry.uid, sizeof(entry.uid));
        found++;
    } while (session->index < drop->count &&
             session->index % STORE_BLOCK_ENTRIES != 0);
    *count = found;
    return (const uint32_t *)(const void *)out;
}

/* Asks for the removal of what is marked in the next block that has marks.
 * Returns false when there is none. */
static bool remove_some(struct pop3_session *session)
{
    struct st_delete *deletion = &session->deletion;

    memset(deletion, 0, sizeof(*deletion));
    while (deletion->count == 0) {
        if (session->index == session->maildrop.drop.count)
            return false;
        deletion->uids = gather_uids(session, &deletion->count);
    }
    start_request(&deletion->request, session, on_removed);
    deletion->mailbox_id = session->maildrop.drop.mailbox_id;
    st_delete(deletion);
    return true;
}

void pop3_begin_update(struct pop3_session *session)
{
    if (session->deleted == 0) {
        pop3_finish(session, POP3_BYE);
        return;
    }
    session->index = 0;
    pop3_enter_state(session, POP3_UPDATE);
    if (!remove_some(session))
        PANIC("marked messages are gone");
}

/* ---- The end ------------------------------------------------------------- */

bool pop3_give_up(struct pop3_session *session)
{
    switch ((enum pop3_state)session->state) {
    case POP3_LOGIN:
        account_cancel(&session->login);
        return true;
    case POP3_LOCK:
        return st_cancel(&session->maildrop.request);
    case POP3_UPDATE:
    case POP3_DYING:
        /* QUIT was said: what it asked for is carried out. */
        return false;
    case POP3_GREETED:
    case POP3_NAMED:
    case POP3_SECRET:
    case POP3_TRANSACTION:
    case POP3_SENDING:
    case POP3_CLOSING:
    case POP3_OVER:
    case POP3_STATES:
        break;
    }
    return true;
}
