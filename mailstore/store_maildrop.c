/* Maildrops: the list of a user's Inbox at one instant.
 *
 * A list of 100,000 messages is nothing unusual, and several of them may be
 * open at once: entries are 16 bytes, in blocks of a pool that is theirs alone,
 * so that a long list needs no long piece of memory and takes none from SQLite.
 */
#include "mailstore/store_internal.h"
#include <string.h>

struct free_block {
    struct free_block *next;
};

static struct {
    bool pooled;
    struct free_block *free;
} state;

void store_maildrop_memory(void *memory, size_t bytes)
{
    uint8_t *at = memory;

    state.pooled = true;
    state.free = NULL;
    for (; bytes >= STORE_BLOCK_BYTES; bytes -= STORE_BLOCK_BYTES) {
        struct free_block *block = (struct free_block *)(void *)at;

        block->next = state.free;
        state.free = block;
        at += STORE_BLOCK_BYTES;
    }
}

static void *take_block(void)
{
    struct free_block *block = state.free;

    if (!state.pooled)
        return sqlite3_malloc64(STORE_BLOCK_BYTES);
    if (block)
        state.free = block->next;
    return block;
}

static void give_block(void *memory)
{
    struct free_block *block = memory;

    if (!state.pooled) {
        sqlite3_free(memory);
        return;
    }
    if (!block)
        return;
    block->next = state.free;
    state.free = block;
}

/* ---- Loading ------------------------------------------------------------ */

static enum err find_inbox(struct store *store, int64_t user_id,
                           struct store_maildrop *maildrop)
{
    sqlite3_stmt *statement = store_statement(store, SQL_INBOX_FIND);
    enum err err;
    int code;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, user_id);
    code = sqlite3_step(statement);
    err = code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
    if (!err) {
        maildrop->mailbox_id = sqlite3_column_int64(statement, 0);
        maildrop->uid_validity = (uint32_t)sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return err;
}

/* The first block is full: a block of pointers comes before it. */
static enum err add_level(struct store_maildrop *maildrop)
{
    void **more = take_block();

    if (!more)
        return ERR_MEMORY;
    memset(more, 0, STORE_BLOCK_BYTES);
    more[0] = maildrop->blocks;
    maildrop->blocks = more;
    maildrop->deep = true;
    return OK;
}

/* A place for one more entry. */
static enum err add_entry(struct store_maildrop *maildrop,
                          struct store_entry **entry)
{
    uint32_t at = maildrop->count;
    void *block;

    if (at % STORE_BLOCK_ENTRIES == 0) {
        if (at == STORE_BLOCK_ENTRIES && add_level(maildrop))
            return ERR_MEMORY;
        block = take_block();
        if (!block)
            return ERR_MEMORY;
        if (at == 0)
            maildrop->blocks = block;
        else
            ((void **)maildrop->blocks)[at / STORE_BLOCK_ENTRIES] = block;
    }
    maildrop->count++;
    *entry = store_entry_at(maildrop, at);
    return OK;
}

static enum err list_entries(struct store *store,
                             struct store_maildrop *maildrop)
{
    sqlite3_stmt *statement = store_statement(store, SQL_ENTRY_LIST);
    enum err err = OK;
    int code = SQLITE_ROW;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, maildrop->mailbox_id);
    while (!err && maildrop->count < STORE_MAILDROP_MAX &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_entry *entry;

        err = add_entry(maildrop, &entry);
        if (err)
            break;
        entry->uid = (uint32_t)sqlite3_column_int64(statement, 0);
        entry->message_id = sqlite3_column_int64(statement, 1);
        entry->bytes = (uint32_t)sqlite3_column_int64(statement, 2);
        maildrop->bytes += entry->bytes;
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_reset(statement);
    return err;
}

enum err store_maildrop_load(struct store *store, int64_t user_id,
                             struct store_maildrop *maildrop)
{
    enum err err;

    memset(maildrop, 0, sizeof *maildrop);
    err = find_inbox(store, user_id, maildrop);
    if (!err)
        err = list_entries(store, maildrop);
    if (err)
        store_maildrop_free(maildrop);
    return err;
}

void store_maildrop_free(struct store_maildrop *maildrop)
{
    void **more = maildrop->blocks;

    for (size_t i = 0; maildrop->deep && i < STORE_BLOCK_BYTES / sizeof(void *);
         i++)
        give_block(more[i]);
    give_block(maildrop->blocks);
    memset(maildrop, 0, sizeof *maildrop);
}
