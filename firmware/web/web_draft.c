/* Drafts: messages in the folder Drafts, with what their form holds.
 *
 * Recipients stand in To, Cc and Bcc as they were typed, whether they are good
 * addresses or not. What the draft answers, and from which message it takes
 * attachments, stands in fields of its own (web_form.h).
 *
 * The script saves what is typed every few seconds (POST /draft): then files
 * that are in an earlier draft stay there and are pointed to, so that no file
 * is copied while somebody writes. */
#include "account/account.h"
#include "core/machine.h"
#include "mailstore/store_append.h"
#include "store/st_job.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Saving ------------------------------------------------------------- */

static void add_source(struct web_work *work, const struct web_form *form)
{
    char *words = work->words;
    size_t room = sizeof(work->words), used;
    unsigned i;

    used =
        (size_t)snprintf(words, room, "%lld.%u",
                         (long long)form->source.mailbox_id, form->source.uid);
    for (i = 0; i < WEB_PARTS; i++)
        if (form->keep[i])
            used += (size_t)snprintf(words + used, room - used, " %u", i);
    mime_make_text(&work->mail.make, WEB_SOURCE_FIELD, words);
}

static void add_fields(struct web_work *work, const struct web_form *form,
                       bool with_files)
{
    struct mime_make *make = &work->mail.make;

    mime_make_text(make, "To", form->to);
    mime_make_text(make, "Cc", form->cc);
    mime_make_text(make, "Bcc", form->bcc);
    if (form->origin.uid != 0) {
        (void)snprintf(work->words, sizeof(work->words), "%lld.%u %d",
                       (long long)form->origin.mailbox_id, form->origin.uid,
                       (int)form->answer);
        mime_make_text(make, WEB_ORIGIN_FIELD, work->words);
    }
    if (form->source.uid != 0 && !with_files)
        add_source(work, form);
}

struct saving {
    struct web_work *work;
    struct web_form *form;
    bool with_files;
    struct store_append append;
};

static bool same_key(const struct store_key *a, const struct store_key *b)
{
    return a->mailbox_id == b->mailbox_id && a->uid == b->uid;
}

static enum err append(void *context, struct store *store)
{
    struct saving *saving = context;
    struct store_append *draft = &saving->append;
    struct web_mail *mail = &saving->work->mail;
    const struct web_form *form = saving->form;
    enum err err = store_folder_of(store, draft->user_id, STORE_FOLDER_DRAFTS,
                                   &draft->mailbox_id);

    if (err != OK)
        return err;
    draft->flags = STORE_SEEN | STORE_DRAFT;
    draft->message_id = mail->message_id;
    draft->received_ms = machine_wall_clock_ms();
    draft->sender = saving->work->sender;
    draft->chunks = mail->chunks;
    draft->chunk_bytes = mail->chunk_bytes;
    draft->tail = mail->chunk;
    draft->tail_bytes = mail->chunk_used;
    /* One whose files are still pointed to stays. */
    if (saving->with_files || !same_key(&form->draft, &form->source))
        draft->replaces = form->draft;
    err = store_append(store, draft);
    if (err == OK && saving->with_files && form->source.uid != 0 &&
        form->source.mailbox_id == draft->mailbox_id &&
        !same_key(&form->source, &form->draft))
        (void)!store_remove(store, draft->user_id, &form->source, 1, NULL);
    return err;
}

enum err web_draft_save(struct http_exchange *x, struct web_work *work,
                        struct web_form *form, struct http_part *part,
                        bool file, bool with_files)
{
    struct saving saving = {.work = work,
                            .form = form,
                            .with_files = with_files,
                            .append.user_id = web_user_id(x)};
    struct web_mail *mail = &work->mail;
    enum err err;

    (void)web_own_address(x, work->sender);
    web_mail_begin(mail, STORE_MESSAGE_MAX);
    web_mail_header(x, work, form, true);
    add_fields(work, form, with_files);
    if (with_files) {
        err = web_mail_body(x, work, form, part, file);
    } else {
        mime_make_flowed(&mail->make, work->written, work->written_bytes);
        err = mime_make_end(&mail->make);
    }
    if (err == OK)
        err = account_quota_room(saving.append.user_id,
                                 mail->chunk_bytes + mail->chunk_used);
    if (err == OK)
        err = st_job_write(append, &saving);
    if (err == OK)
        form->draft = saving.append.key;
    else
        web_mail_drop(mail);
    return err;
}

void web_autosave_page(struct http_exchange *x, struct store *store)
{
    struct web_work *work = web_work_take(store);
    struct web_form *form = &work->form;
    bool file;
    enum err err = web_form_read(x, work, form, &work->part, &file);

    if (err == OK)
        err = web_draft_save(x, work, form, &work->part, false, false);
    if (err != OK) {
        http_fail(x, err);
    } else {
        http_begin(x, 200, HTTP_JSON);
        html(x, "{\"draft\":");
        (void)snprintf(work->words, sizeof(work->words), "%lld.%u",
                       (long long)form->draft.mailbox_id, form->draft.uid);
        html_json(x, work->words);
        html(x, "}");
    }
    web_work_give(work);
}

/* ---- Going on ----------------------------------------------------------- */

static void load_field(struct web_work *work, const char *name, char *text,
                       size_t bytes)
{
    (void)mime_text(web_field(work, name), text, bytes);
}

static void load_keys(struct web_work *work, struct web_form *form)
{
    const char *rest;
    char *end;

    load_field(work, WEB_ORIGIN_FIELD, work->words, sizeof(work->words));
    if (web_key(work->words, '.', &form->origin, &rest))
        form->answer = (enum web_answer)(strtoul(rest, NULL, 10) % 4);
    else
        memset(&form->origin, 0, sizeof(form->origin));
    load_field(work, WEB_SOURCE_FIELD, work->words, sizeof(work->words));
    if (!web_key(work->words, '.', &form->source, &rest)) {
        memset(&form->source, 0, sizeof(form->source));
        return;
    }
    while (*rest == ' ') {
        unsigned long index = strtoul(rest, &end, 10);

        if (index < WEB_PARTS)
            form->keep[index] = true;
        if (end == rest)
            break;
        rest = end;
    }
}

static void open_line(void *context, unsigned quotes)
{
    struct web_work *work = context;
    unsigned i;

    for (i = 0; i < quotes; i++)
        web_append(work, ">", 1);
    if (quotes > 0)
        web_append(work, " ", 1);
}

static void line_text(void *context, const char *text, size_t len)
{
    web_append(context, text, len);
}

static void close_line(void *context)
{
    web_append(context, "\n", 1);
}

/* As it was typed: paragraphs are lines again. */
static void load_text(struct web_work *work, const struct mime_part *part)
{
    const struct mime_flowed_sink sink = {.open = open_line,
                                          .text = line_text,
                                          .close = close_line,
                                          .context = work};
    struct mime_flowed flow;
    int got;

    mime_flowed_begin(&flow, part->flowed, part->del_sp, &sink);
    mime_decode_begin(&work->decoder, &work->source, part, MIME_AS_TEXT);
    while ((got = mime_decode_read(&work->decoder, work->piece,
                                   sizeof(work->piece))) > 0)
        mime_flowed_write(&flow, work->piece, (size_t)got);
    mime_flowed_end(&flow);
}

static void load_parts(struct web_work *work, struct web_form *form)
{
    bool own = form->source.uid == 0;
    unsigned i;

    for (i = 0; i < work->mime.part_count; i++) {
        if (mime_shown(&work->mime, i, MIME_NONE, false) &&
            mime_is(&work->parts[i], "text/plain"))
            load_text(work, &work->parts[i]);
        if (own && mime_attached(&work->mime, i, MIME_NONE)) {
            form->source = form->draft;
            form->keep[i] = true;
        }
    }
}

enum err web_draft_load(struct http_exchange *x, struct web_work *work,
                        struct web_form *form)
{
    const struct store_key draft = form->draft;
    enum err err = web_open(work, web_user_id(x), &draft, true);

    if (err == OK && (work->flags & STORE_DRAFT) == 0)
        err = ERR_NOT_FOUND;
    if (err != OK)
        return err;
    memset(form, 0, sizeof(*form));
    form->draft = draft;
    load_field(work, "From", form->from, sizeof(form->from));
    load_field(work, "To", form->to, sizeof(form->to));
    load_field(work, "Cc", form->cc, sizeof(form->cc));
    load_field(work, "Bcc", form->bcc, sizeof(form->bcc));
    load_field(work, "Subject", form->subject, sizeof(form->subject));
    load_keys(work, form);
    work->written_bytes = 0;
    work->written[0] = '\0';
    load_parts(work, form);
    return OK;
}
