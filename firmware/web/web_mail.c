/* Messages from pages: see web_mail.h. */
#include "web/web_mail.h"
#include "core/machine.h"
#include "core/random.h"
#include "http/http.h"
#include "mailstore/store_person.h"
#include "store/st.h"
#include "store/st_job.h"
#include "userdb/directory.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof(((struct web_work *)0)->words) >=
                  sizeof(((struct web_work *)0)->piece),
              "a piece can stand aside");

/* ---- Into the store ----------------------------------------------------- */

static enum err put_chunk(void *context, struct store *store)
{
    struct web_mail *mail = context;

    if (mail->message_id == 0)
        mail->message_id = store_reserve_id(store);
    return store_put_chunk(store, mail->message_id, mail->chunks, mail->chunk,
                           mail->chunk_used);
}

static void put(struct web_mail *mail, const char *bytes, size_t len)
{
    while (len > 0 && mail->error == OK) {
        size_t part = sizeof(mail->chunk) - mail->chunk_used;

        if (part == 0) {
            mail->error = st_job_write(put_chunk, mail);
            mail->chunks++;
            mail->chunk_bytes += mail->chunk_used;
            mail->chunk_used = 0;
            continue;
        }
        if (part > len)
            part = len;
        memcpy(mail->chunk + mail->chunk_used, bytes, part);
        mail->chunk_used += part;
        bytes += part;
        len -= part;
        if (mail->chunk_bytes + mail->chunk_used > mail->bytes_max)
            mail->error = ERR_TOO_BIG;
    }
}

static enum err take_made(void *context, const char *bytes, size_t len)
{
    struct web_mail *mail = context;

    put(mail, bytes, len);
    return mail->error;
}

static enum err discard(void *context, struct store *store)
{
    const struct web_mail *mail = context;

    return store_discard_chunks(store, mail->message_id);
}

void web_mail_drop(struct web_mail *mail)
{
    /* What stays goes when the store is opened next. */
    if (mail->chunks > 0)
        (void)!st_job_write(discard, mail);
    mail->chunks = 0;
}

void web_mail_begin(struct web_mail *mail, uint64_t bytes_max)
{
    const struct mime_sink sink = {take_made, mail};
    const char *host = st_setting("hostname");

    memset(mail, 0, offsetof(struct web_mail, chunk));
    mail->bytes_max = bytes_max;
    mime_make_begin(&mail->make, &sink, random_u64());
    (void)mime_make_id(mail->id, random_u64(), random_u64(),
                       host[0] != '\0' ? host : "localhost");
}

void web_mail_text(struct web_mail *mail, const char *text)
{
    put(mail, text, strlen(text));
}

/* ---- Header ------------------------------------------------------------- */

/* The message that is answered is named, and those that it has named, the last
 * ones if there are many (RFC 5322 3.6.4). */
static void add_references(struct http_exchange *x, struct web_work *work,
                           const struct web_form *form)
{
    struct mime_span rest, id;
    size_t used = 0;

    if (form->answer == WEB_NEW || form->answer == WEB_FORWARD ||
        form->origin.uid == 0 ||
        web_open(work, web_user_id(x), &form->origin, false) != OK)
        return;
    rest = web_field(work, "References");
    if (rest.len == 0)
        rest = web_field(work, "In-Reply-To");
    while (mime_id_next(&rest, &id))
        if (used + id.len + 2 < sizeof(work->words) / 2) {
            memcpy(work->words + used, id.text, id.len);
            used += id.len;
            work->words[used++] = ' ';
        }
    rest = web_field(work, "Message-ID");
    if (!mime_id_next(&rest, &id) || id.len + 2 > sizeof(work->words) - used)
        return;
    memcpy(work->words + used, id.text, id.len);
    work->words[used + id.len] = '\0';
    mime_make_ids(&work->mail.make, "In-Reply-To", work->words + used);
    mime_make_ids(&work->mail.make, "References", work->words);
}

static void add_sender(struct http_exchange *x, struct web_work *work,
                       const struct web_form *form)
{
    const struct user *user;
    struct mime_make *make = &work->mail.make;
    struct mime_span from = {form->from, strlen(form->from)};
    struct mime_address *person = &work->address;

    mime_make_addresses(make, "From");
    if (web_address_next(&from, person) && person->address[0] != '\0') {
        if (person->name[0] == '\0' &&
            store_preference_get(work->store, web_user_id(x),
                                 STORE_DISPLAY_NAME, person->name,
                                 sizeof(person->name)) != OK)
            person->name[0] = '\0';
        user = directory_user_by_id(web_user_id(x));
        mime_make_address(make,
                          person->name[0] == '\0' && user != NULL
                              ? user->full_name
                              : person->name,
                          person->address);
    }
    mime_make_addresses_end(make);
}

void web_mail_header(struct http_exchange *x, struct web_work *work,
                     const struct web_form *form, bool draft)
{
    struct mime_make *make = &work->mail.make;

    mime_make_date(make, machine_wall_clock_ms(), form->zone);
    if (draft)
        mime_make_text(make, "From", form->from);
    else
        add_sender(x, work, form);
    mime_make_text(make, "Subject", form->subject);
    mime_make_ids(make, "Message-ID", work->mail.id);
    if (!draft)
        add_references(x, work, form);
}

/* ---- Body --------------------------------------------------------------- */

/* A message within the one that is open. */
struct within {
    const struct web_work *work;
    uint32_t start;
};

static int read_within(const struct mime_source *source, uint32_t offset,
                       void *buffer, size_t bytes)
{
    const struct within *within = source->context;
    const struct mime_source *whole = &within->work->source;

    if (bytes > source->bytes - offset)
        bytes = source->bytes - offset;
    return bytes == 0
               ? 0
               : whole->read(whole, within->start + offset, buffer, bytes);
}

/* As a message, which whoever gets it can show; as a file when it cannot stand
 * in another one as it is. */
static enum err copy_message(struct web_work *work, const char *name,
                             uint32_t start, uint32_t bytes)
{
    struct mime_make *make = &work->mail.make;
    struct within within = {work, start};
    const struct mime_source source = {
        .read = read_within, .context = &within, .bytes = bytes};
    uint32_t at = 0;
    int got = mime_make_fits(&source);

    if (got < 0)
        return (enum err)got;
    if (name[0] == '\0')
        name = "message.eml";
    if (got > 0)
        mime_make_message(make, name);
    else
        mime_make_file(make, "message/rfc822", name, NULL);
    while ((got = read_within(&source, at, work->piece, sizeof(work->piece))) >
               0 &&
           work->mail.error == OK) {
        mime_make_data(make, work->piece, (size_t)got);
        at += (uint32_t)got;
    }
    mime_make_file_end(make);
    return got < 0 ? (enum err)got : work->mail.error;
}

static enum err copy_part(struct web_work *work, const struct mime_part *part)
{
    struct mime_make *make = &work->mail.make;
    char type[200];
    int got;

    if (mime_is(part, "message/rfc822") && part->encoding == MIME_7BIT)
        return copy_message(work, part->name, part->body, part->body_bytes);
    (void)snprintf(type, sizeof(type), "%s%s%s", part->type,
                   part->charset[0] != '\0' ? "; charset=" : "", part->charset);
    mime_make_file(make, type, part->name, NULL);
    mime_decode_begin(&work->decoder, &work->source, part, MIME_AS_BYTES);
    while ((got = mime_decode_read(&work->decoder, work->piece,
                                   sizeof(work->piece))) > 0 &&
           work->mail.error == OK)
        mime_make_data(make, work->piece, (size_t)got);
    mime_make_file_end(make);
    return got < 0 ? (enum err)got : work->mail.error;
}

static enum err copy_kept(struct http_exchange *x, struct web_work *work,
                          const struct web_form *form)
{
    enum err err = web_open(work, web_user_id(x), &form->source, true);
    unsigned i;

    for (i = 0; i < work->mime.part_count && err == OK; i++)
        if (form->keep[i] && mime_attached(&work->mime, i, MIME_NONE))
            err = copy_part(work, &work->parts[i]);
    if (err == OK && form->keep[WEB_WHOLE] && web_form_forwards(form))
        err = copy_message(work, "", 0, work->bytes);
    return err;
}

/* Goes to a file that was chosen, with its first bytes in work->piece: a field
 * in which none was comes as an empty one without a name, which the engine
 * calls so. open: *part is one that nothing was read of yet. */
static enum err find_file(struct http_exchange *x, struct web_work *work,
                          struct http_part *part, bool open, int *got)
{
    enum err err = OK;

    for (;; open = false) {
        if (!open)
            err = http_part_next(x, part);
        if (err != OK)
            return err;
        *got = http_part_read(x, work->piece, sizeof(work->piece));
        if (*got < 0)
            return (enum err) * got;
        if (strcmp(part->name, "file") == 0 &&
            (*got > 0 || strcmp(part->file_name, "unnamed") != 0))
            return OK;
    }
}

static enum err take_files(struct http_exchange *x, struct web_work *work,
                           struct http_part *part, int got)
{
    struct mime_make *make = &work->mail.make;
    enum err err = OK;

    while (err == OK) {
        mime_make_file(make, part->type, part->file_name, NULL);
        while (work->mail.error == OK && got > 0) {
            mime_make_data(make, work->piece, (size_t)got);
            got = http_part_read(x, work->piece, sizeof(work->piece));
        }
        mime_make_file_end(make);
        err = got < 0 ? (enum err)got : work->mail.error;
        if (err == OK)
            err = find_file(x, work, part, false, &got);
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

enum err web_mail_body(struct http_exchange *x, struct web_work *work,
                       const struct web_form *form, struct http_part *part,
                       bool file)
{
    struct mime_make *make = &work->mail.make;
    bool kept = false;
    enum err found, err = OK;
    int got = 0;
    unsigned i;

    for (i = 0; i <= WEB_WHOLE && form->source.uid != 0; i++)
        kept |= form->keep[i];
    found = find_file(x, work, part, file, &got);
    if (found != OK && found != ERR_NOT_FOUND)
        return found;
    work->mail.files = kept || found == OK;
    if (work->mail.files)
        mime_make_multipart(make, "mixed");
    mime_make_flowed(make, work->written, work->written_bytes);
    /* The first piece of a file waits in work->piece, which copying needs. */
    if (kept && found == OK)
        memcpy(work->words, work->piece, (size_t)got);
    if (kept)
        err = copy_kept(x, work, form);
    if (kept && found == OK)
        memcpy(work->piece, work->words, (size_t)got);
    if (err == OK && found == OK)
        err = take_files(x, work, part, got);
    if (err != OK)
        return err;
    err = mime_make_end(make);
    return work->mail.error != OK ? work->mail.error : err;
}
