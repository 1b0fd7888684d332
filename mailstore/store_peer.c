/* The table peer: see store_peer.h. It is swept each time a newcomer's number
 * comes up, so that it is bounded without being counted for each of them. */
#include "mailstore/store_peer.h"
#include "core/random.h"
#include "mailstore/store_internal.h"

/* Of so many newcomers, one has the table swept. */
#define SWEEP_SHARE 64

enum err store_peer_find(struct store *store, const char *peer,
                         int64_t *last_ms)
{
    sqlite3_stmt *statement = store_statement(store, SQL_PEER_FIND);
    enum err err;
    int code;

    *last_ms = 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_text(statement, 1, peer, -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *last_ms = sqlite3_column_int64(statement, 0);
    err = code == SQLITE_DONE ? ERR_NOT_FOUND : store_error(store, code);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return err;
}

static enum err sweep(struct store *store, int64_t now_ms)
{
    sqlite3_stmt *statement = store_statement(store, SQL_PEER_SWEEP);

    if (statement) {
        sqlite3_bind_int64(statement, 1, now_ms - STORE_PEER_KEPT_MS);
        sqlite3_bind_int64(statement, 2, STORE_PEERS_MAX - SWEEP_SHARE);
    }
    return store_run(store, statement);
}

struct note {
    const char *peer;
    int64_t now_ms;
};

static enum err note(struct store *store, void *context)
{
    const struct note *noted = context;
    sqlite3_stmt *statement = store_statement(store, SQL_PEER_NOTE);
    enum err err;

    if (statement) {
        sqlite3_bind_text(statement, 1, noted->peer, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, noted->now_ms);
    }
    err = store_run(store, statement);
    if (statement)
        sqlite3_clear_bindings(statement);
    if (!err && random_below(SWEEP_SHARE) == 0)
        err = sweep(store, noted->now_ms);
    return err;
}

enum err store_peer_note(struct store *store, const char *peer, int64_t now_ms)
{
    struct note noted = {peer, now_ms};

    return store_atomically(store, note, &noted);
}
