/* Garbage: messages that nobody holds any more.
 *
 * Who deletes does not wait for the pages of a body to be given back, one by
 * one: the message's id goes into the table garbage, and the message goes when
 * the writer has nothing better to do, or needs its room. One that the stick
 * has damaged stays, and does not keep the others. */
#include "mailstore/store_internal.h"

struct collection {
    unsigned most;
    bool more;
};

enum err store_release_message(struct store *store, int64_t id)
{
    store->garbage = true;
    return store_run_for(store, SQL_GARBAGE_PUT, id);
}

static enum err remove_message(struct store *store, int64_t id)
{
    int64_t held;
    enum err err = store_number_of(store, SQL_MESSAGE_HELD, id, &held);

    /* A workstation may have put it somewhere. */
    if (!err && !held)
        err = store_run_for(store, SQL_BODY_DISCARD, id);
    if (!err && !held)
        err = store_run_for(store, SQL_MESSAGE_DROP, id);
    return err ? err : store_run_for(store, SQL_GARBAGE_DROP, id);
}

static enum err collect(struct store *store, void *context)
{
    struct collection *collection = context;
    int64_t id = store->garbage_passed;
    enum err err = OK;

    for (unsigned i = 0; !err && i < collection->most; i++) {
        err = store_number_of(store, SQL_GARBAGE_NEXT, id, &id);
        if (!err && id == 0) {
            collection->more = false;
            return OK;
        }
        if (err)
            break;
        err = remove_message(store, id);
        if (err_unreadable(err)) {
            store->garbage_passed = id;
            /* The others go on, unless SQLite has undone what they did. */
            if (!sqlite3_get_autocommit(store->db))
                err = OK;
        }
    }
    return err;
}

enum err store_collect(struct store *store, unsigned most)
{
    struct collection collection = {.most = most, .more = true};
    enum err err = store_atomically(store, collect, &collection);

    if (!err)
        store->garbage = collection.more;
    return err;
}

bool store_garbage(const struct store *store)
{
    return store->garbage;
}
