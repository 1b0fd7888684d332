/* Drafts: messages in the folder Drafts, with what their form holds.
 *
 * Recipients stand in To, Cc and Bcc as they were typed, whether they are good
 * addresses or not. What the draft answers, and from which message it takes
 * attachments, stands in fields of its own (web_form.h).
 *
 * The script saves what is typed every few seconds (POST /draft): then files
 * that are in the draft stay there, so that no file is copied while somebody
 * writes, and what was typed is kept beside it (store_typed_put). */
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
    for (i = 0; i <= WEB_WHOLE; i++)
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
    mime_make_text(make, WEB_COMPOSE_FIELD, form->compose);
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

/* What is known of the composition; the draft may be known from the form only.
 * ERR_EXISTS: it has been sent. */
static enum err find_composition(struct store *store, int64_t user_id,
                                 const struct web_form *form,
                                 struct store_composition *it)
{
    enum err err = store_composition_get(store, user_id, form->compose, it);

    if (err == OK && it->sent)
        return ERR_EXISTS;
    if (it->draft.uid == 0)
        it->draft = form->draft;
    it->files |= form->source.uid != 0 && same_key(&form->source, &it->draft);
    return err;
}

static void note_composition(struct store *store, const struct saving *saving)
{
    struct store_composition it = {.draft = saving->append.key,
                                   .files = saving->work->mail.files};

    if (saving->form->compose[0] != '\0')
        (void)!store_composition_put(store, saving->append.user_id,
                                     saving->form->compose, &it);
}

static enum err append(void *context, struct store *store)
{
    struct saving *saving = context;
    struct store_append *draft = &saving->append;
    struct web_mail *mail = &saving->work->mail;
    const struct web_form *form = saving->form;
    struct store_composition it;
    enum err err = find_composition(store, draft->user_id, form, &it);

    if (err == OK)
        err = store_folder_of(store, draft->user_id, STORE_FOLDER_DRAFTS,
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
    draft->replaces = it.draft;
    err = store_append(store, draft);
    if (err == OK)
        note_composition(store, saving);
    /* Its files are in this one now. */
    if (err == OK && saving->with_files && !same_key(&form->source, &it.draft))
        web_draft_drop_source(store, draft->user_id, form);
    return err;
}

static enum err take_flags(void *context, const struct store_row *row)
{
    *(uint8_t *)context = row->flags;
    return OK;
}

void web_draft_drop_source(struct store *store, int64_t user_id,
                           const struct web_form *form)
{
    uint8_t flags = 0;
    int64_t drafts;

    if (form->source.uid != 0 &&
        store_folder_of(store, user_id, STORE_FOLDER_DRAFTS, &drafts) == OK &&
        drafts == form->source.mailbox_id &&
        store_row(store, user_id, &form->source, take_flags, &flags) == OK &&
        (flags & STORE_DRAFT) != 0)
        (void)!store_remove(store, user_id, &form->source, 1, NULL);
}

/* ---- What was typed, beside a draft with files -------------------------- */

/* Which files are kept: "k 1 2"; "*": all, for a form that does not know of
 * them. */
static void list_kept(const struct web_form *form, bool known, char *text,
                      size_t room)
{
    size_t used = (size_t)snprintf(text, room, known ? "k" : "*");
    unsigned i;

    for (i = 0; known && i <= WEB_WHOLE; i++)
        if (form->keep[i])
            used += (size_t)snprintf(text + used, room - used, " %u", i);
}

static enum err type(void *context, struct store *store)
{
    struct saving *saving = context;
    struct web_work *work = saving->work;
    struct web_form *form = saving->form;
    const char *const fields[STORE_TYPED_FIELDS] = {
        [STORE_TYPED_KEEP] = work->words,
        [STORE_TYPED_FROM] = form->from,
        [STORE_TYPED_TO] = form->to,
        [STORE_TYPED_CC] = form->cc,
        [STORE_TYPED_BCC] = form->bcc,
        [STORE_TYPED_SUBJECT] = form->subject,
        [STORE_TYPED_TEXT] = work->written};
    struct store_composition it;
    enum err err = find_composition(store, saving->append.user_id, form, &it);

    if (err != OK)
        return err;
    list_kept(form, same_key(&form->source, &it.draft), work->words,
              sizeof(work->words));
    saving->append.key = it.draft;
    return store_typed_put(store, saving->append.user_id, &it.draft, fields);
}

/* ERR_NOT_FOUND: there is no draft with files. */
static enum err save_typed(struct saving *saving)
{
    struct store_composition it;
    int64_t user_id = saving->append.user_id;
    enum err err =
        find_composition(saving->work->store, user_id, saving->form, &it);

    if (err == OK && !it.files)
        err = ERR_NOT_FOUND;
    if (err == OK)
        err = account_quota_room(user_id, saving->work->written_bytes);
    return err != OK ? err : st_job_write(type, saving);
}

/* ---- All of it ---------------------------------------------------------- */

static enum err save_message(struct http_exchange *x, struct saving *saving,
                             struct http_part *part, bool file)
{
    struct web_work *work = saving->work;
    struct web_mail *mail = &work->mail;
    enum err err;

    (void)web_own_address(x, work->sender);
    web_mail_begin(mail, STORE_MESSAGE_MAX);
    web_mail_header(x, work, saving->form, true);
    add_fields(work, saving->form, saving->with_files);
    if (saving->with_files) {
        err = web_mail_body(x, work, saving->form, part, file);
    } else {
        mime_make_flowed(&mail->make, work->written, work->written_bytes);
        err = mime_make_end(&mail->make);
    }
    if (err == OK)
        err = account_quota_room(saving->append.user_id,
                                 mail->chunk_bytes + mail->chunk_used);
    if (err == OK)
        err = st_job_write(append, saving);
    if (err != OK)
        web_mail_drop(mail);
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
    enum err err = with_files ? ERR_NOT_FOUND : save_typed(&saving);

    if (err == ERR_NOT_FOUND)
        err = save_message(x, &saving, part, file);
    if (err == OK)
        form->draft = saving.append.key;
    return err;
}

void web_autosave_page(struct http_exchange *x, struct store *store)
{
    struct web_work *work = web_work_take(store);
    struct web_form *form = &work->form;
    bool file;
    enum err err = web_form_read(x, work, form, &work->part, &file);

    if (err == OK && form->cut)
        err = ERR_TOO_BIG;
    if (err == OK)
        err = web_draft_save(x, work, form, &work->part, false, false);
    if (err != OK && err != ERR_EXISTS) {
        http_fail(x, err);
    } else {
        http_begin(x, 200, HTTP_JSON);
        html(x, "{\"sent\":%d,\"draft\":", err == ERR_EXISTS);
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

/* " 1 2" */
static void load_kept(struct web_form *form, const char *text)
{
    char *end;

    memset(form->keep, 0, sizeof(form->keep));
    while (*text == ' ') {
        unsigned long index = strtoul(text, &end, 10);

        if (index <= WEB_WHOLE)
            form->keep[index] = true;
        if (end == text)
            break;
        text = end;
    }
}

static void load_keys(struct web_work *work, struct web_form *form)
{
    const char *rest;

    load_field(work, WEB_COMPOSE_FIELD, form->compose, sizeof(form->compose));
    if (!store_composition_valid(form->compose))
        form->compose[0] = '\0';
    load_field(work, WEB_ORIGIN_FIELD, work->words, sizeof(work->words));
    if (web_key(work->words, '.', &form->origin, &rest))
        form->answer = (enum web_answer)(strtoul(rest, NULL, 10) % 4);
    else
        memset(&form->origin, 0, sizeof(form->origin));
    load_field(work, WEB_SOURCE_FIELD, work->words, sizeof(work->words));
    if (web_key(work->words, '.', &form->source, &rest))
        load_kept(form, rest);
    else
        memset(&form->source, 0, sizeof(form->source));
}

/* What was typed since the draft was stored takes the place of what it says. */
static enum err load_typed(struct http_exchange *x, struct web_work *work,
                           struct web_form *form)
{
    const struct {
        enum store_typed field;
        char *text;
        size_t bytes;
    } fields[] = {{STORE_TYPED_FROM, form->from, sizeof(form->from)},
                  {STORE_TYPED_TO, form->to, sizeof(form->to)},
                  {STORE_TYPED_CC, form->cc, sizeof(form->cc)},
                  {STORE_TYPED_BCC, form->bcc, sizeof(form->bcc)},
                  {STORE_TYPED_SUBJECT, form->subject, sizeof(form->subject)},
                  {STORE_TYPED_TEXT, work->written, sizeof(work->written)}};
    int64_t user_id = web_user_id(x);
    enum err err =
        store_typed_get(work->store, user_id, work->message_id,
                        STORE_TYPED_KEEP, work->words, sizeof(work->words));
    unsigned i;

    if (err != OK || work->words[0] == '\0')
        return err;
    if (work->words[0] == 'k')
        load_kept(form, work->words + 1);
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]) && err == OK; i++)
        err = store_typed_get(work->store, user_id, work->message_id,
                              fields[i].field, fields[i].text, fields[i].bytes);
    work->written_bytes = strlen(work->written);
    return err;
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
    return load_typed(x, work, form);
}
