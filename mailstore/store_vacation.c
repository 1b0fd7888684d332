/* Answers while a user is away (RFC 3834), made and stored by the transaction
 * that delivers the message they answer.
 *
 * Nobody is answered who may be a machine or a list: not the null sender,
 * mailer-daemons and owners of lists, nothing that says Auto-Submitted, has a
 * List- field or a Precedence of bulk, junk or list (RFC 3834 2); nor mail in
 * which none of the user's own addresses stands in To or Cc, nor his own. Each
 * sender gets one answer in STORE_VACATION_DAYS, and the answer has the null
 * sender and Auto-Submitted, so that nothing answers it. No delivery fails
 * because its answer has no room. */
#include "core/random.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/mime/mime_make.h"
#include "mailstore/store_judge.h"
#include "mailstore/store_person.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)
/* Answers in STORE_VACATION_DAYS: more senders are not answered. */
#define ANSWERS_MAX 1000
/* Addresses of To and Cc that are looked at. */
#define PEOPLE_MAX    200
#define REPLY_BYTES   STORE_CHUNK_BYTES
#define SUBJECT_BYTES 300

struct answering {
    struct store_vacation vacation;
    struct mime_address address; /* of the user's, that it was sent to */
    struct mime_address other;
    char id[MIME_MAKE_ID];
    char text[512], host[USER_DOMAIN_BYTES];
    struct mime_make make;
    size_t reply_bytes;
    char reply[REPLY_BYTES];
};

/* ---- Whether ------------------------------------------------------------ */

static bool begins(const char *text, size_t len, const char *word)
{
    size_t bytes = strlen(word);

    return len >= bytes && strncasecmp(text, word, bytes) == 0;
}

static bool ends(const char *text, size_t len, const char *word)
{
    size_t bytes = strlen(word);

    return len >= bytes && strncasecmp(text + len - bytes, word, bytes) == 0;
}

/* Whether the sender is somebody who reads. */
static bool is_person(const char *sender)
{
    static const char *const machines[] = {
        "mailer-daemon", "listserv",   "majordomo",    "owner-",     "noreply",
        "no-reply",      "donotreply", "do-not-reply", "postmaster", "bounce"};
    const char *at = user_address_at(sender, strlen(sender));
    size_t len = at ? (size_t)(at - sender) : 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (begins(sender, len, machines[i]))
            return false;
    }
    return !ends(sender, len, "-request") && !ends(sender, len, "-owner") &&
           !ends(sender, len, "-bounces") && !ends(sender, len, "-relay");
}

static bool says(const void *header, size_t len, const char *field,
                 const char *word)
{
    struct mime_span value;

    return mime_field(header, len, field, &value) &&
           begins(value.text, value.len, word);
}

static bool is_automatic(const void *header, size_t len)
{
    struct mime_span rest = {header, len}, name, value;

    while (mime_field_next(&rest, &name, &value)) {
        if (begins(name.text, name.len, "List-") ||
            begins(name.text, name.len, "X-Auto-Response-Suppress"))
            return true;
        if (name.len == 14 && begins(name.text, name.len, "Auto-Submitted") &&
            !begins(value.text, value.len, "no"))
            return true;
    }
    return says(header, len, "Precedence", "bulk") ||
           says(header, len, "Precedence", "junk") ||
           says(header, len, "Precedence", "list");
}

static bool is_own(int64_t user_id, const char *address)
{
    size_t len = strlen(address);
    const char *at = user_address_at(address, len);

    return at &&
           directory_may_send_as(user_id, address, (size_t)(at - address),
                                 at + 1, len - (size_t)(at - address) - 1);
}

/* The user's own address in a field. */
static bool find_own(int64_t user_id, const void *header, size_t len,
                     const char *field, struct mime_address *address)
{
    struct mime_span value;
    unsigned seen = 0;

    if (!mime_field(header, len, field, &value))
        return false;
    while (seen++ < PEOPLE_MAX && mime_address_next(&value, address)) {
        if (address->address[0] && is_own(user_id, address->address))
            return true;
    }
    return false;
}

static bool is_away(const struct store_vacation *vacation, int64_t now_ms)
{
    return vacation->on && now_ms >= vacation->from_ms &&
           (vacation->until_ms == 0 || now_ms < vacation->until_ms);
}

/* Whether the sender has had no answer yet; then he counts as answered. */
static enum err note_sender(struct store *store, int64_t user_id,
                            const char *sender, int64_t now_ms, bool *first)
{
    sqlite3_stmt *statement = store_statement(store, SQL_VACATION_FORGET);
    int64_t answered = 0;
    enum err err;

    *first = false;
    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_int64(statement, 2, now_ms - STORE_VACATION_DAYS * DAY_MS);
    }
    err = store_run(store, statement);
    if (!err)
        err = store_number_of(store, SQL_VACATION_COUNT, user_id, &answered);
    if (err || answered >= ANSWERS_MAX)
        return err;
    statement = store_statement(store, SQL_VACATION_NOTE);
    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_text(statement, 2, sender, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, now_ms);
    }
    err = store_run(store, statement);
    *first = !err && sqlite3_changes(store->db) == 1;
    return err;
}

/* ---- The answer --------------------------------------------------------- */

static enum err take_reply(void *context, const char *text, size_t len)
{
    struct answering *answering = context;

    if (len > sizeof answering->reply - answering->reply_bytes)
        return ERR_TOO_BIG;
    memcpy(answering->reply + answering->reply_bytes, text, len);
    answering->reply_bytes += len;
    return OK;
}

static void put_subject(struct answering *answering, const void *header,
                        size_t len)
{
    char *text = answering->text;
    struct mime_span value;

    if (answering->vacation.subject[0]) {
        mime_make_text(&answering->make, "Subject",
                       answering->vacation.subject);
        return;
    }
    memcpy(text, "Auto: your message", 19);
    if (mime_field(header, len, "Subject", &value) && value.len)
        (void)mime_text(value, text + 6, SUBJECT_BYTES);
    mime_make_text(&answering->make, "Subject", text);
}

/* In-Reply-To, and the conversation that it belongs to. */
static void put_ids(struct answering *answering, const void *header, size_t len)
{
    char *text = answering->text;
    struct mime_span value, id, first = {"", 0};

    if (!mime_field(header, len, "Message-ID", &value) ||
        !mime_id_next(&value, &id) || id.len > 200)
        return;
    (void)snprintf(text, sizeof answering->text, "%.*s", (int)id.len, id.text);
    mime_make_ids(&answering->make, "In-Reply-To", text);
    if (mime_field(header, len, "References", &value))
        (void)mime_id_next(&value, &first);
    if (first.len && first.len <= 200 &&
        (first.len != id.len || memcmp(first.text, id.text, id.len) != 0))
        (void)snprintf(text, sizeof answering->text, "%.*s %.*s",
                       (int)first.len, first.text, (int)id.len, id.text);
    mime_make_ids(&answering->make, "References", text);
}

static enum err write_reply(struct store *store, struct answering *answering,
                            const char *sender, const struct user *user,
                            int64_t now_ms, const void *header, size_t len)
{
    const struct mime_sink sink = {take_reply, answering};
    struct mime_make *make = &answering->make;
    enum err err = store_setting_get(store, "hostname", answering->host,
                                     sizeof answering->host);

    if (err)
        snprintf(answering->host, sizeof answering->host, "localhost");
    mime_make_begin(make, &sink, random_u64());
    mime_make_date(make, now_ms, 0);
    mime_make_addresses(make, "From");
    mime_make_address(make, user->full_name, answering->address.address);
    mime_make_addresses_end(make);
    mime_make_addresses(make, "To");
    mime_make_address(make, "", sender);
    mime_make_addresses_end(make);
    put_subject(answering, header, len);
    mime_make_ids(make, "Message-ID",
                  mime_make_id(answering->id, random_u64(), random_u64(),
                               answering->host));
    put_ids(answering, header, len);
    mime_make_text(make, "Auto-Submitted", "auto-replied (vacation)");
    mime_make_text(make, "Precedence", "bulk");
    mime_make_flowed(make, answering->vacation.text,
                     strlen(answering->vacation.text));
    return mime_make_end(make);
}

/* Goes to whoever the sender is, here or elsewhere. */
static enum err send_reply(struct store *store, struct answering *answering,
                           const char *sender, int64_t now_ms)
{
    const struct directory_expansion *expansion;
    struct store_remote remote = {
        .address = sender, .orcpt = "", .notify = STORE_NOTIFY_NEVER};
    struct store_delivery delivery = {.sender = "",
                                      .received_ms = now_ms,
                                      .remotes = &remote,
                                      .envid = "",
                                      .tail = answering->reply,
                                      .tail_bytes = answering->reply_bytes};
    int64_t user_id;
    enum err err = directory_expand_whole(sender, &expansion);

    if (err == ERR_REFUSED) {
        delivery.remote_count = 1;
    } else if (err || expansion->count != 1 || !expansion->targets[0].user) {
        return OK; /* not a person of ours */
    } else {
        user_id = expansion->targets[0].user->id;
        delivery.users = &user_id;
        delivery.user_count = 1;
    }
    err = store_deliver(store, &delivery);
    return err == ERR_FULL ? OK : err;
}

static enum err answer(struct store *store,
                       const struct store_delivery *delivery,
                       const struct user *user, struct answering *answering)
{
    int64_t now_ms = delivery->received_ms;
    const void *header;
    size_t len;
    bool first;
    enum err err = store_vacation_get(store, user->id, &answering->vacation);

    if (err || !is_away(&answering->vacation, now_ms))
        return err;
    err = store_message_head(store, delivery->message_id, &header, &len);
    if (err || is_automatic(header, len) ||
        (!find_own(user->id, header, len, "To", &answering->address) &&
         !find_own(user->id, header, len, "Cc", &answering->address)))
        return err;
    err = note_sender(store, user->id, delivery->sender, now_ms, &first);
    if (err || !first)
        return err;
    answering->reply_bytes = 0;
    /* Nothing that has been written so far depends on the answer. */
    if (write_reply(store, answering, delivery->sender, user, now_ms, header,
                    len))
        return OK;
    return send_reply(store, answering, delivery->sender, now_ms);
}

enum err store_answer_vacation(struct store *store,
                               const struct store_delivery *delivery,
                               int64_t user_id)
{
    const struct user *user = directory_user_by_id(user_id);
    struct answering *answering;
    enum err err;

    if (!user || !is_person(delivery->sender) ||
        is_own(user_id, delivery->sender))
        return OK;
    answering = sqlite3_malloc(sizeof *answering);
    if (!answering)
        return ERR_MEMORY;
    err = answer(store, delivery, user, answering);
    sqlite3_free(answering);
    return err;
}
