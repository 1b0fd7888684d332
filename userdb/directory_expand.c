/* Whom an address means: aliases of aliases, tags, catch-alls, roles.
 *
 *   address -> alias? -> each of its meanings -> address -> ...
 *           -> user?                          -> user
 *
 * An alias is followed once in an expansion: so loops end, and an alias that
 * several others name costs nothing more. A user whose own name is an alias has
 * his mail sent on, also what comes by other aliases; one that comes back to
 * his name means his mailbox. */
#include "userdb/directory_internal.h"
#include <string.h>

/* Aliases of aliases; more is a mistake of whoever wrote them. */
#define DEPTH_MAX 16

struct address {
    const char *local;
    size_t local_len;
    const char *domain; /* in ASCII */
    size_t domain_len;  /* 0: one of ours */
};

static struct {
    struct directory_expansion expansion;
    uint32_t number; /* of the expansion, for directory_text.seen */
    bool disabled;   /* a user who is met is disabled */
    bool persons;    /* whose it is, wherever his own name leads */
} state;

static enum err add_target(const struct user *user, const char *address)
{
    struct directory_expansion *expansion = &state.expansion;
    struct directory_target *target;

    for (unsigned i = 0; i < expansion->count; i++) {
        target = &expansion->targets[i];
        if (user ? target->user == user
                 : target->address && strcmp(target->address, address) == 0)
            return OK;
    }
    if (expansion->count == DIRECTORY_TARGETS_MAX)
        return ERR_TOO_BIG;
    target = &expansion->targets[expansion->count++];
    target->user = user;
    target->address = user ? NULL : address;
    return OK;
}

static enum err add_user(const struct user *user)
{
    if (!user->enabled) {
        state.disabled = true;
        return OK;
    }
    return add_target(user, NULL);
}

static enum err expand(const struct address *address, unsigned depth);

/* An alias's own address. One that is not ours is taken as it stands. */
static enum err expand_text(const char *text, unsigned depth)
{
    char ascii[USER_DOMAIN_BYTES] = "";
    const char *at = strrchr(text, '@');
    struct address address = {
        .local = text,
        .local_len = at ? (size_t)(at - text) : strlen(text),
        .domain = ascii,
    };
    enum err err;

    if (at && user_domain_to_ascii(at + 1, strlen(at + 1), ascii))
        return OK;
    address.domain_len = strlen(ascii);
    err = expand(&address, depth);
    return err == ERR_REFUSED ? add_target(NULL, text) : err;
}

static enum err follow(struct directory_text *alias, unsigned depth);

/* A user whom an alias names. */
static enum err mean_user(const struct user *user, unsigned depth)
{
    unsigned count = state.expansion.count;
    struct directory_text *own = NULL;
    enum err err;

    if (!state.persons)
        own = directory_find(DIRECTORY_ALIAS, user->name, strlen(user->name),
                             NULL, 0);
    if (!own || own->open)
        return add_user(user);
    if (own->seen == state.number)
        return OK;
    err = follow(own, depth + 1);
    /* What leads nowhere else is kept. */
    return err || state.expansion.count > count ? err : add_user(user);
}

static enum err follow(struct directory_text *alias, unsigned depth)
{
    enum err err = OK;

    if (depth >= DEPTH_MAX)
        return ERR_TOO_BIG;
    alias->seen = state.number;
    alias->open = true;
    for (const struct directory_meaning *meaning = alias->meanings;
         !err && meaning; meaning = meaning->next) {
        if (meaning->record)
            err = mean_user(&meaning->record->user, depth);
        else
            err = expand_text(meaning->address, depth + 1);
        if (err == ERR_NOT_FOUND)
            err = OK;
    }
    alias->open = false;
    return err;
}

/* What stands in the directory for just this local part.
 * Returns ERR_NOT_FOUND when nothing does. */
static enum err expand_exact(const struct address *address, size_t local_len,
                             bool ours, unsigned depth)
{
    struct directory_text *alias = NULL, *user = NULL;
    enum err err = OK;

    /* A quoted local part may hold anything; no name or alias does. */
    if (local_len == 0 || memchr(address->local, '@', local_len))
        return ERR_NOT_FOUND;
    if (address->domain_len)
        alias = directory_find(DIRECTORY_ALIAS, address->local, local_len,
                               address->domain, address->domain_len);
    if (!alias && ours)
        alias =
            directory_find(DIRECTORY_ALIAS, address->local, local_len, NULL, 0);
    if (ours)
        user =
            directory_find(DIRECTORY_USER, address->local, local_len, NULL, 0);
    if (!alias)
        return user ? add_user(&user->record->user) : ERR_NOT_FOUND;
    if (user && (alias->open || (state.persons && alias->len == local_len)))
        err = add_user(&user->record->user);
    return err || alias->seen == state.number ? err : follow(alias, depth);
}

/* The length of a local part without its tag; of one without tag, its own. */
static size_t without_tag(const struct address *address)
{
    for (size_t i = 1; i < address->local_len; i++) {
        if (address->local[i] && strchr(directory_tags(), address->local[i]))
            return i;
    }
    return address->local_len;
}

/* Returns ERR_REFUSED when the address is not ours, ERR_NOT_FOUND when nobody
 * gets mail for it. */
static enum err expand(const struct address *address, unsigned depth)
{
    struct directory_text *domain = NULL, *rest;
    size_t base = without_tag(address);
    enum err err;

    if (address->domain_len)
        domain = directory_find(DIRECTORY_DOMAIN, address->domain,
                                address->domain_len, NULL, 0);
    if (domain && depth == 0) {
        state.expansion.max_bytes = domain->limits->max_bytes;
        state.expansion.closed = domain->limits->closed;
    }
    err = expand_exact(address, address->local_len,
                       domain || !address->domain_len, depth);
    if (err == ERR_NOT_FOUND && base < address->local_len)
        err =
            expand_exact(address, base, domain || !address->domain_len, depth);
    if (err != ERR_NOT_FOUND || !address->domain_len)
        return err;
    rest = directory_find(DIRECTORY_ALIAS, "", 0, address->domain,
                          address->domain_len);
    if (rest)
        return rest->seen == state.number ? OK : follow(rest, depth);
    return domain ? ERR_NOT_FOUND : ERR_REFUSED;
}

static bool is_role(const char *local, size_t len)
{
    return (len == 10 && directory_same(local, "postmaster", 10)) ||
           (len == 5 && directory_same(local, "abuse", 5));
}

/* Who reads what is sent to "postmaster" when nobody has that name. */
static const struct user *postmaster(void)
{
    const struct user *first = NULL;

    for (size_t i = 0; i < directory_user_count(); i++) {
        const struct user *user = directory_user_at(i);

        if (user->admin && user->enabled)
            return user;
        if (!first && user->enabled)
            first = user;
    }
    return first;
}

enum err directory_expand(const char *local, size_t local_len,
                          const char *domain, size_t domain_len,
                          const struct directory_expansion **expansion)
{
    char ascii[USER_DOMAIN_BYTES] = "";
    struct address address = {local, local_len, ascii, 0};
    const struct user *reader;
    enum err err;

    *expansion = &state.expansion;
    memset(&state.expansion, 0, offsetof(struct directory_expansion, targets));
    state.disabled = false;
    state.number++;
    if (domain_len && user_domain_to_ascii(domain, domain_len, ascii))
        return ERR_REFUSED;
    address.domain_len = strlen(ascii);
    err = expand(&address, 0);
    if (err == ERR_REFUSED || err == ERR_TOO_BIG)
        return err;
    /* Whom everybody may complain to. */
    if (is_role(local, local_len))
        state.expansion.closed = false;
    if (state.expansion.count == 0 && is_role(local, local_len)) {
        reader = postmaster();
        err = reader ? add_user(reader) : ERR_NOT_FOUND;
    }
    if (state.expansion.count)
        return err == ERR_NOT_FOUND ? OK : err;
    return state.disabled ? ERR_BUSY : ERR_NOT_FOUND;
}

/* What a quoted string stands for, without NUL. Returns its length; 0: it is
 * none, or longer than any name. */
static size_t unquote(const char *text, size_t len, char *out, size_t room)
{
    size_t at, used = 0;

    if (len < 2 || text[0] != '"' || text[len - 1] != '"')
        return 0;
    for (at = 1; at < len - 1; at++) {
        if (text[at] == '\\')
            at++;
        if (at == len - 1 || used == room)
            return 0;
        out[used++] = text[at];
    }
    return used;
}

enum err directory_expand_whole(const char *address,
                                const struct directory_expansion **expansion)
{
    char plain[USER_NAME_BYTES];
    size_t len = strlen(address);
    const char *at = user_address_at(address, len);
    size_t local_len = at ? (size_t)(at - address) : len;
    const char *domain = at ? at + 1 : "";
    size_t plain_len = unquote(address, local_len, plain, sizeof plain);

    return plain_len ? directory_expand(plain, plain_len, domain,
                                        strlen(domain), expansion)
                     : directory_expand(address, local_len, domain,
                                        strlen(domain), expansion);
}

bool directory_may_send_as(int64_t user_id, const char *local, size_t local_len,
                           const char *domain, size_t domain_len)
{
    const struct directory_expansion *expansion;
    enum err err;

    if (domain_len == 0)
        return false;
    state.persons = true;
    err = directory_expand(local, local_len, domain, domain_len, &expansion);
    state.persons = false;
    if (err)
        return false;
    for (unsigned i = 0; i < expansion->count; i++) {
        const struct user *user = expansion->targets[i].user;

        if (user && user->id == user_id)
            return true;
    }
    return false;
}
