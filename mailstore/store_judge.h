/* Between a delivery and what its recipients have said about their mail. */
#ifndef MAILSTORE_STORE_JUDGE_H
#define MAILSTORE_STORE_JUDGE_H

#include "mailstore/store_internal.h"

struct store_rule;

#define STORE_VACATION "vacation" /* the preference that says whether */

/* store_is_ruled - whether a user has rules, or answers while he is away. */
enum err store_is_ruled(struct store *store, int64_t user_id,
                        bool *ruled) MUST_CHECK;

/* store_read_rules - all of a user, in memory that the caller frees. */
enum err store_read_rules(struct store *store, int64_t user_id,
                          struct store_rule **rules,
                          unsigned *count) MUST_CHECK;

/* store_deliver_ruled - a message whose row and body are stored goes where this
 * user's rules want it, which may be nowhere. relies: it is not kept for him
 * because he sends it on to another of its recipients, whose rules may not keep
 * it either. */
enum err store_deliver_ruled(struct store *store,
                             struct store_delivery *delivery, int64_t user_id,
                             bool *relies) MUST_CHECK;

/* store_answer_vacation - answers it for the user if he is away and it is one
 * that is to be answered. */
enum err store_answer_vacation(struct store *store,
                               const struct store_delivery *delivery,
                               int64_t user_id) MUST_CHECK;

#endif
