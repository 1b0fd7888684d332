/* Writing a message: the form of /compose.
 *
 *   ?to= &cc= &bcc= &subject= &text=   a new one, whatever else is asked for
 *   ?reply=KEY ?all=KEY ?forward=KEY   an answer
 *   ?draft=KEY &compose=ID             a draft is gone on with, also when its
 *                                      key has changed meanwhile
 *
 * Fields stand in the form in the order in which the server needs them: short
 * ones, then the text, then files, which are read while they arrive. */
#include "core/machine.h"
#include "core/random.h"
#include "mailstore/store_person.h"
#include "userdb/directory.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What fits into a message in base64, with its line ends. */
#define FILES_MAX (STORE_MESSAGE_MAX / 78 * 57 - 4096)

/* ---- Reading a POST ----------------------------------------------------- */

/* Returns whether all of it had room. */
static bool copy_param(const struct http_exchange *x, const char *name,
                       char *text, size_t bytes)
{
    return (size_t)snprintf(text, bytes, "%s", http_param_or(x, name, "")) <
           bytes;
}

static void copy_key(const struct http_exchange *x, const char *name,
                     struct store_key *key)
{
    const char *rest;

    if (!web_key(http_param(x, name), '.', key, &rest) || *rest != '\0')
        memset(key, 0, sizeof(*key));
}

static void read_fields(struct http_exchange *x, struct web_form *form)
{
    const char *value;
    size_t place = 0;

    memset(form, 0, sizeof(*form));
    (void)copy_param(x, "from", form->from, sizeof(form->from));
    form->cut = !copy_param(x, "to", form->to, sizeof(form->to));
    form->cut |= !copy_param(x, "cc", form->cc, sizeof(form->cc));
    form->cut |= !copy_param(x, "bcc", form->bcc, sizeof(form->bcc));
    form->cut |=
        !copy_param(x, "subject", form->subject, sizeof(form->subject));
    (void)copy_param(x, "compose", form->compose, sizeof(form->compose));
    if (!store_composition_valid(http_param_or(x, "compose", "")))
        form->compose[0] = '\0';
    copy_key(x, "draft", &form->draft);
    copy_key(x, "origin", &form->origin);
    copy_key(x, "source", &form->source);
    form->answer = (enum web_answer)http_param_number(x, "answer", WEB_NEW);
    form->zone = (int)http_param_number(x, "zone", 0);
    if (form->zone < -14 * 60 || form->zone > 14 * 60)
        form->zone = 0;
    while ((value = http_param_next(x, "keep", &place)) != NULL) {
        unsigned long index = strtoul(value, NULL, 10);

        if (index <= WEB_WHOLE)
            form->keep[index] = true;
    }
}

/* A text that is too long for a field. */
static enum err read_text(struct http_exchange *x, struct web_work *work)
{
    int got;

    while ((got = http_part_read(x, work->piece, sizeof(work->piece))) > 0) {
        if ((size_t)got >= sizeof(work->written) - work->written_bytes)
            return ERR_TOO_BIG;
        web_append(work, work->piece, (size_t)got);
    }
    return got < 0 ? (enum err)got : OK;
}

enum err web_form_read(struct http_exchange *x, struct web_work *work,
                       struct web_form *form, struct http_part *part,
                       bool *file)
{
    const char *text = http_param(x, "text");
    enum err err = OK;

    *file = false;
    read_fields(x, form);
    work->written_bytes = 0;
    work->written[0] = '\0';
    if (text == NULL) {
        err = http_part_next(x, part);
        if (err == OK && strcmp(part->name, "text") == 0)
            return read_text(x, work);
        if (err == OK && part->file_name[0] == '\0')
            return ERR_TOO_BIG;
        *file = err == OK;
        text = http_param_or(x, "text", "");
    }
    web_append(work, text, strlen(text));
    return err == ERR_NOT_FOUND ? OK : err;
}

/* ---- What to begin with ------------------------------------------------- */

static void append_signature(struct http_exchange *x, struct web_work *work)
{
    if (store_preference_get(work->store, web_user_id(x), STORE_SIGNATURE,
                             work->words, sizeof(work->words)) != OK ||
        work->words[0] == '\0')
        return;
    web_append(work, "\n\n-- \n", 6);
    web_append(work, work->words, strlen(work->words));
    web_append(work, "\n", 1);
}

static enum err begin_answer(struct http_exchange *x, struct web_work *work,
                             struct web_form *form)
{
    enum err err = web_open(work, web_user_id(x), &form->origin, true);

    if (err == OK) {
        web_answer_fill(x, work, form);
        append_signature(x, work);
    }
    return err;
}

static enum err begin_new(struct http_exchange *x, struct web_work *work)
{
    const char *text = http_param_or(x, "text", http_param_or(x, "body", ""));

    web_append(work, text, strlen(text));
    append_signature(x, work);
    return OK;
}

/* A draft gets another key with each save: who comes back to a page with an old
 * one means what has become of it. */
static enum err begin_draft(struct http_exchange *x, struct web_work *work,
                            struct web_form *form)
{
    char id[STORE_COMPOSITION_BYTES];
    struct store_composition it;
    enum err err;

    memcpy(id, form->compose, sizeof(id));
    err = web_draft_load(x, work, form);
    if (err != ERR_NOT_FOUND ||
        store_composition_get(work->store, web_user_id(x), id, &it) != OK)
        return err;
    if (it.sent)
        return ERR_EXISTS;
    form->draft = it.draft;
    return it.draft.uid != 0 ? web_draft_load(x, work, form) : err;
}

/* Only forms say what a message answers and takes files from. */
static void forget_keys(struct web_form *form)
{
    memset(&form->draft, 0, sizeof(form->draft));
    memset(&form->origin, 0, sizeof(form->origin));
    memset(&form->source, 0, sizeof(form->source));
    memset(form->keep, 0, sizeof(form->keep));
    form->answer = WEB_NEW;
}

/* Nor to whom it goes, but for a new one. */
static void forget_people(struct web_form *form)
{
    form->from[0] = form->to[0] = form->cc[0] = form->bcc[0] = '\0';
    form->subject[0] = '\0';
    form->cut = false;
}

enum err web_form_begin(struct http_exchange *x, struct web_work *work,
                        struct web_form *form)
{
    static const struct {
        const char *name;
        enum web_answer answer;
    } answers[] = {
        {"reply", WEB_REPLY}, {"all", WEB_REPLY_ALL}, {"forward", WEB_FORWARD}};
    unsigned i;

    read_fields(x, form);
    forget_keys(form);
    work->written_bytes = 0;
    work->written[0] = '\0';
    /* A link of a mail must not open more than that. */
    if (http_param(x, "to") == NULL)
        copy_key(x, "draft", &form->draft);
    if (form->draft.uid != 0)
        return begin_draft(x, work, form);
    form->compose[0] = '\0';
    for (i = 0; i < 3 && http_param(x, "to") == NULL; i++) {
        if (http_param(x, answers[i].name) == NULL)
            continue;
        forget_people(form);
        copy_key(x, answers[i].name, &form->origin);
        form->answer = answers[i].answer;
        return form->origin.uid != 0 ? begin_answer(x, work, form)
                                     : ERR_NOT_FOUND;
    }
    return begin_new(x, work);
}

/* ---- The form ----------------------------------------------------------- */

static void hidden_key(struct http_exchange *x, const char *name,
                       const struct store_key *key)
{
    html(x, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    if (key->uid != 0)
        html(x, "%lld.%u", (long long)key->mailbox_id, key->uid);
    html(x, "\">");
}

static void write_row(struct http_exchange *x, const char *name,
                      const char *label, const char *value, bool people,
                      bool focus)
{
    html(x,
         "<div class=\"row\"><label for=\"in-%s\">%s</label>"
         "<input id=\"in-%s\" name=\"%s\" type=\"text\" value=\"%s\"%s%s>"
         "</div>",
         name, label, name, name, value, people ? " data-complete" : "",
         focus ? " autofocus" : "");
}

bool web_form_forwards(const struct web_form *form)
{
    return form->answer == WEB_FORWARD && form->origin.uid != 0 &&
           form->source.uid == form->origin.uid &&
           form->source.mailbox_id == form->origin.mailbox_id;
}

/* Attachments that are there already, each with a box to leave it out. */
static void write_kept(struct http_exchange *x, struct web_work *work,
                       struct web_form *form)
{
    unsigned i;

    hidden_key(x, "source", &form->source);
    if (form->source.uid == 0 ||
        web_open(work, web_user_id(x), &form->source, true) != OK)
        return;
    for (i = 0; i < work->mime.part_count; i++) {
        if (!form->keep[i] || !mime_attached(&work->mime, i, MIME_NONE))
            continue;
        html(x,
             "<label class=\"check\"><input type=\"checkbox\" name=\"keep\" "
             "value=\"%u\" checked> With attachment %s</label>",
             i,
             work->parts[i].name[0] != '\0' ? work->parts[i].name
                                            : work->parts[i].type);
    }
    if (web_form_forwards(form))
        html(x,
             "<label class=\"check\"><input type=\"checkbox\" name=\"keep\" "
             "value=\"%u\"%s> With the whole message as it came</label>",
             WEB_WHOLE, form->keep[WEB_WHOLE] ? " checked" : "");
}

/* The first button is what Enter in a field presses: that must not send. */
static void write_buttons(struct http_exchange *x)
{
    html(x, "<button class=\"hidden\" name=\"do\" value=\"save\" "
            "tabindex=\"-1\" aria-hidden=\"true\">Save draft</button>"
            "<div class=\"bar\"><button class=\"main\" name=\"do\" "
            "value=\"send\">");
    web_icon(x, "sent");
    html(x, "Send</button>"
            "<button name=\"do\" value=\"save\">Save draft</button>"
            "<button name=\"do\" value=\"discard\" formnovalidate "
            "data-ask=\"Delete this draft?\">Discard"
            "</button>"
            "<span id=\"saved\" class=\"saved\" role=\"status\"></span></div>");
}

static void write_sender(struct http_exchange *x, struct web_form *form)
{
    char address[USER_ADDRESS_BYTES];

    if (form->from[0] == '\0')
        (void)snprintf(form->from, sizeof(form->from), "%s",
                       web_own_address(x, address));
    write_row(x, "from", "From", form->from, false, false);
}

static void write_form(struct http_exchange *x, struct web_work *work,
                       struct web_form *form)
{
    /* Who it goes to: then the text comes next. */
    bool known = form->to[0] != '\0';

    html(x, "<form class=\"compose\" method=\"post\" action=\"/compose\" "
            "enctype=\"multipart/form-data\">");
    web_csrf(x);
    hidden_key(x, "draft", &form->draft);
    hidden_key(x, "origin", &form->origin);
    if (form->compose[0] == '\0')
        store_composition_id(machine_wall_clock_ms(), random_u64(),
                             form->compose);
    html(x,
         "<input type=\"hidden\" name=\"compose\" value=\"%s\">"
         "<input type=\"hidden\" name=\"answer\" value=\"%d\">"
         "<input type=\"hidden\" name=\"zone\" value=\"%d\">",
         form->compose, (int)form->answer, form->zone);
    write_buttons(x);
    write_sender(x, form);
    write_row(x, "to", "To", form->to, true, !known);
    write_row(x, "cc", "Cc", form->cc, true, false);
    write_row(x, "bcc", "Bcc", form->bcc, true, false);
    write_row(x, "subject", "Subject", form->subject, false, false);
    /* Its text lies elsewhere than that of the message that is taken apart. */
    write_kept(x, work, form);
    html(x,
         "<label class=\"hidden\" for=\"text\">Text</label>"
         "<textarea id=\"text\" name=\"text\" rows=\"18\"%s%s>\n",
         form->answer != WEB_NEW || form->draft.uid == 0 ? " data-top" : "",
         known ? " autofocus" : "");
    http_escape_bytes(x, work->written, work->written_bytes);
    html(x,
         "</textarea>"
         "<p class=\"field\"><label for=\"files\">Attach files</label> "
         "<input id=\"files\" type=\"file\" name=\"file\" multiple "
         "data-most=\"%u\"> "
         "<span id=\"files-told\" class=\"hint\" role=\"status\"></span> "
         "<button type=\"button\" id=\"files-clear\" hidden>Choose none"
         "</button></p></form>",
         FILES_MAX);
}

void web_form_show(struct http_exchange *x, struct store *store,
                   struct web_work *work, struct web_form *form,
                   const char *why)
{
    static const char *const titles[] = {"Compose", "Reply", "Reply to all",
                                         "Forward"};

    web_begin(x, store, titles[form->answer % 4], 0, true);
    if (why != NULL && why[0] != '\0')
        web_note(x, true, why);
    write_form(x, work, form);
    web_end(x);
}

void web_compose_page(struct http_exchange *x, struct store *store)
{
    struct web_work *work = web_work_take(store);
    struct web_form *form = &work->form;
    enum err err = web_form_begin(x, work, form);

    if (err == OK)
        web_form_show(x, store, work, form,
                      form->cut ? "Not everybody has room here, or not all of "
                                  "the subject: look who is missing, and write "
                                  "to them separately."
                                : NULL);
    else if (err == ERR_EXISTS)
        http_redirect(x, "/mail?said=already");
    else
        web_fail(x, store, err);
    web_work_give(work);
}
