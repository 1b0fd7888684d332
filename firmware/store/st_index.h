/* The index of messages (mailstore/store_find.h), brought up to date in idle
 * moments: a page job of its own, a few messages at a time, that ends at once
 * when mail or a page wants something. */
#ifndef STORE_ST_INDEX_H
#define STORE_ST_INDEX_H

#include "store/st_job.h"

/* Both are called in a page job, with its store. */

/* st_index_user - from now on this user's messages are indexed; to be called by
 * any page that shows him his mail. Costs a look into a table. */
enum err st_index_user(struct store *store, int64_t user_id) MUST_CHECK;

/* st_index_catch_up - brings the index of this user up to date, for at most
 * limit_ms. *left: how many messages it has still to look at then, counted up
 * to 100,000. */
enum err st_index_catch_up(struct store *store, int64_t user_id,
                           uint64_t limit_ms, uint64_t *left) MUST_CHECK;

struct st_index_figures {
    uint64_t batches; /* put into the store since start */
    bool running;
};
void st_index_figures(struct st_index_figures *figures);

#endif
