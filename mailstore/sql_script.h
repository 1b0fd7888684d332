/* Text of SQL as people write it: statements, and the commands of the sqlite3
 * shell that begin with a dot, run one after the other; what they answer is
 * written in one of several forms.
 *
 *   text -> statements, .commands -> struct sql -> rows -> form -> write()
 *
 * The first error ends it. One script at a time on a connection. */
#ifndef MAILSTORE_SQL_SCRIPT_H
#define MAILSTORE_SQL_SCRIPT_H

#include "mailstore/sql.h"

enum sql_mode {
    SQL_MODE_COLUMN, /* aligned by the first rows */
    SQL_MODE_LIST,   /* value|value */
    SQL_MODE_CSV,    /* RFC 4180 */
    SQL_MODE_JSON,   /* an array of objects for each statement */
    SQL_MODE_LINE,   /* name = value */
    SQL_MODE_TABS,
    SQL_MODE_HTML,   /* a <table> for each statement */
    SQL_MODE_ARRAYS, /* {"columns":[...],"rows":[[...],...]} with commas */
    SQL_MODES
};

/* What .commands change; of the one who asks, over many scripts. */
struct sql_session {
    enum sql_mode mode;
    bool headers;
    bool timer;
    char separator[8];             /* of SQL_MODE_LIST */
    char null[16];                 /* how NULL is shown; not in JSON */
    bool write;                    /* may change data: .write */
    char database[SQL_NAME_BYTES]; /* "data" or "mail": .use */
    bool shell;        /* .use, .write, .read may be used; answers in words */
    size_t cut;        /* HTML: longest value shown, 0: any */
    uint64_t rows_max; /* of one statement, 0: any number */
};

void sql_session_init(struct sql_session *session);

/* What a script needs of the one who runs it; context is given to each. */
struct sql_host {
    void *context;
    /* Takes what is answered, in order. An error ends the script. */
    enum err (*write)(void *context, const char *bytes, size_t len);
    uint64_t (*now_us)(void);
    /* Opens the session's database as it says. */
    enum err (*open)(void *context, const struct sql_session *session,
                     struct sql **sql, char message[SQL_MESSAGE_BYTES]);
    /* A text file for .read, in sqlite3_malloc()ed memory: sql_text_alloc(). */
    enum err (*read)(void *context, const char *name, char **text, size_t *len);
};

struct sql_result {
    uint64_t statements, rows;
    int64_t changes; /* rows that were inserted, updated or deleted */
    uint64_t time_us;
    unsigned line, column;           /* of an error, from 1; 0: not known */
    char message[SQL_MESSAGE_BYTES]; /* of the error that ended it; "": none */
    bool cut;                        /* there were more rows than rows_max */
    bool quit;                       /* .quit */
    bool serve;                      /* .dbr: as .quit, and serve */
};

/* sql_script - runs a text. *sql: the connection, NULL when none is open yet;
 * the one that is open afterwards. Returns OK, or the error that ended it. */
enum err sql_script(struct sql **sql, struct sql_session *session,
                    const struct sql_host *host, const char *text, size_t len,
                    struct sql_result *result) MUST_CHECK;

/* sql_in_transaction - whether one is open. */
bool sql_in_transaction(const struct sql *sql);

/* sql_statement_end - bytes of the first statement of a text with its
 * semicolon, those of a trigger's body counted in; 0 when it goes on. */
size_t sql_statement_end(const char *text, size_t len);

/* sql_skip_blank - bytes of blanks and comments that a text begins with. */
size_t sql_skip_blank(const char *text, size_t len);

/* sql_text_complete - whether a text is a command, or ends with a whole
 * statement, so that it can be run. */
bool sql_text_complete(const char *text, size_t len);

/* sql_text_alloc, sql_text_free - memory for a text, of the heap in use. */
char *sql_text_alloc(size_t bytes);
void sql_text_free(char *text);

#endif
