/* Who a message on its way in is for. Most mail has a few recipients, all of
 * them here, for which there is room in the envelope itself; more of them, and
 * addresses elsewhere, lie in blocks of a pool, so that a session stays small.
 * While the pool is used up, a further recipient is told to come later, as
 * behind the hundredth (RFC 5321 4.5.3.1.10). */
#ifndef SMTP_SMTP_ENVELOPE_H
#define SMTP_SMTP_ENVELOPE_H

#include "core/err.h"
#include "mailstore/store.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_RECIPIENTS_MAX STORE_RECIPIENTS_MAX
/* Room for eight recipients here. */
#define SMTP_ENVELOPE_FEW 112

struct smtp_block;

struct smtp_envelope {
    struct smtp_block *first, *last;
    uint16_t used; /* of few[] */
    uint8_t user_count;
    uint8_t remote_count;
    uint8_t success_count; /* of smtp_envelope_add_success() */
    bool utf8;             /* one of the addresses elsewhere is (RFC 6531) */
    uint8_t few[SMTP_ENVELOPE_FEW];
};

/* What the sender wants to be told (RFC 3461), as given with the recipient. */
struct smtp_wish {
    const char *address; /* the recipient's, as written */
    size_t address_len;
    const char *orcpt; /* "" when none */
    size_t orcpt_len;
    uint8_t notify; /* STORE_NOTIFY_* */
};

/* smtp_envelope_module_init - makes the pool of so many blocks; once. */
enum err smtp_envelope_module_init(unsigned blocks) MUST_CHECK;

/* smtp_envelope_clear - empty; its blocks go back. */
void smtp_envelope_clear(struct smtp_envelope *envelope);

/* smtp_envelope_set_id - ENVID. Once. Returns OK or ERR_MEMORY. */
enum err smtp_envelope_set_id(struct smtp_envelope *envelope, const char *text,
                              size_t len) MUST_CHECK;

/* smtp_envelope_add_user, smtp_envelope_add_remote - one more recipient; who is
 * there already counts once. Return OK or ERR_MEMORY; ERR_FULL when there would
 * be more than `limit`, at most SMTP_RECIPIENTS_MAX. */
enum err smtp_envelope_add_user(struct smtp_envelope *envelope, int64_t user,
                                unsigned limit) MUST_CHECK;
enum err smtp_envelope_add_remote(struct smtp_envelope *envelope,
                                  const char *address,
                                  const struct smtp_wish *wish,
                                  unsigned limit) MUST_CHECK;

/* smtp_envelope_add_success - the sender is to be told that this recipient was
 * delivered to here; expanded: and to addresses elsewhere, by an alias.
 * Returns OK, ERR_MEMORY or ERR_FULL. */
enum err smtp_envelope_add_success(struct smtp_envelope *envelope,
                                   const struct smtp_wish *wish,
                                   bool expanded) MUST_CHECK;

/* One of those; also the way through them, beginning with all zeros. */
struct smtp_envelope_success {
    const char *address, *orcpt;
    bool expanded;
    const struct smtp_block *block;
    size_t at;
};

/* smtp_envelope_next_success - the next one; false behind the last. */
bool smtp_envelope_next_success(const struct smtp_envelope *envelope,
                                struct smtp_envelope_success *success);

/* A place to go back to: what was added since is taken out again. */
struct smtp_envelope_mark {
    struct smtp_block *last;
    uint16_t used, block_used;
    uint8_t user_count, remote_count, success_count;
    bool utf8;
};
void smtp_envelope_mark(const struct smtp_envelope *envelope,
                        struct smtp_envelope_mark *mark);
void smtp_envelope_back(struct smtp_envelope *envelope,
                        const struct smtp_envelope_mark *mark);

/* What an envelope holds, in the form that the store wants. */
struct smtp_envelope_lists {
    int64_t users[SMTP_RECIPIENTS_MAX];
    struct store_remote remotes[SMTP_RECIPIENTS_MAX];
    const char *envid;
};

/* smtp_envelope_list - the lists lie in memory that all envelopes share, the
 * texts in the envelope. */
const struct smtp_envelope_lists *
smtp_envelope_list(const struct smtp_envelope *envelope);

#endif
