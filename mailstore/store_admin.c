/* Settings, users, aliases, figures. */
#include "mailstore/store_internal.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

enum err store_setting_get(struct store *store, const char *key, char *value,
                           size_t value_bytes)
{
    sqlite3_stmt *statement = store_statement(store, SQL_SETTING_GET);
    enum err err;
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    err = code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
    if (!err) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        size_t len = (size_t)sqlite3_column_bytes(statement, 0);

        if (!text || len >= value_bytes)
            err = ERR_TOO_BIG;
        else
            memcpy(value, text, len + 1);
    }
    sqlite3_reset(statement);
    return err;
}

enum err store_setting_number(struct store *store, const char *key,
                              int64_t otherwise, int64_t *number)
{
    char text[24] = "";
    enum err err = store_setting_get(store, key, text, sizeof text);
    int64_t value = 0;

    *number = otherwise;
    if (err == ERR_NOT_FOUND)
        return OK;
    if (err)
        return err;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || value > INT64_MAX / 10 - 1)
            return ERR_CORRUPT;
        value = value * 10 + (*at - '0');
    }
    *number = value;
    return OK;
}

enum err store_setting_put(struct store *store, const char *key,
                           const char *value)
{
    sqlite3_stmt *statement = store_statement(store, SQL_SETTING_PUT);

    if (statement) {
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    }
    return store_run(store, statement);
}

enum err store_list_settings(struct store *store,
                             enum err (*each)(void *context, const char *key,
                                              const char *value),
                             void *context)
{
    static const char sql[] = "SELECT Key,Value FROM setting ORDER BY Key";
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    enum err err = store_error(store, code);

    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        const char *value = (const char *)sqlite3_column_text(statement, 1);

        if (key && value)
            err = each(context, key, value);
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

enum err store_add_mailbox(struct store *store, int64_t user_id,
                           const char *name)
{
    sqlite3_stmt *statement = store_statement(store, SQL_MAILBOX_ADD);
    sqlite3_int64 now = 0;

    if (statement) {
        /* RFC 9051 2.3.1.1: a 32-bit number that grows when a mailbox of the
         * same name is made again. */
        sqlite3_vfs_find(NULL)->xCurrentTimeInt64(NULL, &now);
        now = (now - 210866760000000) / 1000;
        if (now < 1 || now > UINT32_MAX)
            now = 1;
        sqlite3_bind_int64(statement, 1, user_id);
        sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, now);
    }
    return store_run(store, statement);
}

static enum err add_user(struct store *store, void *context)
{
    static const char *const mailboxes[] = {"Inbox", "Sent", "Drafts", "Junk",
                                            "Trash"};
    struct user *user = context;
    sqlite3_stmt *statement = store_statement(store, SQL_USER_ADD);
    enum err err;

    if (statement) {
        sqlite3_bind_text(statement, 1, user->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, user->full_name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, user->hash, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, (sqlite3_int64)user->quota_bytes);
        sqlite3_bind_int(statement, 5, user->admin);
        sqlite3_bind_int(statement, 6, user->enabled);
    }
    err = store_run(store, statement);
    if (err)
        return err;
    user->id = sqlite3_last_insert_rowid(store->db);
    for (size_t i = 0; !err && i < sizeof mailboxes / sizeof mailboxes[0]; i++)
        err = store_add_mailbox(store, user->id, mailboxes[i]);
    return err;
}

enum err store_user_add(struct store *store, struct user *user)
{
    if (!user_name_valid(user->name))
        return ERR_INVALID;
    return store_atomically(store, add_user, user);
}

static enum err add_alias(struct store *store, const char *alias,
                          int64_t user_id, const char *address)
{
    sqlite3_stmt *statement = store_statement(store, SQL_ALIAS_ADD);
    enum err err;

    if (statement) {
        sqlite3_bind_text(statement, 1, alias, -1, SQLITE_STATIC);
        if (address)
            sqlite3_bind_null(statement, 2);
        else
            sqlite3_bind_int64(statement, 2, user_id);
        sqlite3_bind_text(statement, 3, address, -1, SQLITE_STATIC);
    }
    err = store_run(store, statement);
    if (err == ERR_EXISTS &&
        sqlite3_extended_errcode(store->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
        err = ERR_NOT_FOUND;
    return err;
}

enum err store_alias_add(struct store *store, const char *alias,
                         int64_t user_id)
{
    if (!user_alias_valid(alias))
        return ERR_INVALID;
    return add_alias(store, alias, user_id, NULL);
}

enum err store_forward_add(struct store *store, const char *alias,
                           const char *address)
{
    if (!user_alias_valid(alias) || !user_address_valid(address))
        return ERR_INVALID;
    return add_alias(store, alias, 0, address);
}

/* ---- The directory ------------------------------------------------------ */

static enum err load_user(sqlite3_stmt *statement)
{
    struct user user = {
        .id = sqlite3_column_int64(statement, 0),
        .quota_bytes = (uint64_t)sqlite3_column_int64(statement, 4),
        .admin = sqlite3_column_int(statement, 5) != 0,
        .enabled = sqlite3_column_int(statement, 6) != 0,
    };

    store_copy_column(statement, 1, user.name, sizeof user.name);
    store_copy_column(statement, 2, user.full_name, sizeof user.full_name);
    store_copy_column(statement, 3, user.hash, sizeof user.hash);
    return directory_add_user(&user);
}

static enum err load_alias(sqlite3_stmt *statement)
{
    char alias[USER_ADDRESS_BYTES], address[USER_ADDRESS_BYTES];

    store_copy_column(statement, 0, alias, sizeof alias);
    if (sqlite3_column_type(statement, 1) != SQLITE_NULL)
        return directory_add_alias(alias, sqlite3_column_int64(statement, 1));
    store_copy_column(statement, 2, address, sizeof address);
    return directory_add_forward(alias, address);
}

/* A number with K, M or G behind it; false: it is none. */
static bool read_size(const char *text, size_t len, uint64_t *bytes)
{
    static const char units[] = "KMG";
    const char *unit = len ? strchr(units, text[len - 1]) : NULL;

    *bytes = 0;
    if (unit && *unit)
        len--;
    else
        unit = NULL;
    if (len == 0 || len > 9)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *bytes = *bytes * 10 + (uint64_t)(text[i] - '0');
    }
    if (unit)
        *bytes <<= 10 * (unit - units + 1);
    return true;
}

/* The setting "domain:NAME": the words "closed" and "size=N". */
static enum err load_domain(sqlite3_stmt *statement)
{
    char key[USER_DOMAIN_BYTES + 8], words[256];
    uint64_t bytes = 0;
    bool closed = false;
    char *at = words;

    store_copy_column(statement, 0, key, sizeof key);
    store_copy_column(statement, 1, words, sizeof words);
    for (;;) {
        size_t len;

        at += strspn(at, " ");
        len = strcspn(at, " ");
        if (len == 0)
            break;
        if (len == 6 && memcmp(at, "closed", 6) == 0)
            closed = true;
        else if (len > 5 && memcmp(at, "size=", 5) == 0)
            (void)read_size(at + 5, len - 5, &bytes);
        at += len;
    }
    return directory_limit_domain(key + strlen("domain:"), bytes, closed);
}

/* A row that a workstation's sqlite3 made and that cannot be used is left out:
 * one bad alias must not keep the server from starting. */
static enum err load_rows(struct store *store, const char *sql,
                          enum err (*load)(sqlite3_stmt *statement))
{
    sqlite3_stmt *statement;
    enum err err = OK;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        if (load(statement) == ERR_MEMORY) {
            err = ERR_MEMORY;
            break;
        }
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

/* The setting "domains", however long it is. */
static enum err load_domains(sqlite3_stmt *statement)
{
    const char *at = (const char *)sqlite3_column_text(statement, 0);
    char domain[USER_DOMAIN_BYTES];

    while (at && *at) {
        size_t len = strcspn(at, " ");

        (void)snprintf(domain, sizeof domain, "%.*s", (int)len, at);
        if (len && len < sizeof domain &&
            directory_add_domain(domain) == ERR_MEMORY)
            return ERR_MEMORY;
        at += len + (at[len] == ' ');
    }
    return OK;
}

static enum err load_tags(struct store *store)
{
    char tags[16] = "";
    enum err err = store_setting_get(store, "tag_separator", tags, sizeof tags);

    if (!err)
        directory_set_tags(strcmp(tags, "none") == 0 ? "" : tags);
    return err == ERR_NOT_FOUND || err == ERR_TOO_BIG ? OK : err;
}

enum err store_load_directory(struct store *store)
{
    enum err err = load_rows(store,
                             "SELECT UserID,Name,FullName,Password,QuotaBytes,"
                             "Admin,Enabled FROM user ORDER BY UserID",
                             load_user);

    if (!err)
        err = load_rows(store,
                        "SELECT Alias,UserID,Address FROM alias"
                        " ORDER BY AliasID",
                        load_alias);
    if (!err)
        err = load_rows(store, "SELECT Value FROM setting WHERE Key='domains'",
                        load_domains);
    if (!err)
        err = load_rows(store,
                        "SELECT Key,Value FROM setting"
                        " WHERE Key BETWEEN 'domain:' AND 'domain;'",
                        load_domain);
    return err ? err : load_tags(store);
}

enum err store_directory_bytes(struct store *store, size_t *bytes)
{
#define LENGTH "SELECT length(CAST(text AS BLOB)) FROM (SELECT "
    static const struct {
        const char *sql;
        size_t (*bytes)(size_t len);
    } parts[] = {
        {LENGTH "Name AS text FROM user)", directory_user_bytes},
        {LENGTH "DISTINCT lower(Alias) AS text FROM alias)",
         directory_alias_bytes},
        {LENGTH "ifnull(Address,'') AS text FROM alias)",
         directory_meaning_bytes},
        {"WITH RECURSIVE word(text,rest) AS (SELECT '',Value||' ' FROM setting"
         " WHERE Key='domains' UNION ALL SELECT substr(rest,1,instr(rest,' ')"
         "-1),substr(rest,instr(rest,' ')+1) FROM word WHERE rest<>'')"
         " SELECT length(text) FROM word WHERE text<>''",
         directory_domain_bytes},
    };
    uint64_t content = 0;
    enum err err = OK;

    for (size_t i = 0; !err && i < sizeof parts / sizeof parts[0]; i++) {
        sqlite3_stmt *rows;
        int code = sqlite3_prepare_v2(store->db, parts[i].sql, -1, &rows, NULL);

        while (code == SQLITE_OK || code == SQLITE_ROW) {
            code = sqlite3_step(rows);
            if (code == SQLITE_ROW)
                content +=
                    parts[i].bytes((size_t)sqlite3_column_int64(rows, 0));
        }
        err = store_error(store, code);
        sqlite3_finalize(rows);
    }
    *bytes = directory_bytes_for(content);
    return err;
}

/* ---- Listings and figures ----------------------------------------------- */

enum err store_list_mailboxes(
    struct store *store,
    enum err (*each)(void *context, const struct store_mailbox_info *info),
    void *context)
{
    static const char sql[] =
        "SELECT UserID,user.Name,mailbox.Name,count(UID),total(entry.Bytes),"
        "total(Flags&1=0)"
        " FROM user JOIN mailbox USING(UserID) LEFT JOIN entry"
        " USING(MailboxID) GROUP BY MailboxID ORDER BY 2,3";
    struct store_mailbox_info info;
    sqlite3_stmt *statement;
    enum err err;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

    err = store_error(store, code);
    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        info.user_id = sqlite3_column_int64(statement, 0);
        store_copy_column(statement, 1, info.user, sizeof info.user);
        store_copy_column(statement, 2, info.mailbox, sizeof info.mailbox);
        info.messages = (uint64_t)sqlite3_column_int64(statement, 3);
        info.bytes = (uint64_t)sqlite3_column_int64(statement, 4);
        info.unseen = (uint64_t)sqlite3_column_int64(statement, 5);
        err = each(context, &info);
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

enum err store_list_users(struct store *store,
                          enum err (*each)(void *context, int64_t user_id,
                                           const char *name),
                          void *context)
{
    static const char sql[] = "SELECT UserID,Name FROM user ORDER BY Name";
    char name[USER_NAME_BYTES];
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    enum err err = store_error(store, code);

    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        store_copy_column(statement, 1, name, sizeof name);
        err = each(context, sqlite3_column_int64(statement, 0), name);
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

/* What the row of a message tells; of one that the stick has damaged nothing,
 * as of one that has no row. */
static enum err read_message_row(struct store *store, sqlite3_stmt *statement,
                                 struct store_message_info *info)
{
    enum err err;
    int code;

    info->received_ms = 0;
    info->sender[0] = info->subject[0] = '\0';
    sqlite3_bind_int64(statement, 1, info->message_id);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        info->received_ms = sqlite3_column_int64(statement, 0);
        store_copy_column(statement, 1, info->sender, sizeof info->sender);
        store_copy_column(statement, 2, info->subject, sizeof info->subject);
    }
    err = store_error(store, code);
    sqlite3_reset(statement);
    return err_unreadable(err) ? OK : err;
}

enum err store_list_messages(
    struct store *store, int64_t user_id,
    enum err (*each)(void *context, const struct store_message_info *info),
    void *context)
{
    static const char sql[] =
        "SELECT MailID,UID,entry.Bytes,Name,Flags FROM mailbox JOIN entry"
        " USING(MailboxID) WHERE UserID=?1 ORDER BY Name,UID";
    static const char row[] =
        "SELECT ReceivedMs,Sender,Subject FROM message WHERE MailID=?1";
    sqlite3_stmt *statement = NULL, *message = NULL;
    struct store_message_info info;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    enum err err;

    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(store->db, row, -1, &message, NULL);
    err = store_error(store, code);
    if (!err)
        sqlite3_bind_int64(statement, 1, user_id);
    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        info.message_id = sqlite3_column_int64(statement, 0);
        info.uid = (uint32_t)sqlite3_column_int64(statement, 1);
        info.bytes = (uint64_t)sqlite3_column_int64(statement, 2);
        store_copy_column(statement, 3, info.mailbox, sizeof info.mailbox);
        info.flags = (uint8_t)sqlite3_column_int64(statement, 4);
        err = read_message_row(store, message, &info);
        if (!err)
            err = each(context, &info);
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_finalize(statement);
    sqlite3_finalize(message);
    return err;
}

enum err store_figures(struct store *store, struct store_figures *figures)
{
    int64_t messages, users, mailboxes, pages, unused;
    enum err err = store_number(store,
                                "SELECT (SELECT count(*) FROM message)"
                                "-(SELECT count(*) FROM garbage)",
                                &messages);

    if (!err)
        err = store_number(store, "SELECT count(*) FROM user", &users);
    if (!err)
        err = store_number(store, "SELECT count(*) FROM mailbox", &mailboxes);
    if (!err)
        err = store_number(store, "PRAGMA page_count", &pages);
    if (!err)
        err = store_number(store, "PRAGMA freelist_count", &unused);
    if (err)
        return err;
    figures->messages = (uint64_t)messages;
    figures->users = (uint64_t)users;
    figures->mailboxes = (uint64_t)mailboxes;
    figures->database_bytes = store->volume->database.bytes;
    figures->used_bytes = (uint64_t)(pages - unused) * VOLUME_PAGE_BYTES;
    return OK;
}
