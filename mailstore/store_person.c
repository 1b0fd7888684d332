/* Preferences, and the list of rules: see store_person.h. What they do to a
 * message: store_judge.c, store_vacation.c. */
#include "mailstore/store_person.h"
#include "mailstore/store_internal.h"
#include "mailstore/store_judge.h"
#include "mailstore/store_mailbox.h"
#include "mailstore/mime/charset.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 32

/* ---- Preferences -------------------------------------------------------- */

static bool key_valid(const char *key)
{
    size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-_");

    return len > 0 && len <= KEY_MAX && key[len] == '\0';
}

/* UTF-8 with line ends and tabs, but no other control characters. */
static bool text_valid(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n\t\r");

        if (!user_text_valid(text, len))
            return false;
        text += len;
        text += strspn(text, "\n\t\r");
    }
    return true;
}

enum err store_preference_get(struct store *store, int64_t user_id,
                              const char *key, char *value, size_t bytes)
{
    sqlite3_stmt *statement = store_statement(store, SQL_PREFERENCE_GET);
    int code;

    value[0] = '\0';
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, user_id);
    sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);

        utf8_copy(value, bytes, text ? text : "");
    }
    sqlite3_reset(statement);
    return store_error(store, code);
}

static enum err put_preference(struct store *store, int64_t user_id,
                               const char *key, const char *value)
{
    sqlite3_stmt *statement = store_statement(
        store, value[0] ? SQL_PREFERENCE_PUT : SQL_PREFERENCE_DROP);
    enum err err;

    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
        if (value[0])
            sqlite3_bind_text(statement, 3, value, -1, SQLITE_STATIC);
    }
    err = store_run(store, statement);
    if (err == ERR_EXISTS) /* the constraint is that of the user */
        err = ERR_NOT_FOUND;
    return err;
}

enum err store_preference_put(struct store *store, int64_t user_id,
                              const char *key, const char *value)
{
    if (strnlen(value, STORE_PREFERENCE_BYTES) == STORE_PREFERENCE_BYTES)
        return ERR_TOO_BIG;
    if (!key_valid(key) || !text_valid(value))
        return ERR_INVALID;
    return put_preference(store, user_id, key, value);
}

/* ---- Vacation ----------------------------------------------------------- */

/* "ON FROM UNTIL" as numbers. */
static void read_state(const char *text, struct store_vacation *vacation)
{
    char *end;

    vacation->on = text[0] == '1';
    vacation->from_ms = strtoll(text[0] ? text + 1 : text, &end, 10);
    vacation->until_ms = strtoll(end, NULL, 10);
}

enum err store_vacation_get(struct store *store, int64_t user_id,
                            struct store_vacation *vacation)
{
    char state[64];
    enum err err = store_preference_get(store, user_id, STORE_VACATION, state,
                                        sizeof state);

    memset(vacation, 0, sizeof *vacation);
    if (err)
        return err;
    read_state(state, vacation);
    err = store_preference_get(store, user_id, "vacation-subject",
                               vacation->subject, sizeof vacation->subject);
    if (err)
        return err;
    return store_preference_get(store, user_id, "vacation-text", vacation->text,
                                sizeof vacation->text);
}

struct vacation_put {
    int64_t user_id;
    const struct store_vacation *vacation;
};

static enum err put_vacation(struct store *store, void *context)
{
    const struct vacation_put *put = context;
    const struct store_vacation *vacation = put->vacation;
    sqlite3_stmt *statement;
    char state[64];
    enum err err;

    snprintf(state, sizeof state, "%d %lld %lld", vacation->on,
             (long long)vacation->from_ms, (long long)vacation->until_ms);
    err = put_preference(store, put->user_id, STORE_VACATION, state);
    if (!err)
        err = put_preference(store, put->user_id, "vacation-subject",
                             vacation->subject);
    if (!err)
        err = put_preference(store, put->user_id, "vacation-text",
                             vacation->text);
    if (err)
        return err;
    statement = store_statement(store, SQL_VACATION_FORGET);
    if (statement) {
        sqlite3_bind_int64(statement, 1, put->user_id);
        sqlite3_bind_int64(statement, 2, INT64_MAX);
    }
    store->ruled_known = false;
    return store_run(store, statement);
}

enum err store_vacation_put(struct store *store, int64_t user_id,
                            const struct store_vacation *vacation)
{
    struct vacation_put put = {user_id, vacation};
    size_t subject = strnlen(vacation->subject, sizeof vacation->subject);

    if (subject == sizeof vacation->subject ||
        strnlen(vacation->text, sizeof vacation->text) ==
            sizeof vacation->text ||
        !user_text_valid(vacation->subject, subject) ||
        !text_valid(vacation->text) || (vacation->on && !vacation->text[0]) ||
        (vacation->until_ms && vacation->until_ms <= vacation->from_ms))
        return ERR_INVALID;
    return store_atomically(store, put_vacation, &put);
}

/* ---- Rules -------------------------------------------------------------- */

enum err store_read_rules(struct store *store, int64_t user_id,
                          struct store_rule **rules, unsigned *count)
{
    sqlite3_stmt *statement = store_statement(store, SQL_RULE_LIST);
    struct store_rule *list;
    int code = SQLITE_DONE;

    *rules = NULL;
    *count = 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    list = sqlite3_malloc64(STORE_RULES_MAX * sizeof *list);
    if (!list)
        return ERR_MEMORY;
    sqlite3_bind_int64(statement, 1, user_id);
    while (*count < STORE_RULES_MAX &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_rule *rule = &list[(*count)++];

        rule->id = sqlite3_column_int64(statement, 0);
        rule->field = (enum store_rule_field)sqlite3_column_int(statement, 1);
        store_copy_column(statement, 2, rule->header, sizeof rule->header);
        store_copy_column(statement, 3, rule->pattern, sizeof rule->pattern);
        rule->actions = (uint8_t)sqlite3_column_int(statement, 4);
        rule->mailbox_id = sqlite3_column_int64(statement, 5);
        store_copy_column(statement, 6, rule->forward, sizeof rule->forward);
    }
    sqlite3_reset(statement);
    *rules = list;
    return store_error(store, code);
}

enum err store_list_rules(struct store *store, int64_t user_id,
                          enum err (*each)(void *context,
                                           const struct store_rule *rule),
                          void *context)
{
    struct store_rule *rules;
    unsigned count;
    enum err err = store_read_rules(store, user_id, &rules, &count);

    for (unsigned i = 0; !err && i < count; i++)
        err = each(context, &rules[i]);
    sqlite3_free(rules);
    return err;
}

static bool field_valid(const struct store_rule *rule)
{
    size_t len = strnlen(rule->header, sizeof rule->header);

    if (rule->field != STORE_RULE_HEADER)
        return rule->field >= STORE_RULE_FROM &&
               rule->field < STORE_RULE_HEADER;
    if (len == 0 || len == sizeof rule->header)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (rule->header[i] <= ' ' || rule->header[i] >= 127 ||
            rule->header[i] == ':')
            return false;
    }
    return true;
}

static bool rule_valid(const struct store_rule *rule)
{
    size_t len = strnlen(rule->pattern, sizeof rule->pattern);

    if (!field_valid(rule) || len == sizeof rule->pattern ||
        !user_text_valid(rule->pattern, len) || rule->actions == 0 ||
        (rule->actions & ~STORE_RULE_ACTIONS) != 0)
        return false;
    return (rule->actions & STORE_RULE_FORWARD) == 0 ||
           (strnlen(rule->forward, sizeof rule->forward) <
                sizeof rule->forward &&
            user_address_valid(rule->forward));
}

struct rule_put {
    int64_t user_id;
    const struct store_rule *rule;
};

static enum err count_rules(struct store *store, int64_t user_id,
                            int64_t *count)
{
    return store_number_of(store, SQL_RULE_COUNT, user_id, count);
}

static void bind_rule(sqlite3_stmt *statement, const struct rule_put *put)
{
    const struct store_rule *rule = put->rule;

    sqlite3_bind_int64(statement, 1, put->user_id);
    sqlite3_bind_int(statement, 2, (int)rule->field);
    sqlite3_bind_text(statement, 3, rule->header, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, rule->pattern, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 5, rule->actions);
    if (rule->actions & STORE_RULE_MOVE)
        sqlite3_bind_int64(statement, 6, rule->mailbox_id);
    else
        sqlite3_bind_null(statement, 6);
    sqlite3_bind_text(statement, 7, rule->forward, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 8, rule->id);
}

static enum err put_rule(struct store *store, void *context)
{
    struct rule_put *put = context;
    bool change = put->rule->id != 0;
    sqlite3_stmt *statement;
    int64_t count;
    enum err err = count_rules(store, put->user_id, &count);

    if (!err && !change && count >= STORE_RULES_MAX)
        err = ERR_TOO_BIG;
    if (!err && (put->rule->actions & STORE_RULE_MOVE))
        err = store_check_folder(store, put->user_id, put->rule->mailbox_id,
                                 NULL);
    if (err)
        return err;
    statement = store_statement(store, change ? SQL_RULE_CHANGE : SQL_RULE_PUT);
    if (statement)
        bind_rule(statement, put);
    err = store_run(store, statement);
    if (err == ERR_EXISTS || (!err && sqlite3_changes(store->db) == 0))
        err = ERR_NOT_FOUND;
    store->ruled_known = false;
    return err;
}

enum err store_rule_put(struct store *store, int64_t user_id,
                        const struct store_rule *rule)
{
    struct rule_put put = {user_id, rule};

    if (!rule_valid(rule))
        return ERR_INVALID;
    return store_atomically(store, put_rule, &put);
}

static enum err change_rule(struct store *store, enum statement which,
                            int64_t user_id, int64_t rule_id)
{
    sqlite3_stmt *statement = store_statement(store, which);
    enum err err;

    if (statement) {
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_int64(statement, 2, rule_id);
    }
    err = store_run(store, statement);
    store->ruled_known = false;
    return !err && sqlite3_changes(store->db) == 0 ? ERR_NOT_FOUND : err;
}

enum err store_rule_drop(struct store *store, int64_t user_id, int64_t rule_id)
{
    return change_rule(store, SQL_RULE_DROP, user_id, rule_id);
}

enum err store_rule_raise(struct store *store, int64_t user_id, int64_t rule_id)
{
    return change_rule(store, SQL_RULE_RAISE, user_id, rule_id);
}
