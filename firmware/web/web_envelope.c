/* Recipients as they were typed: see web_envelope.h. */
#include "web/web_envelope.h"
#include "envelope/recipient.h"
#include "limits/limits.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

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
    static const struct limits_session session = {.trusted = true};

    web_envelope_end(envelope);
    memset(envelope, 0, sizeof(*envelope));
    envelope->bytes_max = STORE_MESSAGE_MAX;
    if (limits_user_message(user_id, &session) == OK)
        return OK;
    (void)snprintf(envelope->why, sizeof(envelope->why),
                   "You have sent as many messages as you may in an hour: try "
                   "again later.");
    return ERR_BUSY;
}

void web_envelope_end(struct web_envelope *envelope)
{
    envelope_clear(&envelope->all);
}

/* ---- Why not ------------------------------------------------------------ */

static const struct {
    enum err err;
    const char *before, *behind; /* the address stands between them, if any */
} reasons[] = {
    [RECIPIENT_TOO_MANY] = {ERR_TOO_BIG,
                            "A message can have 100 recipients at most: send "
                            "it to the others separately.",
                            NULL},
    [RECIPIENT_LIMITED] = {ERR_BUSY,
                           "You have written to as many addresses elsewhere as "
                           "you may in an hour: try again later.",
                           NULL},
    [RECIPIENT_FULL] = {ERR_FULL, "The mailbox of ",
                        " is full: nothing can be sent there now."},
    [RECIPIENT_UNKNOWN] = {ERR_NOT_FOUND, "There is nobody of the address ",
                           " here: look at how it is spelled."},
    /* It is no address at all. */
    [RECIPIENT_UNKNOWN + 1] = {ERR_INVALID, "\"",
                               "\" is not an address: write name@domain, with "
                               "commas between several."},
};
_Static_assert(STORE_RECIPIENTS_MAX == 100, "as a reason says");

static enum err explain(struct web_envelope *envelope, unsigned reason)
{
    const char *address = envelope->address.address;
    const char *before = reasons[reason].before;
    const char *behind = reasons[reason].behind;

    if (address[0] == '\0')
        address = envelope->address.name;
    if (before == NULL) {
        before = "Nothing can be sent to ";
        behind = " at the moment.";
    }
    (void)snprintf(envelope->why, sizeof(envelope->why), "%s%s%s", before,
                   behind != NULL ? address : "", behind != NULL ? behind : "");
    return reasons[reason].err != OK ? reasons[reason].err : ERR_BUSY;
}

/* ---- Addresses ---------------------------------------------------------- */

static enum err add_address(struct web_envelope *envelope, int64_t user_id)
{
    static const struct limits_session session = {.trusted = true};
    const char *address = envelope->address.address;
    const char *at = user_address_at(address, strlen(address));
    struct recipient_terms terms = {.user = user_id,
                                    .limits = &session,
                                    .most = STORE_RECIPIENTS_MAX,
                                    .bytes_max = envelope->bytes_max};
    const struct envelope_wish wish = {.address = address,
                                       .address_len = strlen(address),
                                       .orcpt = "",
                                       .notify = STORE_NOTIFY_DEFAULT};
    struct recipient_address parts;
    enum recipient result;

    if (at == NULL || (!directory_is_local_domain(at + 1, strlen(at + 1)) &&
                       !user_address_valid(address)))
        return explain(envelope, RECIPIENT_UNKNOWN + 1);
    parts = (struct recipient_address){address, (size_t)(at - address), at + 1,
                                       strlen(at + 1)};
    result = recipient_add(&envelope->all, &terms, &parts, &wish);
    envelope->bytes_max = terms.bytes_max;
    return result == RECIPIENT_OK ? OK : explain(envelope, result);
}

enum err web_envelope_add(struct web_envelope *envelope, int64_t user_id,
                          const char *list)
{
    struct mime_span rest = {list, strlen(list)};
    enum err err = OK;

    while (err == OK && web_address_next(&rest, &envelope->address))
        err = add_address(envelope, user_id);
    if (err == OK)
        envelope->lists = *envelope_list(&envelope->all);
    return err;
}
