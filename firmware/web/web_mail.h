/* A message on its way from a page into the store.
 *
 *   mime_make -> web_mail: parts of 64 KiB -> store_put_chunk()
 *                          the last of them goes with what ends it:
 *                          store_deliver() or store_append()
 *
 * Everything is done by the writer, in its group commits (st_job_write()). A
 * message that is given up leaves nothing behind. */
#ifndef WEB_WEB_MAIL_H
#define WEB_WEB_MAIL_H

#include "mailstore/mime/mime_make.h"
#include "mailstore/store.h"

struct http_exchange;
struct web_form;
struct web_work;

struct web_mail {
    struct mime_make make;
    int64_t message_id; /* 0: not reserved yet */
    uint32_t chunks;
    uint64_t chunk_bytes, bytes_max;
    size_t chunk_used;
    enum err error;
    bool files;            /* it has some */
    char id[MIME_MAKE_ID]; /* Message-ID */
    char chunk[STORE_CHUNK_BYTES];
};

/* web_mail_begin - a new one; a second one may be begun when the first is over.
 * bytes_max: of the message. web_mail_text - bytes before the header, as they
 * are: trace lines. */
void web_mail_begin(struct web_mail *mail, uint64_t bytes_max);
void web_mail_text(struct web_mail *mail, const char *text);

/* web_mail_header - Date, Message-ID, From, Subject, and what an answer needs
 * (In-Reply-To, References); the message that is answered is opened in work.
 * draft: From as it was typed, and nothing of an answer yet. */
void web_mail_header(struct http_exchange *x, struct web_work *work,
                     const struct web_form *form, bool draft);

/* web_mail_body - the text, the attachments that are kept, and those that
 * come with the request; part, file: as web_form_read() left them. Returns OK,
 * ERR_TOO_BIG, or what reading or storing said. */
struct http_part;
enum err web_mail_body(struct http_exchange *x, struct web_work *work,
                       const struct web_form *form, struct http_part *part,
                       bool file) MUST_CHECK;

/* web_mail_drop - gives it up. */
void web_mail_drop(struct web_mail *mail);

#endif
