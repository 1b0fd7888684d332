/* Memory that a page needs while it takes a message apart or puts one together:
 * more than a stack has. There is one for each page job, so that taking one
 * never has to wait; what waits for the outside may keep it. */
#ifndef WEB_WEB_WORK_H
#define WEB_WEB_WORK_H

#include "account/account.h"
#include "account/account_change.h"
#include "core/list.h"
#include "http/http.h"
#include "mailstore/mime/mime.h"
#include "mailstore/mime/mime_decode.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/mime/mime_html.h"
#include "mailstore/store_append.h"
#include "mailstore/store_find.h"
#include "mailstore/store_mailbox.h"
#include "mailstore/store_person.h"
#include "web/web_envelope.h"
#include "web/web_form.h"
#include "web/web_mail.h"
#include "web/web_text.h"
#include "web/web_way.h"

struct http_exchange;

/* The header of a message, as far as it is looked at. */
#define WEB_HEADER_BYTES 16384
/* The longest text that can be written in a browser. */
#define WEB_TEXT_BYTES 98304

struct web_work {
    struct list link; /* of the free ones */
    struct store *store;

    /* The message: see web_open(). */
    struct store_key key;
    int64_t message_id, thread_id, received_ms;
    uint32_t bytes;
    uint8_t flags;
    struct mime_source source;
    struct mime mime;
    struct mime_part parts[WEB_PARTS];
    char texts[WEB_PARTS * 80];
    char header[WEB_HEADER_BYTES];
    size_t header_bytes;

    /* For whatever is done with it. */
    struct mime_decoder decoder;
    struct mime_address address;
    struct mime_plain plain;
    union {
        struct web_text text;
        struct html_clean clean;
    };
    struct store_key keys[STORE_KEYS_MAX];
    struct web_form form;
    struct web_envelope envelope;
    struct web_mail mail;
    struct store_sending sending;
    struct store_search search;
    struct web_way way;
    struct store_rule rule;
    struct store_vacation vacation;
    char choice[STORE_PREFERENCE_BYTES];
    struct account_login login;
    struct account_change change;
    struct http_part part;
    char sender[USER_ADDRESS_BYTES];
    char piece[4096];
    char words[4096];
    char written[WEB_TEXT_BYTES];
    size_t written_bytes;
};

enum err web_work_init(void) MUST_CHECK;
struct web_work *web_work_take(struct store *store);
void web_work_give(struct web_work *work);

/* web_open - finds a message of this user, reads its header and, parse: takes
 * it apart. Returns OK, ERR_NOT_FOUND, or an error of the store. */
enum err web_open(struct web_work *work, int64_t user_id,
                  const struct store_key *key, bool parse) MUST_CHECK;

/* web_open_header - work->header becomes that of a part of the message. */
void web_open_header(struct web_work *work, const struct mime_part *part);

/* web_source - work->source reads this message, whose user has been asked for
 * before. */
void web_source(struct web_work *work, int64_t message_id, uint32_t bytes);

/* web_field - a field of its header; empty when there is none.
 * web_subject - the decoded subject, in work->words. */
struct mime_span web_field(const struct web_work *work, const char *name);
const char *web_subject(struct web_work *work);

#endif
