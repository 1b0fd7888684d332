/* A message while it is written: what the form of /compose holds.
 *
 * From a request (GET: what to begin with; POST: what was typed), from a draft,
 * or from the message that is answered or forwarded. */
#ifndef WEB_WEB_FORM_H
#define WEB_WEB_FORM_H

#include "core/err.h"
#include "mailstore/store_draft.h"
#include "mailstore/store_mailbox.h"
#include "userdb/user.h"
#include <stdbool.h>
#include <stddef.h>

struct http_exchange;
struct http_part;
struct web_work;

/* Parts of a message that are told apart; what lies behind stays whole. */
#define WEB_PARTS 200
/* In the place of a part: the whole message that is forwarded. */
#define WEB_WHOLE WEB_PARTS

#define WEB_PEOPLE_BYTES 8192

enum web_answer { WEB_NEW, WEB_REPLY, WEB_REPLY_ALL, WEB_FORWARD };

/* A key that may be missing: uid 0. */
struct web_form {
    char from[USER_ADDRESS_BYTES + USER_FULL_NAME_BYTES + 8];
    char to[WEB_PEOPLE_BYTES], cc[WEB_PEOPLE_BYTES], bcc[WEB_PEOPLE_BYTES];
    char subject[1024];
    struct store_key draft;  /* what this replaces */
    struct store_key origin; /* what is answered or forwarded */
    enum web_answer answer;
    /* The message whose attachments go with this one, and which of them. */
    struct store_key source;
    bool keep[WEB_PARTS + 1]; /* also WEB_WHOLE */
    int zone;                 /* minutes east of UTC, as the browser says */
    bool cut; /* not all people or all of the subject have room */
    /* Which composition it is (store_draft.h); "" from whoever does not say. */
    char compose[STORE_COMPOSITION_BYTES];
};

/* The text is work->written. */

/* Fields of a draft that say more than its message does. */
#define WEB_ORIGIN_FIELD  "X-Barepost-Origin"
#define WEB_SOURCE_FIELD  "X-Barepost-Source"
#define WEB_COMPOSE_FIELD "X-Barepost-Composition"

/* web_draft_save - the form becomes the draft of its composition, in the place
 * of the one before; form->draft then names it. with_files: the attachments are
 * put into it, also those that come with the request (part, file: as
 * web_form_read() left them); else they stay where they are. Returns OK,
 * ERR_EXISTS (it has been sent), or an error of the store. */
enum err web_draft_save(struct http_exchange *x, struct web_work *work,
                        struct web_form *form, struct http_part *part,
                        bool file, bool with_files) MUST_CHECK;

/* web_draft_load - the form as the draft form->draft has it. OK,
 * ERR_NOT_FOUND, or an error of the store. */
enum err web_draft_load(struct http_exchange *x, struct web_work *work,
                        struct web_form *form) MUST_CHECK;

/* web_draft_drop_source - the draft that held the files of this form goes with
 * it; other mail does not, wherever it lies. In the writer. */
void web_draft_drop_source(struct store *store, int64_t user_id,
                           const struct web_form *form);

/* web_form_read - a POST, up to its text; ERR_TOO_BIG: the text is too long, or
 * another field so long that what stands behind it is not known.
 * Files follow: they are read by http_part_next(), the first of them is *part
 * already when *file is true. */
enum err web_form_read(struct http_exchange *x, struct web_work *work,
                       struct web_form *form, struct http_part *part,
                       bool *file) MUST_CHECK;

/* web_form_begin - a GET: ?to= cc= bcc= subject= text=, as links in mail have
 * them, too, or without to= ?reply= all= forward= draft= with a key. Returns
 * OK, ERR_NOT_FOUND, ERR_EXISTS (the draft has been sent), or an error of the
 * store. */
enum err web_form_begin(struct http_exchange *x, struct web_work *work,
                        struct web_form *form) MUST_CHECK;

/* web_form_show - the page; why: what was wrong, or NULL. */
void web_form_show(struct http_exchange *x, struct store *store,
                   struct web_work *work, struct web_form *form,
                   const char *why);

/* web_form_forwards - whether its files come from the very message that is
 * forwarded, which then can go with it as a whole. */
bool web_form_forwards(const struct web_form *form);

/* web_answer_fill - the form of an answer to the message that work has open. */
void web_answer_fill(struct http_exchange *x, struct web_work *work,
                     struct web_form *form);

/* web_append - more at the end of work->written; what has no room is left out.
 */
void web_append(struct web_work *work, const char *text, size_t len);

#endif
