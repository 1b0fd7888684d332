/* What users have chosen for themselves: preferences, rules for what comes in,
 * and what is answered while they are away. Writing is the writer's. */
#ifndef MAILSTORE_STORE_PERSON_H
#define MAILSTORE_STORE_PERSON_H

#include "mailstore/store.h"

/* ---- Preferences -------------------------------------------------------- */

#define STORE_PREFERENCE_BYTES 8192
#define STORE_SIGNATURE        "signature"
#define STORE_DISPLAY_NAME     "name" /* in From; without: the full name */

/* store_preference_get - "" when there is none; cut at the end of a character
 * when there is no room. store_preference_put - "" takes it away. ERR_TOO_BIG,
 * ERR_INVALID (not UTF-8), ERR_NOT_FOUND (user). Any key of at most 32 small
 * letters, digits, "-" and "_" is good. */
enum err store_preference_get(struct store *store, int64_t user_id,
                              const char *key, char *value,
                              size_t bytes) MUST_CHECK;
enum err store_preference_put(struct store *store, int64_t user_id,
                              const char *key, const char *value) MUST_CHECK;

/* ---- Vacation replies (RFC 3834) ---------------------------------------- */

#define STORE_VACATION_SUBJECT 256
#define STORE_VACATION_TEXT    4096

/* While it holds, whoever writes to the user gets this answer, once in
 * STORE_VACATION_DAYS. */
#define STORE_VACATION_DAYS 7

struct store_vacation {
    bool on;
    int64_t from_ms, until_ms; /* Unix time, until: not any more; 0: no limit */
    char subject[STORE_VACATION_SUBJECT]; /* "": made of the message's own */
    char text[STORE_VACATION_TEXT];       /* UTF-8, lines end in LF */
};

/* store_vacation_put - also forgets who has been answered. ERR_INVALID: on
 * without a text, not UTF-8, or until before from. */
enum err store_vacation_get(struct store *store, int64_t user_id,
                            struct store_vacation *vacation) MUST_CHECK;
enum err store_vacation_put(struct store *store, int64_t user_id,
                            const struct store_vacation *vacation) MUST_CHECK;

/* ---- Rules -------------------------------------------------------------- */

#define STORE_RULES_MAX     100
#define STORE_PATTERN_BYTES 128

enum store_rule_field {
    STORE_RULE_FROM,
    STORE_RULE_TO, /* To or Cc */
    STORE_RULE_SUBJECT,
    STORE_RULE_HEADER, /* the field `header` */
};

#define STORE_RULE_MOVE    0x01u /* into mailbox_id */
#define STORE_RULE_SEEN    0x02u
#define STORE_RULE_FLAG    0x04u
#define STORE_RULE_DELETE  0x08u /* keep no copy, whatever else is done */
#define STORE_RULE_FORWARD 0x10u /* send on to `forward` */
#define STORE_RULE_STOP    0x20u /* those behind it are not asked */
#define STORE_RULE_ACTIONS 0x3fu

/* A message whose field contains the pattern, caselessly, has all of this done
 * to it. With several rules that hold, the first folder that is named counts.
 */
struct store_rule {
    int64_t id;
    enum store_rule_field field;
    char header[65];                   /* STORE_RULE_HEADER: a field's name */
    char pattern[STORE_PATTERN_BYTES]; /* UTF-8; "": any message */
    uint8_t actions;                   /* STORE_RULE_MOVE ... */
    int64_t mailbox_id; /* 0: the folder has been deleted, Inbox then */
    char forward[USER_ADDRESS_BYTES];
};

/* store_list_rules - in the order in which they are asked. */
enum err store_list_rules(struct store *store, int64_t user_id,
                          enum err (*each)(void *context,
                                           const struct store_rule *rule),
                          void *context) MUST_CHECK;

/* store_rule_put - id 0: a new one, behind the others; else in the place of
 * that one. ERR_INVALID: no action, a bad address, field or text;
 * ERR_NOT_FOUND: rule, folder or user; ERR_TOO_BIG: too many.
 * store_rule_drop, store_rule_raise - removes it; puts it before the one that
 * is before it. ERR_NOT_FOUND. */
enum err store_rule_put(struct store *store, int64_t user_id,
                        const struct store_rule *rule) MUST_CHECK;
enum err store_rule_drop(struct store *store, int64_t user_id,
                         int64_t rule_id) MUST_CHECK;
enum err store_rule_raise(struct store *store, int64_t user_id,
                          int64_t rule_id) MUST_CHECK;

#endif
