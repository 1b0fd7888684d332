/* A connection for queries, for the files of this folder. */
#ifndef MAILSTORE_SQL_INTERNAL_H
#define MAILSTORE_SQL_INTERNAL_H

#include "mailstore/sql.h"
#include "mailstore/volume.h"
#include <sqlite3.h>
#include <time.h>

/* Why a query was made to end. */
enum sql_stop {
    SQL_GOES_ON,
    SQL_STOP_ASKED,    /* by pause() or sql_interrupt() */
    SQL_STOP_SNAPSHOT, /* its snapshot of mail.db holds room that mail needs */
};

struct sql {
    sqlite3 *db;
    struct volume *volume;
    struct sql_options options;
    enum sql_stop stop;
    const char *denied; /* what the authorizer said no to last, or NULL */
};

/* sql_data_create - makes the files at the place an empty database. */
enum err sql_data_create(const struct store_place *place) MUST_CHECK;

/* sql_breathe - gives others their turn; true: the query is to end. waiting:
 * it waits for a lock. */
bool sql_breathe(struct sql *sql, bool waiting);

/* sql_authorize - the authorizer of every such connection; context: its
 * struct sql. */
int sql_authorize(void *context, int action, const char *one, const char *two,
                  const char *database, const char *trigger);

/* sql_add_functions - replaces functions of SQLite's that take time out of
 * proportion to their arguments. */
enum err sql_add_functions(struct sql *sql) MUST_CHECK;

/* sql_localtime_r - what SQLite calls for localtime_r() of C: local time by the
 * zone that is set (core/zone.h). Returns local. */
struct tm *sql_localtime_r(const time_t *seconds, struct tm *local);

#endif
