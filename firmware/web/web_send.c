/* What the form of /compose does: send, save as a draft, discard.
 *
 * Sending is one transaction of the store: the message into the recipients'
 * mailboxes and the outgoing queue, the same message into Sent, the draft away,
 * and the message that was answered marked. What cannot be sent is kept as a
 * draft, with its files, and shown again with the reason. */
#include "core/log.h"
#include "core/machine.h"
#include "http/http.h"
#include "mailstore/store_append.h"
#include "protocol/text.h"
#include "store/st.h"
#include "store/st_job.h"
#include "userdb/directory.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <string.h>

/* ---- Checks ------------------------------------------------------------- */

/* The sender is the user, or one of his aliases. */
static enum err check_sender(struct http_exchange *x, struct web_work *work,
                             const struct web_form *form)
{
    struct mime_span rest = {form->from, strlen(form->from)};
    struct mime_address *person = &work->address;
    const char *at;

    if (web_address_next(&rest, person) && person->address[0] != '\0') {
        at = user_address_at(person->address, strlen(person->address));
        if (at != NULL && directory_may_send_as(web_user_id(x), person->address,
                                                (size_t)(at - person->address),
                                                at + 1, strlen(at + 1))) {
            (void)snprintf(work->sender, sizeof(work->sender), "%s",
                           person->address);
            return OK;
        }
    }
    (void)snprintf(work->envelope.why, sizeof(work->envelope.why),
                   "You may send as yourself and your aliases only, and \"%s\" "
                   "is none of these.",
                   form->from);
    return ERR_REFUSED;
}

static enum err check(struct http_exchange *x, struct web_work *work,
                      const struct web_form *form)
{
    struct web_envelope *envelope = &work->envelope;
    int64_t user_id = web_user_id(x);
    enum err err = web_envelope_begin(envelope, user_id);

    if (err == OK)
        err = check_sender(x, work, form);
    if (err == OK)
        err = web_envelope_add(envelope, user_id, form->to);
    if (err == OK)
        err = web_envelope_add(envelope, user_id, form->cc);
    if (err == OK)
        err = web_envelope_add(envelope, user_id, form->bcc);
    if (err == OK &&
        envelope->all.user_count + envelope->all.remote_count == 0) {
        (void)snprintf(envelope->why, sizeof(envelope->why),
                       "Say whom it goes to.");
        err = ERR_INVALID;
    }
    return err;
}

/* ---- Making ------------------------------------------------------------- */

static void add_people(struct web_work *work, const char *field,
                       const char *list)
{
    struct mime_span rest = {list, strlen(list)};

    mime_make_addresses(&work->mail.make, field);
    while (web_address_next(&rest, &work->address))
        if (work->address.address[0] != '\0')
            mime_make_address(&work->mail.make, work->address.name,
                              work->address.address);
    mime_make_addresses_end(&work->mail.make);
}

/* As SMTP puts before what it takes (RFC 5321 4.4), by HTTP. */
static void add_trace(struct web_work *work, const char *sender)
{
    char buffer[720];
    struct text text;

    text_init(&text, buffer, sizeof(buffer) - 1);
    text_string(&text, "Return-Path: <");
    text_string(&text, sender);
    text_string(&text, ">\r\nReceived: by ");
    text_string(&text, st_setting("hostname")[0] != '\0'
                           ? st_setting("hostname")
                           : "localhost");
    text_string(&text, " with HTTP;\r\n\t");
    text_date(&text, machine_wall_clock_ms());
    text_string(&text, "\r\n");
    buffer[text.len] = '\0';
    web_mail_text(&work->mail, buffer);
}

/* ---- Ending ------------------------------------------------------------- */

struct sending {
    struct web_work *work;
    int64_t user_id;
    const struct web_form *form;
};

static void fill_delivery(struct sending *sending, struct store *store)
{
    struct web_mail *mail = &sending->work->mail;
    struct web_envelope *envelope = &sending->work->envelope;
    struct store_delivery *delivery = &sending->work->sending.delivery;

    if (mail->message_id == 0)
        mail->message_id = store_reserve_id(store);
    delivery->message_id = mail->message_id;
    delivery->sender = sending->work->sender;
    delivery->received_ms = machine_wall_clock_ms();
    delivery->users = envelope->lists.users;
    delivery->user_count = envelope->all.user_count;
    delivery->remotes = envelope->lists.remotes;
    delivery->remote_count = envelope->all.remote_count;
    delivery->envid = "";
    delivery->smtputf8 = envelope->all.utf8;
    delivery->submitter = sending->user_id;
    delivery->chunks = mail->chunks;
    delivery->chunk_bytes = mail->chunk_bytes;
    delivery->tail = mail->chunk;
    delivery->tail_bytes = mail->chunk_used;
}

/* The draft of the composition, under whatever key it is known. ERR_EXISTS: it
 * has been sent. */
static enum err find_draft(struct store *store, const struct sending *sending,
                           struct store_key *draft)
{
    struct store_composition it;
    enum err err = store_composition_get(store, sending->user_id,
                                         sending->form->compose, &it);

    *draft = it.draft.uid != 0 ? it.draft : sending->form->draft;
    return err == OK && it.sent ? ERR_EXISTS : err;
}

static void note_sent(struct store *store, const struct sending *sending,
                      bool sent)
{
    const struct store_composition it = {.sent = sent};

    if (sending->form->compose[0] != '\0')
        (void)!store_composition_put(store, sending->user_id,
                                     sending->form->compose, &it);
}

static enum err deliver(void *context, struct store *store)
{
    struct sending *sending = context;
    const struct web_form *form = sending->form;
    struct store_sending *message = &sending->work->sending;
    enum err err;

    memset(message, 0, sizeof(*message));
    err = find_draft(store, sending, &message->draft);
    if (err != OK)
        return err;
    fill_delivery(sending, store);
    message->keep = true;
    message->blind = form->bcc;
    message->origin = form->origin;
    message->origin_flags =
        form->answer == WEB_FORWARD ? STORE_FORWARDED : STORE_ANSWERED;
    err = store_send(store, message);
    if (err != OK)
        return err;
    web_draft_drop_source(store, sending->user_id, form);
    note_sent(store, sending, true);
    return OK;
}

/* ---- Sending ------------------------------------------------------------ */

static void log_sent(struct http_exchange *x, struct web_work *work)
{
    const struct web_envelope *envelope = &work->envelope;
    char address[NET_ADDRESS_TEXT];
    struct net_address peer;
    const struct user *user = NULL; /* may have been removed meanwhile */
    const char *first = "";

    if (envelope->all.user_count > 0)
        user = directory_user_by_id(envelope->lists.users[0]);
    if (envelope->all.remote_count > 0)
        first = envelope->lists.remotes[0].address;
    else if (user != NULL)
        first = user->name;

    http_peer(x, &peer);
    log_mail(work->mail.message_id, "web",
             "received client=%s user=%s size=%llu recipients=%u to=%s",
             net_address_format(&peer, address), http_user(x)->name,
             (unsigned long long)work->mail.chunk_bytes + work->mail.chunk_used,
             (unsigned)envelope->all.user_count + envelope->all.remote_count,
             log_value(work->words, sizeof(work->words), first, strlen(first)));
}

static void explain(struct web_work *work, enum err err)
{
    (void)snprintf(work->envelope.why, sizeof(work->envelope.why), "%s",
                   err == ERR_TOO_BIG ? "The message is too big: send less, or "
                                        "files one by one."
                   : err == ERR_FULL  ? "There is no room left in the store: "
                                        "tell your administrator."
                   : err == ERR_EXISTS
                       ? "This message has been sent already: leave this "
                         "page, or press Send to send it once more."
                   : err == ERR_NOT_FOUND
                       ? "The message whose files were to go with this one is "
                         "not there any more: press Send to send it without "
                         "them."
                   : err == ERR_INVALID ? "What was sent could not be "
                                          "understood: try again."
                                        : "The mail store is not there or too "
                                          "busy: try again soon.");
}

static enum err make(struct http_exchange *x, struct web_work *work,
                     const struct web_form *form, struct http_part *part,
                     bool file)
{
    const struct web_envelope *envelope = &work->envelope;

    web_mail_begin(&work->mail, envelope->bytes_max);
    add_trace(work, work->sender);
    web_mail_header(x, work, form, false);
    add_people(work, "To", form->to);
    add_people(work, "Cc", form->cc);
    return web_mail_body(x, work, form, part, file);
}

static enum err send(struct http_exchange *x, struct web_work *work,
                     const struct web_form *form, struct http_part *part,
                     bool file)
{
    struct sending sending = {
        .work = work, .user_id = web_user_id(x), .form = form};
    enum err err = make(x, work, form, part, file);

    if (err == OK)
        err = st_job_write(deliver, &sending);
    if (err == OK) {
        log_sent(x, work);
        return OK;
    }
    web_mail_drop(&work->mail);
    explain(work, err);
    return err;
}

/* ---- Drafts ------------------------------------------------------------- */

static void go_to_draft(struct http_exchange *x, const struct web_form *form)
{
    char path[120];

    (void)snprintf(
        path, sizeof(path), "/compose?draft=%lld.%u&compose=%s&said=draft",
        (long long)form->draft.mailbox_id, form->draft.uid, form->compose);
    http_redirect(x, path);
}

static enum err discard(void *context, struct store *store)
{
    const struct sending *sending = context;
    struct store_key draft;
    enum err err = find_draft(store, sending, &draft);

    if (err != OK)
        return err == ERR_EXISTS ? OK : err;
    web_draft_drop_source(store, sending->user_id, sending->form);
    note_sent(store, sending, false);
    if (draft.uid == 0)
        return OK;
    return store_remove(store, sending->user_id, &draft, 1, NULL);
}

/* What cannot be sent for a reason that its author can do something about. */
static void keep_instead(struct http_exchange *x, struct store *store,
                         struct web_work *work, bool file)
{
    struct web_form *form = &work->form;

    if (web_draft_save(x, work, form, &work->part, file, true) == OK)
        (void)!web_draft_load(x, work, form);
    web_form_show(x, store, work, form, work->envelope.why);
}

/* Whoever saves or sends what has been sent already means another message; one
 * that is only sent is asked whether he does. */
static bool was_sent(struct http_exchange *x, struct web_work *work,
                     struct web_form *form)
{
    struct store_composition it;

    if (store_composition_get(work->store, web_user_id(x), form->compose,
                              &it) != OK ||
        !it.sent)
        return false;
    form->compose[0] = '\0';
    return true;
}

static void run_discard(struct http_exchange *x, struct store *store,
                        struct sending *sending)
{
    enum err err = st_job_write(discard, sending);

    if (err == OK || err == ERR_NOT_FOUND)
        http_redirect(x, "/mail?said=discarded");
    else
        web_fail(x, store, err);
}

static void run_save(struct http_exchange *x, struct store *store,
                     struct web_work *work, bool file)
{
    struct web_form *form = &work->form;
    enum err err;

    (void)was_sent(x, work, form);
    err = web_draft_save(x, work, form, &work->part, file, true);
    if (err == OK) {
        go_to_draft(x, form);
        return;
    }
    (void)snprintf(work->envelope.why, sizeof(work->envelope.why),
                   "The draft is not saved: %s%s",
                   err == ERR_FULL || err == ERR_TOO_BIG
                       ? "there is no room for it. Delete mail, and empty Trash"
                   : err == ERR_NOT_FOUND
                       ? "the message with its files is not there any more"
                       : "the mail store is not there or too busy. Try again "
                         "soon",
                   work->mail.files
                       ? "; files that were chosen have to be chosen again."
                       : ".");
    web_form_show(x, store, work, form, work->envelope.why);
}

static void run_send(struct http_exchange *x, struct store *store,
                     struct web_work *work, bool file)
{
    struct web_form *form = &work->form;

    if (was_sent(x, work, form)) {
        explain(work, ERR_EXISTS);
        web_form_show(x, store, work, form, work->envelope.why);
    } else if (check(x, work, form) != OK) {
        keep_instead(x, store, work, file);
    } else if (send(x, work, form, &work->part, file) == OK) {
        http_redirect(x, "/mail?said=sent");
    } else {
        (void)was_sent(x, work, form);
        web_form_show(x, store, work, form, work->envelope.why);
    }
}

static void run(struct http_exchange *x, struct store *store,
                struct web_work *work, bool file)
{
    struct sending sending = {
        .work = work, .user_id = web_user_id(x), .form = &work->form};
    const char *what = http_param_or(x, "do", "save");

    if (strcmp(what, "discard") == 0)
        run_discard(x, store, &sending);
    else if (work->form.cut)
        web_form_show(x, store, work, &work->form,
                      "A list of addresses or the subject is too long, and "
                      "its end is cut off here: send the message to the others "
                      "separately.");
    else if (strcmp(what, "send") == 0)
        run_send(x, store, work, file);
    else
        run_save(x, store, work, file);
}

void web_send_page(struct http_exchange *x, struct store *store)
{
    struct web_work *work = web_work_take(store);
    bool file;
    enum err err = web_form_read(x, work, &work->form, &work->part, &file);

    if (err == OK)
        run(x, store, work, file);
    else
        web_fail(x, store, err);
    web_work_give(work);
}
