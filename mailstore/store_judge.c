/* What users' rules do to a message that is delivered to them, within the
 * transaction of its delivery.
 *
 * Whoever has neither rules nor a vacation reply costs nothing: who has is kept
 * in memory, and read again after a change. The message is in the store already
 * (its row and body), but in no mailbox of this user. A message that is sent on
 * keeps its sender, as with the administrator's forwarding: what comes back
 * goes to him. Rules of whom it is sent on to here are not asked, so that no
 * two users' rules can send it in circles; outside, the count of Received
 * fields ends that. */
#include "mailstore/store_judge.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/store_mailbox.h"
#include "mailstore/store_person.h"
#include "userdb/directory.h"
#include <stdlib.h>
#include <string.h>

/* Of a field's value, as it is searched. */
#define VALUE_BYTES 2048

/* ---- Who has any -------------------------------------------------------- */

static enum err read_ruled(struct store *store)
{
    sqlite3_stmt *statement = store_statement(store, SQL_RULED);
    unsigned count = 0;
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (count == store->ruled_room) {
            unsigned room = store->ruled_room ? store->ruled_room * 2 : 16;
            void *grown =
                sqlite3_realloc64(store->ruled, room * sizeof *store->ruled);

            if (!grown) {
                sqlite3_reset(statement);
                return ERR_MEMORY;
            }
            store->ruled = grown;
            store->ruled_room = room;
        }
        store->ruled[count++] = sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    if (code != SQLITE_DONE)
        return store_error(store, code);
    store->ruled_count = count;
    store->ruled_known = true;
    return OK;
}

enum err store_is_ruled(struct store *store, int64_t user_id, bool *ruled)
{
    unsigned low = 0, high;
    enum err err = store->ruled_known ? OK : read_ruled(store);

    *ruled = false;
    high = err ? 0 : store->ruled_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (store->ruled[middle] < user_id)
            low = middle + 1;
        else
            high = middle;
    }
    if (!err)
        *ruled = low < store->ruled_count && store->ruled[low] == user_id;
    return err;
}

/* ---- Whether a rule holds ----------------------------------------------- */

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool contains(const char *text, const char *pattern)
{
    size_t len = strlen(pattern);

    for (; *text; text++) {
        size_t i = 0;

        while (i < len && lower(text[i]) == lower(pattern[i]))
            i++;
        if (i == len)
            return true;
    }
    return len == 0;
}

/* Any field of that name. value: VALUE_BYTES. */
static bool field_contains(const char *header, size_t len, const char *name,
                           const char *pattern, char *value)
{
    struct mime_span rest = {header, len}, field, text;

    while (mime_field_next(&rest, &field, &text)) {
        if (field.len != strlen(name))
            continue;
        for (size_t i = 0; i < field.len; i++) {
            if (lower(field.text[i]) != lower(name[i])) {
                field.len = 0;
                break;
            }
        }
        if (field.len == 0)
            continue;
        (void)mime_text(text, value, VALUE_BYTES);
        if (contains(value, pattern))
            return true;
    }
    return false;
}

static bool rule_holds(const struct store_rule *rule, const char *header,
                       size_t len, char *value)
{
    if (rule->pattern[0] == '\0')
        return true;
    switch (rule->field) {
    case STORE_RULE_FROM:
        return field_contains(header, len, "From", rule->pattern, value);
    case STORE_RULE_TO:
        return field_contains(header, len, "To", rule->pattern, value) ||
               field_contains(header, len, "Cc", rule->pattern, value);
    case STORE_RULE_SUBJECT:
        return field_contains(header, len, "Subject", rule->pattern, value);
    case STORE_RULE_HEADER:
    default:
        return field_contains(header, len, rule->header, rule->pattern, value);
    }
}

/* ---- What is done ------------------------------------------------------- */

struct judgement {
    int64_t mailbox_id; /* 0: Inbox */
    uint8_t flags;
    bool deleted;
    unsigned forwards; /* indices of rules, below */
    uint8_t forward[STORE_RULES_MAX];
};

static void judge(const struct store_rule *rules, unsigned count,
                  const char *header, size_t len, char *value,
                  struct judgement *judgement)
{
    for (unsigned i = 0; i < count; i++) {
        const struct store_rule *rule = &rules[i];

        if (!rule_holds(rule, header, len, value))
            continue;
        if ((rule->actions & STORE_RULE_MOVE) && !judgement->mailbox_id)
            judgement->mailbox_id = rule->mailbox_id;
        if (rule->actions & STORE_RULE_SEEN)
            judgement->flags |= STORE_SEEN;
        if (rule->actions & STORE_RULE_FLAG)
            judgement->flags |= STORE_FLAGGED;
        if (rule->actions & STORE_RULE_DELETE)
            judgement->deleted = true;
        if (rule->actions & STORE_RULE_FORWARD)
            judgement->forward[judgement->forwards++] = (uint8_t)i;
        if (rule->actions & STORE_RULE_STOP)
            break;
    }
}

/* Whether a statement whose parameters are bound has a row. */
static enum err any_row(struct store *store, sqlite3_stmt *statement, bool *any)
{
    int code = sqlite3_step(statement);

    sqlite3_reset(statement);
    *any = code == SQLITE_ROW;
    return store_error(store, code);
}

/* To a user here, unless he has it, or gets it as one of the recipients. */
static enum err forward_here(struct store *store,
                             struct store_delivery *delivery, int64_t user_id,
                             bool *is_recipient)
{
    sqlite3_stmt *statement = store_statement(store, SQL_USER_HOLDS);
    enum err err;
    bool holds;

    for (unsigned i = 0; i < delivery->user_count; i++) {
        if (delivery->users[i] == user_id) {
            *is_recipient = true;
            return OK;
        }
    }
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, delivery->message_id);
    sqlite3_bind_int64(statement, 2, user_id);
    err = any_row(store, statement, &holds);
    if (err || holds)
        return err;
    return store_put_inbox(store, user_id, delivery->message_id,
                           delivery->chunk_bytes + delivery->tail_bytes);
}

/* To an address elsewhere, unless it goes there anyway. */
static enum err forward_elsewhere(struct store *store,
                                  struct store_delivery *delivery,
                                  const char *address)
{
    struct store_remote remote = {.address = address, .orcpt = ""};
    sqlite3_stmt *statement = store_statement(store, SQL_QUEUE_HOLDS);
    enum err err;
    bool holds;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, delivery->message_id);
    sqlite3_bind_text(statement, 2, address, -1, SQLITE_STATIC);
    err = any_row(store, statement, &holds);
    if (err || holds)
        return err;
    return store_put_remote(store, delivery, &remote);
}

/* Who is behind an address of ours, kept: while the store works, others ask the
 * directory too. */
struct targets {
    unsigned count;
    struct directory_target each[DIRECTORY_TARGETS_MAX];
};

static enum err expand(const char *address, struct targets *targets)
{
    const struct directory_expansion *expansion;
    enum err err = directory_expand_whole(address, &expansion);

    if (err)
        return err;
    targets->count = expansion->count;
    memcpy(targets->each, expansion->targets,
           expansion->count * sizeof expansion->targets[0]);
    return OK;
}

/* Whether anybody but the user himself gets it; only by his own rules. */
struct reach {
    bool reached, by_others_rules;
};

static enum err forward_to(struct store *store, struct store_delivery *delivery,
                           int64_t user_id, const char *address,
                           struct reach *reach)
{
    struct targets *targets = sqlite3_malloc(sizeof *targets);
    enum err err = targets ? expand(address, targets) : ERR_MEMORY;

    for (unsigned i = 0; !err && i < targets->count; i++) {
        const struct directory_target *target = &targets->each[i];

        if (target->user && target->user->id == user_id)
            continue;
        err = target->user
                  ? forward_here(store, delivery, target->user->id,
                                 &reach->by_others_rules)
                  : forward_elsewhere(store, delivery, target->address);
        reach->reached |= err == OK;
    }
    sqlite3_free(targets);
    if (err == ERR_REFUSED) { /* not one of ours */
        err = forward_elsewhere(store, delivery, address);
        reach->reached |= err == OK;
    }
    /* Nobody is there any more. */
    return err == ERR_NOT_FOUND || err == ERR_BUSY || err == ERR_TOO_BIG ? OK
                                                                         : err;
}

/* Into the folder, or Inbox when there is none. */
static enum err keep(struct store *store, int64_t user_id,
                     const struct store_delivery *delivery,
                     const struct judgement *judgement)
{
    struct store_new_entry entry = {.mailbox_id = judgement->mailbox_id,
                                    .user_id = user_id,
                                    .mail_id = delivery->message_id,
                                    .bytes = delivery->chunk_bytes +
                                             delivery->tail_bytes,
                                    .flags = judgement->flags};
    enum err err = ERR_NOT_FOUND;

    if (entry.mailbox_id)
        err = store_check_folder(store, user_id, entry.mailbox_id,
                                 &entry.uid_next);
    if (err == ERR_NOT_FOUND)
        err = store_find_inbox(store, user_id, &entry.mailbox_id,
                               &entry.uid_next);
    return err ? err : store_put_entry(store, &entry);
}

static bool is_junk(struct store *store, int64_t user_id,
                    const struct judgement *judgement)
{
    int64_t junk;

    return judgement->mailbox_id &&
           store_folder_of(store, user_id, STORE_FOLDER_JUNK, &junk) == OK &&
           junk == judgement->mailbox_id;
}

/* Memory for one delivery. */
struct judging {
    struct judgement judgement;
    char value[VALUE_BYTES];
};

static enum err apply(struct store *store, struct store_delivery *delivery,
                      int64_t user_id, const struct store_rule *rules,
                      unsigned count, struct judging *judging, bool *relies)
{
    struct judgement *judgement = &judging->judgement;
    struct reach reach = {false, false};
    const void *header;
    size_t len;
    enum err err =
        store_message_head(store, delivery->message_id, &header, &len);

    memset(judgement, 0, sizeof *judgement);
    if (err)
        return err;
    judge(rules, count, header, len, judging->value, judgement);
    for (unsigned i = 0; !err && !delivery->stays && i < judgement->forwards;
         i++)
        err = forward_to(store, delivery, user_id,
                         rules[judgement->forward[i]].forward, &reach);
    /* What went to nobody is not lost. */
    if (judgement->forwards && !reach.reached)
        judgement->deleted = false;
    *relies = judgement->deleted && reach.by_others_rules;
    if (!err && !judgement->deleted)
        err = keep(store, user_id, delivery, judgement);
    if (!err && !judgement->deleted && !is_junk(store, user_id, judgement))
        err = store_answer_vacation(store, delivery, user_id);
    return err;
}

enum err store_deliver_ruled(struct store *store,
                             struct store_delivery *delivery, int64_t user_id,
                             bool *relies)
{
    struct store_rule *rules;
    struct judging *judging;
    unsigned count;
    enum err err = store_read_rules(store, user_id, &rules, &count);

    *relies = false;
    judging = sqlite3_malloc(sizeof *judging);
    if (!err && !judging)
        err = ERR_MEMORY;
    if (!err)
        err = apply(store, delivery, user_id, rules, count, judging, relies);
    sqlite3_free(judging);
    sqlite3_free(rules);
    return err;
}
