/* Who an address means: see recipient.h. */
#include "envelope/recipient.h"
#include "account/account.h"
#include "userdb/directory.h"
#include <assert.h>
#include <string.h>

static_assert(DIRECTORY_TARGETS_MAX <= ENVELOPE_RECIPIENTS_MAX,
              "the members of an alias fit into an envelope");

static const char rfc822[] = "rfc822;";

static enum recipient result_of_add(enum err error)
{
    if (error == ERR_MEMORY)
        return RECIPIENT_NO_MEMORY;
    return error == OK ? RECIPIENT_OK : RECIPIENT_TOO_MANY;
}

static enum recipient add_remote(struct envelope *envelope,
                                 const struct recipient_terms *terms,
                                 const char *address,
                                 const struct envelope_wish *wish)
{
    if (terms->only_here)
        return RECIPIENT_NOT_ELSEWHERE;
    if (terms->user != 0 &&
        limits_user_recipient(terms->user, terms->limits) != OK)
        return RECIPIENT_LIMITED;
    return result_of_add(
        envelope_add_remote(envelope, address, wish, terms->most));
}

/* An alias's address gets the sender's wishes, with the alias as original
 * recipient where the sender has named none (RFC 3461 5.2.7.2). That an alias
 * for several has reached them all is nobody's to say: so none of them tells of
 * success (RFC 3461 5.2.7.3). */
static enum recipient add_forward(struct envelope *envelope,
                                  const struct recipient_terms *terms,
                                  const char *address,
                                  const struct envelope_wish *given,
                                  bool several)
{
    char orcpt[USER_ADDRESS_BYTES + sizeof(rfc822)];
    struct envelope_wish wish = *given;
    size_t i;

    if (several && (wish.notify & STORE_NOTIFY_SUCCESS) != 0) {
        wish.notify &= (uint8_t)~STORE_NOTIFY_SUCCESS;
        if (wish.notify == 0)
            wish.notify = STORE_NOTIFY_NEVER;
    }
    for (i = 0; i < wish.address_len; i++)
        if (wish.address[i] <= ' ' || wish.address[i] > '~' ||
            wish.address[i] == '+' || wish.address[i] == '=')
            break;
    if (wish.orcpt_len == 0 && i == wish.address_len && i > 0 &&
        i <= sizeof(orcpt) - sizeof(rfc822)) {
        memcpy(orcpt, rfc822, sizeof(rfc822) - 1);
        memcpy(orcpt + sizeof(rfc822) - 1, wish.address, i);
        wish.orcpt = orcpt;
        wish.orcpt_len = sizeof(rfc822) - 1 + i;
    }
    return add_remote(envelope, terms, address, &wish);
}

/* That the message is in the mailboxes is told from here; where there is no
 * mailbox but one address elsewhere, by the server there. */
static enum recipient note_success(struct envelope *envelope,
                                   const struct recipient_terms *terms,
                                   const struct directory_expansion *expansion,
                                   const struct envelope_wish *wish)
{
    bool elsewhere = false;
    unsigned i;

    if ((wish->notify & STORE_NOTIFY_SUCCESS) == 0 || !terms->told)
        return RECIPIENT_OK;
    for (i = 0; i < expansion->count; i++)
        elsewhere |= expansion->targets[i].user == NULL;
    if (elsewhere && expansion->count == 1)
        return RECIPIENT_OK;
    return result_of_add(envelope_add_success(envelope, wish, elsewhere));
}

/* Whether a user's mailbox has room. Not asked for the members of an alias: one
 * whose mailbox is full must not keep mail from the others. */
static enum recipient check_quota(struct recipient_terms *terms, int64_t user)
{
    switch ((int)account_quota_room(user, terms->declared_bytes)) {
    case ERR_FULL:
        return RECIPIENT_FULL;
    case ERR_TOO_BIG:
        return RECIPIENT_TOO_BIG_EVER;
    default:
        terms->quota_max = account_quota_left(user);
        return RECIPIENT_OK;
    }
}

/* All that an address of ours means, or nothing of it. */
static enum recipient add_targets(struct envelope *envelope,
                                  struct recipient_terms *terms,
                                  const struct directory_expansion *expansion,
                                  const struct envelope_wish *wish)
{
    struct envelope_mark mark;
    enum recipient result = RECIPIENT_OK;
    unsigned i;

    if (expansion->count == 1 && expansion->targets[0].user != NULL)
        result = check_quota(terms, expansion->targets[0].user->id);
    envelope_mark(envelope, &mark);
    for (i = 0; i < expansion->count && result == RECIPIENT_OK; i++) {
        const struct directory_target *target = &expansion->targets[i];

        if (target->user != NULL)
            result = result_of_add(
                envelope_add_user(envelope, target->user->id, terms->most));
        else
            result = add_forward(envelope, terms, target->address, wish,
                                 expansion->count > 1);
    }
    if (result == RECIPIENT_OK)
        result = note_success(envelope, terms, expansion, wish);
    if (result != RECIPIENT_OK)
        envelope_back(envelope, &mark);
    return result;
}

static enum recipient add_local(struct envelope *envelope,
                                struct recipient_terms *terms,
                                const struct directory_expansion *expansion,
                                const struct envelope_wish *wish)
{
    enum recipient result;

    if (expansion->closed && terms->user == 0)
        return RECIPIENT_CLOSED;
    if (expansion->max_bytes > 0 &&
        terms->declared_bytes > expansion->max_bytes)
        return RECIPIENT_TOO_BIG;
    result = add_targets(envelope, terms, expansion, wish);
    if (result == RECIPIENT_OK && expansion->max_bytes > 0 &&
        expansion->max_bytes < terms->bytes_max)
        terms->bytes_max = expansion->max_bytes;
    return result;
}

/* An address elsewhere, for a user who is logged in. */
static enum recipient add_elsewhere(struct envelope *envelope,
                                    const struct recipient_terms *terms,
                                    const struct envelope_wish *wish)
{
    char address[USER_ADDRESS_BYTES];

    if (terms->user == 0)
        return RECIPIENT_FOREIGN;
    if (wish->address_len >= sizeof(address))
        return RECIPIENT_TOO_MANY;
    memcpy(address, wish->address, wish->address_len);
    address[wish->address_len] = '\0';
    return add_remote(envelope, terms, address, wish);
}

enum recipient recipient_add(struct envelope *envelope,
                             struct recipient_terms *terms,
                             const struct recipient_address *address,
                             const struct envelope_wish *wish)
{
    const struct directory_expansion *expansion;

    switch ((int)directory_expand(address->local, address->local_len,
                                  address->domain, address->domain_len,
                                  &expansion)) {
    case OK:
        return add_local(envelope, terms, expansion, wish);
    case ERR_REFUSED:
        return add_elsewhere(envelope, terms, wish);
    case ERR_BUSY:
        return RECIPIENT_DISABLED;
    case ERR_TOO_BIG:
        return RECIPIENT_EXPANSION;
    default:
        return RECIPIENT_UNKNOWN;
    }
}
