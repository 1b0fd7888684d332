/* The log in the store: what happened, as key=value text, with the message it
 * is about. Bounded: the oldest lines go when there are too many. */
#ifndef MAILSTORE_STORE_LOG_H
#define MAILSTORE_STORE_LOG_H

#include "mailstore/store.h"

#define STORE_LOG_MODULE_BYTES 16
#define STORE_LOG_TEXT_BYTES   640

struct store_log_line {
    int64_t log_id; /* grows with time, without gaps */
    int64_t time_ms;
    int64_t mail_id; /* 0: about no message */
    char module[STORE_LOG_MODULE_BYTES];
    char text[STORE_LOG_TEXT_BYTES];
};

/* store_log_put - appends a line (writer, inside a transaction).
 * text: len bytes, which must stay until the call returns. */
enum err store_log_put(struct store *store, int64_t time_ms, int64_t mail_id,
                       const char *module, const char *text,
                       size_t len) MUST_CHECK;

/* store_log_prune - takes away the oldest lines, at most `most` of them in one
 * call, when there are `most` more than `keep` (writer, inside a transaction).
 */
enum err store_log_prune(struct store *store, int64_t keep,
                         int64_t most) MUST_CHECK;

/* store_log_range - ids of the first and the last line; 0 and 0 when there is
 * none. */
enum err store_log_range(struct store *store, int64_t *first,
                         int64_t *last) MUST_CHECK;

/* Which lines, and in which order. */
struct store_log_query {
    int64_t from, to; /* ids, both included; to: INT64_MAX for all */
    int64_t mail_id;  /* of this message only; 0: all */
    bool backward;    /* the newest first */
};

/* store_log_list - calls back for each line; a callback's error ends the
 * listing and is returned. */
enum err store_log_list(struct store *store,
                        const struct store_log_query *query,
                        enum err (*each)(void *context,
                                         const struct store_log_line *line),
                        void *context) MUST_CHECK;

/* store_log_contains - whether a line's module or text holds this text; the
 * case of ASCII letters does not matter. "" is in every line. */
bool store_log_contains(const struct store_log_line *line, const char *text);

/* store_log_has_id - whether a line's id= is this one, as a whole. */
bool store_log_has_id(const struct store_log_line *line, const char *id);

/* store_log_names_user - whether a line is about this local user: a value of
 * user=, or one of those of local=. */
bool store_log_names_user(const struct store_log_line *line, const char *user);

#endif
