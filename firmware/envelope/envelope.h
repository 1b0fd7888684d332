/* Who a message on its way in is for, by SMTP or from a page: recipient.h puts
 * them in. Most mail has a few recipients, all of
 * them here, for which there is room in the envelope itself; more of them, and
 * addresses elsewhere, lie in blocks of a pool, so that a session stays small.
 * While the pool is used up, a further recipient is told to come later, as
 * behind the hundredth (RFC 5321 4.5.3.1.10). Half of it is for users who have
 * logged in: no stranger can keep them from sending. */
#ifndef ENVELOPE_ENVELOPE_H
#define ENVELOPE_ENVELOPE_H

#include "core/err.h"
#include "mailstore/store.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_RECIPIENTS_MAX STORE_RECIPIENTS_MAX
/* Room for eight recipients here. */
#define ENVELOPE_FEW 112

struct envelope_block;

struct envelope {
    struct envelope_block *first, *last;
    uint16_t used; /* of few[] */
    uint8_t user_count;
    uint8_t remote_count;
    uint8_t success_count; /* of envelope_add_success() */
    bool utf8;             /* one of the addresses elsewhere is (RFC 6531) */
    bool stranger;         /* the asker sets it: nobody has logged in */
    uint8_t few[ENVELOPE_FEW];
};

/* What the sender wants to be told (RFC 3461), as given with the recipient. */
struct envelope_wish {
    const char *address; /* the recipient's, as written */
    size_t address_len;
    const char *orcpt; /* "" when none */
    size_t orcpt_len;
    uint8_t notify; /* STORE_NOTIFY_* */
};

/* envelope_module_init - makes the pool of so many blocks; once. */
enum err envelope_module_init(unsigned blocks) MUST_CHECK;

/* envelope_clear - empty; its blocks go back. */
void envelope_clear(struct envelope *envelope);

/* envelope_set_id - ENVID. Once. Returns OK or ERR_MEMORY. */
enum err envelope_set_id(struct envelope *envelope, const char *text,
                         size_t len) MUST_CHECK;

/* envelope_add_user, envelope_add_remote - one more recipient; who is
 * there already counts once. Return OK or ERR_MEMORY; ERR_FULL when there would
 * be more than `limit`, at most ENVELOPE_RECIPIENTS_MAX. */
enum err envelope_add_user(struct envelope *envelope, int64_t user,
                           unsigned limit) MUST_CHECK;
enum err envelope_add_remote(struct envelope *envelope, const char *address,
                             const struct envelope_wish *wish,
                             unsigned limit) MUST_CHECK;

/* envelope_add_success - the sender is to be told that this recipient was
 * delivered to here; expanded: and to addresses elsewhere, by an alias.
 * Returns OK, ERR_MEMORY or ERR_FULL. */
enum err envelope_add_success(struct envelope *envelope,
                              const struct envelope_wish *wish,
                              bool expanded) MUST_CHECK;

/* One of those; also the way through them, beginning with all zeros. */
struct envelope_success {
    const char *address, *orcpt;
    bool expanded;
    const struct envelope_block *block;
    size_t at;
};

/* envelope_next_success - the next one; false behind the last. */
bool envelope_next_success(const struct envelope *envelope,
                           struct envelope_success *success);

/* A place to go back to: what was added since is taken out again. */
struct envelope_mark {
    struct envelope_block *last;
    uint16_t used, block_used;
    uint8_t user_count, remote_count, success_count;
    bool utf8;
};
void envelope_mark(const struct envelope *envelope, struct envelope_mark *mark);
void envelope_back(struct envelope *envelope, const struct envelope_mark *mark);

/* What an envelope holds, in the form that the store wants. */
struct envelope_lists {
    int64_t users[ENVELOPE_RECIPIENTS_MAX];
    struct store_remote remotes[ENVELOPE_RECIPIENTS_MAX];
    const char *envid;
};

/* envelope_list - the lists lie in memory that all envelopes share, the
 * texts in the envelope. */
const struct envelope_lists *envelope_list(const struct envelope *envelope);

#endif
