/* Rows of lists, for the files that list messages. */
#ifndef MAILSTORE_STORE_LIST_H
#define MAILSTORE_STORE_LIST_H

#include "mailstore/store_internal.h"
#include "mailstore/store_mailbox.h"
#include "mailstore/summary.h"

/* One row at a time, with its texts, so that no statement is half-way while
 * whoever asked for it looks at it. */
struct store_row_memory {
    struct store_row row;
    char sender[USER_ADDRESS_BYTES];
    char subject[256];
    struct summary summary;
};

struct store_row_memory *store_row_memory(void);
void store_row_memory_free(struct store_row_memory *memory);

/* store_fill_row - the row of a message, if it is the user's. Returns OK,
 * ERR_NOT_FOUND or the store's error. */
enum err store_fill_row(struct store *store, int64_t user_id,
                        const struct store_key *key,
                        struct store_row_memory *memory) MUST_CHECK;

#endif
