/* SQL for people: databases beside mail.db, and queries by hand.
 *
 * A connection of this kind is fenced in: an authorizer lets nothing pass that
 * reaches another file, changes how the database works or shows a secret;
 * limits bound each value and each statement; all its memory is a heap of its
 * own (sql_heap.h). mail.db can be read this way and never be written.
 *
 * The databases are preallocated files on the stick as mail.db is: data.db for
 * all, or data-ID.db for the user with that id, each with its -wal. One file
 * for one database, because a workstation's sqlite3 then opens it as it is,
 * because SQLite itself keeps them apart, and because the WAL makes what is
 * written to them as durable as mail is. */
#ifndef MAILSTORE_SQL_H
#define MAILSTORE_SQL_H

#include "core/err.h"
#include "mailstore/store.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQL_DATA_BYTES_MIN (512u * 1024)
#define SQL_NAME_BYTES     40
#define SQL_MESSAGE_BYTES  256

/* sql_data_name - the file's name, "data.db" for user 0. */
void sql_data_name(int64_t user_id, char name[SQL_NAME_BYTES]);

/* sql_data_wal_bytes - the WAL file that belongs to so large a database. */
uint64_t sql_data_wal_bytes(uint64_t bytes);

/* sql_data_locate - finds the database of a user (0: the one for all) on the
 * medium, and puts right what a workstation did to its files. bytes: the size
 * that it is to have: it is made where it is missing; 0: only what is there.
 * Returns OK, ERR_NOT_FOUND, ERR_FULL (no room for it), or an error. */
enum err sql_data_locate(struct media *media, int64_t user_id, uint64_t bytes,
                         struct store_place *place) MUST_CHECK;

/* ---- A connection ------------------------------------------------------- */

struct sql; /* opaque */

struct sql_options {
    const struct store_place *place;
    bool mail; /* it is mail.db, where secrets are hidden and nothing changes */
    bool write; /* data may be changed */
    /* Called often while SQL runs, and while it waits for another writer:
     * gives others their turn. Returns true when it is to end. */
    bool (*pause)(void *context, bool waiting);
    void *context;
};

/* sql_open - from the heap in use (sql_heap_use()); none: SQLite's.
 * Returns OK, ERR_MEMORY, ERR_BUSY (too many databases open), ERR_CORRUPT or
 * the medium's error; message: then why. */
enum err sql_open(const struct sql_options *options, struct sql **sql,
                  char message[SQL_MESSAGE_BYTES]) MUST_CHECK;
void sql_close(struct sql *sql);

/* sql_holds_up_mail - whether what runs now has a view of mail.db that holds
 * room in the WAL which mail needs: then it is to end, as soon as it runs or
 * its host's write() returns an error. */
bool sql_holds_up_mail(struct sql *sql);

/* sql_interrupt - from outside: what runs now ends with an error. */
void sql_interrupt(struct sql *sql);

#endif
