/* Folders: see store_mailbox.h. */
#include "mailstore/store_internal.h"
#include "mailstore/store_mailbox.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const kind_names[] = {
    [STORE_FOLDER_INBOX] = "Inbox", [STORE_FOLDER_DRAFTS] = "Drafts",
    [STORE_FOLDER_SENT] = "Sent",   [STORE_FOLDER_JUNK] = "Junk",
    [STORE_FOLDER_TRASH] = "Trash",
};

/* Rows of store_list_folders(): what is counted, and what is not yet. */
static const char select_folders[] =
    "SELECT MailboxID,Name,Messages+(SELECT count(*) FROM entry WHERE"
    " entry.MailboxID=mailbox.MailboxID AND UID>=CountedUID),"
    "Unseen+(SELECT count(*) FROM entry WHERE entry.MailboxID="
    "mailbox.MailboxID AND UID>=CountedUID AND Flags&1=0),"
    "Bytes+ifnull((SELECT sum(entry.Bytes) FROM entry WHERE entry.MailboxID="
    "mailbox.MailboxID AND UID>=CountedUID),0)"
    " FROM mailbox WHERE UserID=?1 AND ?2 IN(0,MailboxID)"
    " ORDER BY CASE Name WHEN 'Inbox' THEN 0 WHEN 'Drafts' THEN 1"
    " WHEN 'Sent' THEN 2 WHEN 'Junk' THEN 3 WHEN 'Trash' THEN 4 ELSE 5 END,"
    "Name COLLATE NOCASE";

static enum store_folder_kind kind_of(const char *name)
{
    unsigned kind = 0;

    while (kind < STORE_FOLDER_OWN && strcmp(name, kind_names[kind]) != 0)
        kind++;
    return (enum store_folder_kind)kind;
}

/* All of them, or one. */
static enum err read_folders(struct store *store, int64_t user_id,
                             int64_t mailbox_id, struct store_folder *folders,
                             unsigned room, unsigned *count)
{
    sqlite3_stmt *statement;
    int code =
        sqlite3_prepare_v2(store->db, select_folders, -1, &statement, NULL);
    enum err err = store_error(store, code);

    *count = 0;
    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, user_id);
    sqlite3_bind_int64(statement, 2, mailbox_id);
    while (*count < room && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_folder *folder = &folders[(*count)++];
        const char *name = (const char *)sqlite3_column_text(statement, 1);

        folder->id = sqlite3_column_int64(statement, 0);
        snprintf(folder->name, sizeof folder->name, "%s", name ? name : "");
        folder->kind = kind_of(folder->name);
        folder->messages = (uint64_t)sqlite3_column_int64(statement, 2);
        folder->unseen = (uint64_t)sqlite3_column_int64(statement, 3);
        folder->bytes = (uint64_t)sqlite3_column_int64(statement, 4);
    }
    err = store_error(store, code);
    sqlite3_finalize(statement);
    return err;
}

enum err store_list_folders(struct store *store, int64_t user_id,
                            enum err (*each)(void *context,
                                             const struct store_folder *folder),
                            void *context)
{
    unsigned room = STORE_FOLDERS_MAX + STORE_FOLDER_OWN, count;
    struct store_folder *folders = sqlite3_malloc64(room * sizeof *folders);
    enum err err;

    if (!folders)
        return ERR_MEMORY;
    err = read_folders(store, user_id, 0, folders, room, &count);
    for (unsigned i = 0; !err && i < count; i++)
        err = each(context, &folders[i]);
    sqlite3_free(folders);
    return err;
}

enum err store_folder(struct store *store, int64_t user_id, int64_t mailbox_id,
                      struct store_folder *folder)
{
    unsigned count;
    enum err err;

    memset(folder, 0, sizeof *folder);
    if (mailbox_id == 0)
        return ERR_NOT_FOUND;
    err = read_folders(store, user_id, mailbox_id, folder, 1, &count);
    return !err && count == 0 ? ERR_NOT_FOUND : err;
}

enum err store_check_folder(struct store *store, int64_t user_id,
                            int64_t mailbox_id, int64_t *uid_next)
{
    sqlite3_stmt *statement = store_statement(store, SQL_MAILBOX_NEXT);
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, mailbox_id);
    sqlite3_bind_int64(statement, 2, user_id);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW && uid_next)
        *uid_next = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
}

enum err store_folder_of(struct store *store, int64_t user_id,
                         enum store_folder_kind kind, int64_t *mailbox_id)
{
    sqlite3_stmt *statement = store_statement(store, SQL_FOLDER_KIND);
    int code;

    *mailbox_id = 0;
    if (kind >= STORE_FOLDER_OWN)
        return ERR_NOT_FOUND;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, user_id);
    sqlite3_bind_text(statement, 2, kind_names[kind], -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *mailbox_id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
}

/* ---- Folders of the user's own ------------------------------------------ */

static bool name_valid(const char *name)
{
    size_t len = strnlen(name, STORE_FOLDER_BYTES);

    return len > 0 && len < STORE_FOLDER_BYTES && name[0] != ' ' &&
           name[len - 1] != ' ' && user_text_valid(name, len);
}

struct naming {
    int64_t user_id;
    int64_t mailbox_id; /* whose name may be the same: it gets it */
    const char *name;
    unsigned folders;
};

static enum err check_name(void *context, const struct store_folder *folder)
{
    struct naming *naming = context;

    naming->folders++;
    if (folder->id != naming->mailbox_id &&
        strcasecmp(folder->name, naming->name) == 0)
        return ERR_EXISTS;
    return OK;
}

static enum err create_folder(struct store *store, void *context)
{
    struct naming *naming = context;
    enum err err =
        store_list_folders(store, naming->user_id, check_name, naming);

    if (err)
        return err;
    if (naming->folders == 0)
        return ERR_NOT_FOUND;
    if (naming->folders >= STORE_FOLDERS_MAX)
        return ERR_TOO_BIG;
    err = store_add_mailbox(store, naming->user_id, naming->name);
    naming->mailbox_id = sqlite3_last_insert_rowid(store->db);
    return err;
}

enum err store_folder_create(struct store *store, int64_t user_id,
                             const char *name, int64_t *mailbox_id)
{
    struct naming naming = {.user_id = user_id, .name = name};
    enum err err;

    *mailbox_id = 0;
    if (!name_valid(name))
        return ERR_INVALID;
    err = store_atomically(store, create_folder, &naming);
    if (!err)
        *mailbox_id = naming.mailbox_id;
    return err;
}

/* The folder, if it is one that the user has made. */
static enum err own_folder(struct store *store, int64_t user_id,
                           int64_t mailbox_id, struct store_folder *folder)
{
    enum err err = store_folder(store, user_id, mailbox_id, folder);

    return !err && folder->kind != STORE_FOLDER_OWN ? ERR_REFUSED : err;
}

static enum err rename_folder(struct store *store, void *context)
{
    struct naming *naming = context;
    struct store_folder folder;
    sqlite3_stmt *statement;
    enum err err =
        own_folder(store, naming->user_id, naming->mailbox_id, &folder);

    if (!err)
        err = store_list_folders(store, naming->user_id, check_name, naming);
    if (err)
        return err;
    if (sqlite3_prepare_v2(store->db,
                           "UPDATE mailbox SET Name=?2 WHERE MailboxID=?1", -1,
                           &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, naming->mailbox_id);
        sqlite3_bind_text(statement, 2, naming->name, -1, SQLITE_STATIC);
    }
    err = store_run(store, statement);
    sqlite3_finalize(statement);
    return err;
}

enum err store_folder_rename(struct store *store, int64_t user_id,
                             int64_t mailbox_id, const char *name)
{
    struct naming naming = {
        .user_id = user_id, .mailbox_id = mailbox_id, .name = name};

    if (!name_valid(name))
        return ERR_INVALID;
    return store_atomically(store, rename_folder, &naming);
}

static enum err delete_folder(struct store *store, void *context)
{
    struct naming *naming = context;
    struct store_folder folder;
    sqlite3_stmt *statement;
    char limit[24];
    int64_t last;
    enum err err =
        own_folder(store, naming->user_id, naming->mailbox_id, &folder);

    if (!err && folder.messages)
        err = ERR_BUSY;
    if (err)
        return err;
    /* Its number is not given again, as far as it could be. */
    snprintf(limit, sizeof limit, "%lld", (long long)naming->mailbox_id + 1);
    err = store_number(store, "SELECT max(MailboxID) FROM mailbox", &last);
    if (!err && last == naming->mailbox_id)
        err = store_setting_put(store, "mailbox_id_limit", limit);
    if (err)
        return err;
    if (sqlite3_prepare_v2(store->db, "DELETE FROM mailbox WHERE MailboxID=?1",
                           -1, &statement, NULL) == SQLITE_OK)
        sqlite3_bind_int64(statement, 1, naming->mailbox_id);
    err = store_run(store, statement);
    sqlite3_finalize(statement);
    return err;
}

enum err store_folder_delete(struct store *store, int64_t user_id,
                             int64_t mailbox_id)
{
    struct naming naming = {.user_id = user_id, .mailbox_id = mailbox_id};

    return store_atomically(store, delete_folder, &naming);
}
