/* Recipients as they were typed: see web_envelope.h. */
#include "web/web_envelope.h"
#include "account/account.h"
#include "limits/limits.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool web_address_next(struct mime_span *rest, struct mime_address *address)
{
    const struct directory_expansion *expansion;
    const char *domain = directory_first_domain();
    size_t len;

    if (!mime_address_next(rest, address))
        return false;
    len = strlen(address->name);
    if (address->address[0] != '\0' || len == 0 || len >= USER_NAME_BYTES ||
        directory_expand(address->name, len, domain, strlen(domain),
                         &expansion) == ERR_NOT_FOUND ||
        !user_name_valid(address->name))
        return true;
    (void)snprintf(address->address, sizeof(address->address), "%s@%s",
                   address->name, domain);
    address->name[0] = '\0';
    return true;
}

enum err web_envelope_begin(struct web_envelope *envelope, int64_t user_id)
{
    struct limits_session session;

    memset(envelope, 0, sizeof(*envelope));
    memset(&session, 0, sizeof(session));
    session.trusted = true;
    if (limits_user_message(user_id, &session) == OK)
        return OK;
    (void)snprintf(envelope->why, sizeof(envelope->why),
                   "You have sent as many messages as you may in an hour: try "
                   "again later.");
    return ERR_BUSY;
}

static enum err too_many(struct web_envelope *envelope)
{
    (void)snprintf(envelope->why, sizeof(envelope->why),
                   "A message can have %d recipients at most: send it to the "
                   "others separately.",
                   STORE_RECIPIENTS_MAX);
    return ERR_TOO_BIG;
}

static enum err add_user(struct web_envelope *envelope, int64_t user_id)
{
    unsigned i;

    for (i = 0; i < envelope->user_count; i++)
        if (envelope->users[i] == user_id)
            return OK;
    if (envelope->user_count + envelope->remote_count == STORE_RECIPIENTS_MAX)
        return too_many(envelope);
    envelope->users[envelope->user_count++] = user_id;
    return OK;
}

static enum err add_remote(struct web_envelope *envelope, int64_t user_id,
                           const char *address)
{
    size_t bytes = strlen(address) + 1;
    struct limits_session session;
    struct store_remote *remote;
    char *copy = envelope->texts + envelope->texts_bytes;
    unsigned i;

    for (i = 0; i < envelope->remote_count; i++)
        if (strcmp(envelope->remotes[i].address, address) == 0)
            return OK;
    memset(&session, 0, sizeof(session));
    session.trusted = true;
    if (envelope->user_count + envelope->remote_count == STORE_RECIPIENTS_MAX ||
        bytes > sizeof(envelope->texts) - envelope->texts_bytes)
        return too_many(envelope);
    if (limits_user_recipient(user_id, &session) != OK) {
        (void)snprintf(envelope->why, sizeof(envelope->why),
                       "You have written to as many addresses elsewhere as "
                       "you may in an hour: try again later.");
        return ERR_BUSY;
    }
    memcpy(copy, address, bytes);
    envelope->texts_bytes += bytes;
    remote = &envelope->remotes[envelope->remote_count++];
    remote->address = copy;
    remote->orcpt = "";
    remote->notify = STORE_NOTIFY_DEFAULT;
    while (*address != '\0')
        envelope->utf8 |= (*address++ & 0x80) != 0;
    return OK;
}

/* Not asked for the members of an alias, as with RCPT TO. */
static enum err check_quota(struct web_envelope *envelope,
                            const struct directory_expansion *expansion)
{
    if (expansion->count != 1 || expansion->targets[0].user == NULL ||
        account_quota_room(expansion->targets[0].user->id, 0) == OK)
        return OK;
    (void)snprintf(envelope->why, sizeof(envelope->why),
                   "The mailbox of %s is full: nothing can be sent there now.",
                   envelope->address.address);
    return ERR_FULL;
}

/* An address of ours is turned into whoever gets its mail; the expansion is
 * valid until the directory is asked again. */
static enum err add_local(struct web_envelope *envelope, int64_t user_id,
                          const struct directory_expansion *expansion)
{
    enum err err = check_quota(envelope, expansion);
    unsigned i;

    if (expansion->max_bytes > 0 &&
        (envelope->max_bytes == 0 ||
         expansion->max_bytes < envelope->max_bytes))
        envelope->max_bytes = expansion->max_bytes;
    for (i = 0; i < expansion->count && err == OK; i++) {
        const struct directory_target *target = &expansion->targets[i];

        err = target->user != NULL
                  ? add_user(envelope, target->user->id)
                  : add_remote(envelope, user_id, target->address);
    }
    return err;
}

static enum err add_address(struct web_envelope *envelope, int64_t user_id)
{
    const struct directory_expansion *expansion;
    const char *address = envelope->address.address;
    const char *at = user_address_at(address, strlen(address));
    enum err err = ERR_INVALID;

    if (at != NULL)
        err = directory_expand(address, (size_t)(at - address), at + 1,
                               strlen(at + 1), &expansion);
    if (err == OK)
        return add_local(envelope, user_id, expansion);
    if (err == ERR_REFUSED && user_address_valid(address))
        return add_remote(envelope, user_id, address);
    if (err == ERR_NOT_FOUND)
        (void)snprintf(envelope->why, sizeof(envelope->why),
                       "There is nobody of the address %s here: look at how "
                       "it is spelled.",
                       address);
    else if (err == ERR_BUSY || err == ERR_TOO_BIG)
        (void)snprintf(envelope->why, sizeof(envelope->why),
                       "Nothing can be sent to %s at the moment.", address);
    else
        (void)snprintf(envelope->why, sizeof(envelope->why),
                       "\"%s\" is not an address: write name@domain, with "
                       "commas between several.",
                       address[0] != '\0' ? address : envelope->address.name);
    return err == ERR_REFUSED ? ERR_INVALID : err;
}

enum err web_envelope_add(struct web_envelope *envelope, int64_t user_id,
                          const char *list)
{
    struct mime_span rest = {list, strlen(list)};
    enum err err = OK;

    while (err == OK && web_address_next(&rest, &envelope->address))
        err = add_address(envelope, user_id);
    return err;
}
