/* What is done to messages in folders: see store_mailbox.h.
 *
 * A message is put into the new folder before it leaves the old one, so that it
 * is never nowhere. What the user takes up is told once for each call. */
#include "mailstore/store_internal.h"
#include "mailstore/store_mailbox.h"
#include <string.h>

enum act { ACT_FLAG, ACT_MOVE, ACT_COPY, ACT_TRASH, ACT_REMOVE };

struct action {
    enum act act;
    int64_t user_id;
    const struct store_key *keys;
    size_t count;
    uint8_t set, clear;
    int64_t to;     /* ACT_MOVE, ACT_COPY */
    int64_t trash;  /* ACT_TRASH */
    int64_t drafts; /* likewise: what is there is not kept either */
    struct store_moved moved;
    int64_t entered; /* the last folder that was looked at ... */
    bool own;        /* ... and whether it is the user's */
    int64_t freed;   /* bytes */
};

/* Whether the folder of a key is the user's; ERR_NOT_FOUND: not. */
static enum err enter_folder(struct store *store, struct action *action,
                             int64_t mailbox_id)
{
    int64_t user_id;
    enum err err;

    if (action->entered != mailbox_id) {
        err = store_mailbox_user(store, mailbox_id, &user_id);
        if (err)
            return err;
        action->entered = mailbox_id;
        action->own = user_id == action->user_id && user_id != 0;
    }
    return action->own ? OK : ERR_NOT_FOUND;
}

static void note_moved(struct store_moved *moved, int64_t to, uint32_t uid)
{
    if (moved->moved++ == 0) {
        moved->to = to;
        moved->first = uid;
    }
    moved->last = uid;
}

static enum err put_into(struct store *store, struct action *action, int64_t to,
                         const struct store_old_entry *old)
{
    struct store_new_entry entry = {.mailbox_id = to,
                                    .user_id = action->user_id,
                                    .mail_id = old->mail_id,
                                    .bytes = old->bytes,
                                    .flags = old->flags};
    enum err err =
        store_check_folder(store, action->user_id, to, &entry.uid_next);

    if (!err)
        err = store_put_entry(store, &entry);
    if (!err)
        note_moved(&action->moved, to, entry.uid);
    return err;
}

static enum err move_one(struct store *store, struct action *action,
                         const struct store_key *key, int64_t to)
{
    struct store_old_entry old;
    enum err err = store_find_entry(store, key->mailbox_id, key->uid, &old);

    if (err)
        return err;
    if (to == key->mailbox_id)
        return OK;
    err = put_into(store, action, to, &old);
    if (err || action->act == ACT_COPY)
        return err;
    err = store_drop_entry(store, key->mailbox_id, key->uid, false, &old);
    action->freed += (int64_t)old.bytes;
    if (action->moved.moved == 1)
        action->moved.from = key->mailbox_id;
    else if (action->moved.from != key->mailbox_id)
        action->moved.from = 0;
    return err;
}

static enum err flag_one(struct store *store, struct action *action,
                         const struct store_key *key)
{
    struct store_old_entry old;
    uint8_t flags;
    enum err err = store_find_entry(store, key->mailbox_id, key->uid, &old);

    if (err)
        return err;
    flags = (uint8_t)((old.flags & ~action->clear) | action->set);
    return flags == old.flags
               ? OK
               : store_flag_entry(store, key->mailbox_id, key->uid, flags);
}

static enum err remove_one(struct store *store, struct action *action,
                           const struct store_key *key)
{
    struct store_old_entry old;
    enum err err =
        store_drop_entry(store, key->mailbox_id, key->uid, true, &old);

    action->freed += (int64_t)old.bytes;
    if (!err && (old.flags & STORE_DRAFT) != 0)
        err = store_typed_drop(store, action->user_id, old.mail_id);
    return err;
}

static enum err act_on(struct store *store, struct action *action,
                       const struct store_key *key)
{
    enum err err = enter_folder(store, action, key->mailbox_id);

    if (err)
        return err;
    switch (action->act) {
    case ACT_FLAG:
        return flag_one(store, action, key);
    case ACT_MOVE:
    case ACT_COPY:
        return move_one(store, action, key, action->to);
    case ACT_TRASH:
        if (key->mailbox_id == action->trash ||
            key->mailbox_id == action->drafts)
            return remove_one(store, action, key);
        return move_one(store, action, key, action->trash);
    case ACT_REMOVE:
    default:
        return remove_one(store, action, key);
    }
}

static enum err find_target(struct store *store, struct action *action)
{
    enum err err = OK;

    if (action->act == ACT_MOVE || action->act == ACT_COPY)
        return store_check_folder(store, action->user_id, action->to, NULL);
    if (action->act == ACT_TRASH) {
        err = store_folder_of(store, action->user_id, STORE_FOLDER_TRASH,
                              &action->trash);
        if (!err)
            err = store_folder_of(store, action->user_id, STORE_FOLDER_DRAFTS,
                                  &action->drafts);
    }
    return err;
}

static enum err act(struct store *store, void *context)
{
    struct action *action = context;
    enum err err = find_target(store, action);

    memset(&action->moved, 0, sizeof action->moved);
    action->entered = 0;
    action->own = false;
    action->freed = 0;
    for (size_t i = 0; !err && i < action->count; i++) {
        err = act_on(store, action, &action->keys[i]);
        action->moved.done += err == OK;
        if (err == ERR_NOT_FOUND)
            err = OK;
    }
    if (err || !action->freed)
        return err;
    return store_usage_change(store, action->user_id, -action->freed);
}

static enum err run(struct store *store, struct action *action, size_t *done)
{
    enum err err = store_atomically(store, act, action);

    if (err)
        memset(&action->moved, 0, sizeof action->moved);
    if (done)
        *done = action->moved.done;
    return err;
}

enum err store_flag(struct store *store, int64_t user_id,
                    const struct store_key *keys, size_t count, uint8_t set,
                    uint8_t clear, size_t *done)
{
    struct action action = {.act = ACT_FLAG,
                            .user_id = user_id,
                            .keys = keys,
                            .count = count,
                            .set = set & STORE_FLAGS,
                            .clear = clear & STORE_FLAGS};

    return run(store, &action, done);
}

enum err store_move(struct store *store, int64_t user_id,
                    const struct store_key *keys, size_t count,
                    int64_t mailbox_id, struct store_moved *moved)
{
    struct action action = {.act = ACT_MOVE,
                            .user_id = user_id,
                            .keys = keys,
                            .count = count,
                            .to = mailbox_id};
    enum err err = run(store, &action, NULL);

    if (moved)
        *moved = action.moved;
    return err;
}

enum err store_copy(struct store *store, int64_t user_id,
                    const struct store_key *keys, size_t count,
                    int64_t mailbox_id, size_t *done)
{
    struct action action = {.act = ACT_COPY,
                            .user_id = user_id,
                            .keys = keys,
                            .count = count,
                            .to = mailbox_id};

    return run(store, &action, done);
}

enum err store_trash(struct store *store, int64_t user_id,
                     const struct store_key *keys, size_t count,
                     struct store_moved *moved)
{
    struct action action = {
        .act = ACT_TRASH, .user_id = user_id, .keys = keys, .count = count};
    enum err err = run(store, &action, NULL);

    if (moved)
        *moved = action.moved;
    return err;
}

enum err store_remove(struct store *store, int64_t user_id,
                      const struct store_key *keys, size_t count, size_t *done)
{
    struct action action = {
        .act = ACT_REMOVE, .user_id = user_id, .keys = keys, .count = count};

    return run(store, &action, done);
}

/* ---- All of a folder ---------------------------------------------------- */

struct folder_action {
    struct action action;
    int64_t mailbox_id;
    uint32_t uid; /* behind this one */
    unsigned limit;
    bool more;
};

/* The next messages of the folder, at most STORE_KEYS_MAX. */
static enum err take_keys(struct store *store, struct folder_action *folder,
                          struct store_key *keys, size_t *count)
{
    sqlite3_stmt *statement = store_statement(store, SQL_FOLDER_ENTRIES);
    size_t room = folder->limit;
    int code = SQLITE_DONE;

    *count = 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, folder->mailbox_id);
    sqlite3_bind_int64(statement, 2, folder->uid);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)room + 1);
    folder->more = false;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (*count == room) {
            folder->more = true;
            break;
        }
        keys[*count].mailbox_id = folder->mailbox_id;
        keys[*count].uid = (uint32_t)sqlite3_column_int64(statement, 0);
        folder->uid = keys[(*count)++].uid;
    }
    sqlite3_reset(statement);
    return store_error(store, code);
}

static enum err act_on_folder(struct store *store, void *context)
{
    struct folder_action *folder = context;
    struct store_key *keys;
    size_t count;
    enum err err = store_check_folder(store, folder->action.user_id,
                                      folder->mailbox_id, NULL);

    if (err)
        return err;
    keys = sqlite3_malloc64(folder->limit * sizeof *keys);
    if (!keys)
        return ERR_MEMORY;
    err = take_keys(store, folder, keys, &count);
    folder->action.keys = keys;
    folder->action.count = count;
    if (!err)
        err = act(store, &folder->action);
    sqlite3_free(keys);
    return err;
}

enum err store_folder_flag(struct store *store, int64_t user_id,
                           int64_t mailbox_id, uint8_t set, uint8_t clear,
                           unsigned limit, uint32_t *uid, bool *more)
{
    struct folder_action folder = {.action = {.act = ACT_FLAG,
                                              .user_id = user_id,
                                              .set = set & STORE_FLAGS,
                                              .clear = clear & STORE_FLAGS},
                                   .mailbox_id = mailbox_id,
                                   .uid = *uid,
                                   .limit = limit};
    enum err err;

    if (limit == 0 || limit > STORE_KEYS_MAX)
        return ERR_INVALID;
    err = store_atomically(store, act_on_folder, &folder);
    *uid = folder.uid;
    *more = folder.more && !err;
    return err;
}

enum err store_folder_empty(struct store *store, int64_t user_id,
                            int64_t mailbox_id, bool for_good, unsigned limit,
                            bool *more)
{
    struct folder_action folder = {
        .action = {.act = for_good ? ACT_REMOVE : ACT_TRASH,
                   .user_id = user_id},
        .mailbox_id = mailbox_id,
        .limit = limit};
    enum err err;

    if (limit == 0 || limit > STORE_KEYS_MAX)
        return ERR_INVALID;
    err = store_atomically(store, act_on_folder, &folder);
    *more = folder.more && !err;
    return err;
}
