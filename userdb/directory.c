/* The directory: users, aliases and domains in memory, found by hash.
 *
 *   memory:  buckets of texts | buckets of ids | users and texts -> ... <-
 * index
 *
 * Users and texts are taken from the front of the memory, the index of users in
 * order of arrival grows down from its end; nothing is ever given back but by
 * directory_init(). User names and aliases share one set of texts, so that an
 * address never means two users; domains are kept in the same table with their
 * own kind. Comparison is caseless in ASCII. */
#include "userdb/user.h"
#include <string.h>

enum text_kind { TEXT_USER, TEXT_ALIAS, TEXT_DOMAIN };

struct record {
    struct user user;
    struct record *next; /* in the bucket of its id */
};

struct text {
    struct text *next;
    struct record *record; /* NULL for domains */
    uint32_t hash;
    uint16_t len;
    uint8_t kind;
    char bytes[];
};

struct directory {
    struct text **texts;
    struct record **ids;
    size_t bucket_mask;
    uint8_t *front;
    struct record **index; /* index[-1] is the first user */
    size_t count;
    const char *first_domain;
};

static struct {
    struct directory live;   /* the one that is asked */
    struct directory staged; /* the one that is filled meanwhile */
    bool staging;
} state;

#define BYTES_PER_USER 700

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool same_text(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

/* FNV-1a. Only whoever administrates the users chooses what is in the table, so
 * that it need not stand up to chosen keys. */
static uint32_t hash_text(uint32_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)lower(text[i])) * 16777619u;
    return hash;
}

#define HASH_START 2166136261u

static size_t id_bucket(const struct directory *directory, int64_t id)
{
    return ((size_t)id * 0x9e3779b97f4a7c15u >> 32) & directory->bucket_mask;
}

/* Where additions go. */
static struct directory *target(void)
{
    return state.staging ? &state.staged : &state.live;
}

static void lay_out(struct directory *directory, void *memory, size_t bytes)
{
    size_t buckets = 16;
    uint8_t *start = memory;
    uint8_t *end = start + bytes;

    memset(directory, 0, sizeof *directory);
    if (!memory || bytes < 1024)
        return;
    start += -(uintptr_t)start & 15;
    end -= (uintptr_t)end & 15;
    while (buckets < bytes / BYTES_PER_USER)
        buckets *= 2;
    while (buckets > 16 && 2 * buckets * sizeof(void *) > bytes / 8)
        buckets /= 2;
    memset(start, 0, 2 * buckets * sizeof(void *));
    directory->texts = (void *)start;
    directory->ids = (void *)(start + buckets * sizeof(void *));
    directory->bucket_mask = buckets - 1;
    directory->front = start + 2 * buckets * sizeof(void *);
    directory->index = (void *)end;
}

void directory_init(void *memory, size_t bytes)
{
    state.staging = false;
    lay_out(&state.live, memory, bytes);
}

void directory_stage(void *memory, size_t bytes)
{
    lay_out(&state.staged, memory, bytes);
    state.staging = true;
}

void directory_publish(bool keep)
{
    if (keep && state.staging)
        state.live = state.staged;
    state.staging = false;
}

static void *take(struct directory *directory, size_t bytes)
{
    uint8_t *limit = (uint8_t *)(directory->index - directory->count);
    uint8_t *taken = directory->front;

    bytes = (bytes + 15) & ~(size_t)15;
    if (!directory->texts || limit < directory->front ||
        bytes > (size_t)(limit - directory->front))
        return NULL;
    directory->front += bytes;
    return taken;
}

static bool is_domain(const struct text *text)
{
    return text->kind == TEXT_DOMAIN;
}

/* Finds "a", or "a@b" when b is given, among addresses resp. domains. */
static struct text *find(const struct directory *directory, const char *a,
                         size_t a_len, const char *b, size_t b_len, bool domain)
{
    size_t len = b ? a_len + 1 + b_len : a_len;
    uint32_t hash = hash_text(HASH_START, a, a_len);

    if (!directory->texts)
        return NULL;
    if (b)
        hash = hash_text(hash_text(hash, "@", 1), b, b_len);
    for (struct text *text = directory->texts[hash & directory->bucket_mask];
         text; text = text->next) {
        if (text->hash != hash || text->len != len || is_domain(text) != domain)
            continue;
        if (!same_text(text->bytes, a, a_len))
            continue;
        if (!b || (text->bytes[a_len] == '@' &&
                   same_text(text->bytes + a_len + 1, b, b_len)))
            return text;
    }
    return NULL;
}

static enum err add_text(struct directory *directory, const char *bytes,
                         enum text_kind kind, struct record *record)
{
    size_t len = strlen(bytes);
    struct text *text = take(directory, sizeof *text + len + 1);
    struct text **bucket;

    if (!text)
        return ERR_MEMORY;
    text->hash = hash_text(HASH_START, bytes, len);
    text->len = (uint16_t)len;
    text->kind = (uint8_t)kind;
    text->record = record;
    memcpy(text->bytes, bytes, len + 1);
    bucket = &directory->texts[text->hash & directory->bucket_mask];
    text->next = *bucket;
    *bucket = text;
    if (kind == TEXT_DOMAIN && !directory->first_domain)
        directory->first_domain = text->bytes;
    return OK;
}

static struct record *record_by_id(const struct directory *directory,
                                   int64_t id)
{
    struct record *record;

    if (!directory->ids)
        return NULL;
    record = directory->ids[id_bucket(directory, id)];
    while (record && record->user.id != id)
        record = record->next;
    return record;
}

enum err directory_add_user(const struct user *user)
{
    struct directory *directory = target();
    uint8_t *front = directory->front;
    struct record *record, **bucket;

    if (!user_name_valid(user->name))
        return ERR_INVALID;
    if (record_by_id(directory, user->id) ||
        find(directory, user->name, strlen(user->name), NULL, 0, false))
        return ERR_EXISTS;
    directory->count++; /* so that take() leaves room in the index */
    record = take(directory, sizeof *record);
    if (!record || add_text(directory, user->name, TEXT_USER, record)) {
        directory->count--;
        directory->front = front;
        return ERR_MEMORY;
    }
    record->user = *user;
    directory->index[-(ptrdiff_t)directory->count] = record;
    bucket = &directory->ids[id_bucket(directory, user->id)];
    record->next = *bucket;
    *bucket = record;
    return OK;
}

enum err directory_update_user(const struct user *user)
{
    struct record *record = record_by_id(target(), user->id);
    size_t len = strnlen(user->name, sizeof user->name);

    /* The name is what the hash table holds: another one is another user. */
    if (!record || strlen(record->user.name) != len ||
        !same_text(record->user.name, user->name, len))
        return ERR_NOT_FOUND;
    record->user = *user;
    return OK;
}

enum err directory_add_alias(const char *alias, int64_t user_id)
{
    struct record *record = record_by_id(target(), user_id);

    if (!user_alias_valid(alias))
        return ERR_INVALID;
    if (!record)
        return ERR_NOT_FOUND;
    if (find(target(), alias, strlen(alias), NULL, 0, false))
        return ERR_EXISTS;
    return add_text(target(), alias, TEXT_ALIAS, record);
}

enum err directory_add_domain(const char *domain)
{
    size_t len = strnlen(domain, USER_DOMAIN_BYTES);

    if (!user_domain_valid(domain, len))
        return ERR_INVALID;
    if (find(target(), domain, len, NULL, 0, true))
        return ERR_EXISTS;
    return add_text(target(), domain, TEXT_DOMAIN, NULL);
}

bool directory_is_local_domain(const char *domain, size_t len)
{
    return find(&state.live, domain, len, NULL, 0, true) != NULL;
}

const char *directory_first_domain(void)
{
    return state.live.first_domain ? state.live.first_domain : "";
}

const struct user *directory_find_user(const char *name, size_t len)
{
    const char *at = memchr(name, '@', len);
    struct text *text;

    if (at) {
        size_t local = (size_t)(at - name);

        if (!directory_is_local_domain(at + 1, len - local - 1))
            return NULL;
        len = local;
    }
    text = find(&state.live, name, len, NULL, 0, false);
    return text && text->kind == TEXT_USER ? &text->record->user : NULL;
}

const struct user *directory_user_by_id(int64_t id)
{
    struct record *record = record_by_id(&state.live, id);

    return record ? &record->user : NULL;
}

const struct user *directory_user_at(size_t index)
{
    if (index >= state.live.count)
        return NULL;
    return &state.live.index[-(ptrdiff_t)index - 1]->user;
}

size_t directory_user_count(void)
{
    return state.live.count;
}

/* Who reads what is sent to "postmaster" when nobody has that name. */
static const struct user *postmaster(void)
{
    for (size_t i = 0; i < state.live.count; i++) {
        const struct user *user = directory_user_at(i);

        if (user->admin && user->enabled)
            return user;
    }
    return directory_user_at(0);
}

const struct user *directory_resolve(const char *local, size_t local_len,
                                     const char *domain, size_t domain_len,
                                     enum err *why)
{
    const struct user *user = NULL;
    struct text *text = NULL;

    if (domain_len)
        text = find(&state.live, local, local_len, domain, domain_len, false);
    if (!text && domain_len && !directory_is_local_domain(domain, domain_len)) {
        *why = ERR_REFUSED;
        return NULL;
    }
    if (!text)
        text = find(&state.live, local, local_len, NULL, 0, false);
    if (text)
        user = &text->record->user;
    else if (local_len == 10 && same_text(local, "postmaster", 10))
        user = postmaster();
    if (!user || !user->enabled) {
        *why = user ? ERR_BUSY : ERR_NOT_FOUND;
        return NULL;
    }
    *why = OK;
    return user;
}
