/* The directory: users, aliases and domains in memory, found by hash.
 *
 *   memory:  buckets of texts | buckets of ids | users and texts -> ... <-
 * index
 *
 * Users and texts are taken from the front of the memory, the index of users in
 * order of arrival grows down from its end; nothing is ever given back but by
 * directory_init(). User names, aliases and domains are kept in one table, each
 * with its kind. Comparison is caseless in ASCII; domains are kept in ASCII. */
#include "userdb/directory_internal.h"
#include <string.h>

#define TAGS_BYTES 8

struct directory {
    struct directory_text **texts;
    struct directory_record **ids;
    size_t bucket_mask;
    uint8_t *front;
    struct directory_record **index; /* index[-1] is the first user */
    size_t count;
    const char *first_domain;
    char tags[TAGS_BYTES];
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

bool directory_same(const char *a, const char *b, size_t len)
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

/* Of each of the two tables. */
static size_t bucket_count(size_t bytes)
{
    size_t buckets = 16;

    while (buckets < bytes / BYTES_PER_USER)
        buckets *= 2;
    while (buckets > 16 && 2 * buckets * sizeof(void *) > bytes / 8)
        buckets /= 2;
    return buckets;
}

size_t directory_bucket_bytes(size_t bytes)
{
    return 2 * bucket_count(bytes) * sizeof(void *);
}

static void lay_out(struct directory *directory, void *memory, size_t bytes)
{
    size_t buckets = bucket_count(bytes);
    uint8_t *start = memory, *end;

    memset(directory, 0, sizeof *directory);
    if (!memory || bytes < 1024)
        return;
    end = start + bytes;
    start += -(uintptr_t)start & 15;
    end -= (uintptr_t)end & 15;
    memset(start, 0, directory_bucket_bytes(bytes));
    directory->texts = (void *)start;
    directory->ids = (void *)(start + buckets * sizeof(void *));
    directory->bucket_mask = buckets - 1;
    directory->front = start + 2 * buckets * sizeof(void *);
    directory->index = (void *)end;
    directory->tags[0] = '+';
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

static struct directory_text *find(const struct directory *directory,
                                   enum directory_kind kind, const char *a,
                                   size_t a_len, const char *b, size_t b_len)
{
    size_t len = b ? a_len + 1 + b_len : a_len;
    uint32_t hash = hash_text(HASH_START, a, a_len);

    if (!directory->texts)
        return NULL;
    if (b)
        hash = hash_text(hash_text(hash, "@", 1), b, b_len);
    for (struct directory_text *text =
             directory->texts[hash & directory->bucket_mask];
         text; text = text->next) {
        if (text->hash != hash || text->len != len || text->kind != kind)
            continue;
        if (!directory_same(text->bytes, a, a_len))
            continue;
        if (!b || (text->bytes[a_len] == '@' &&
                   directory_same(text->bytes + a_len + 1, b, b_len)))
            return text;
    }
    return NULL;
}

struct directory_text *directory_find(enum directory_kind kind, const char *a,
                                      size_t a_len, const char *b, size_t b_len)
{
    return find(&state.live, kind, a, a_len, b, b_len);
}

const char *directory_tags(void)
{
    return state.live.tags;
}

void directory_set_tags(const char *characters)
{
    size_t len = strnlen(characters, TAGS_BYTES - 1);

    memset(target()->tags, 0, TAGS_BYTES);
    memcpy(target()->tags, characters, len);
}

/* Returns NULL when the memory is used up. */
static struct directory_text *add_text(struct directory *directory,
                                       const char *bytes, size_t len,
                                       enum directory_kind kind)
{
    struct directory_text *text = take(directory, sizeof *text + len + 1);
    struct directory_text **bucket;

    if (!text)
        return NULL;
    memset(text, 0, sizeof *text);
    text->hash = hash_text(HASH_START, bytes, len);
    text->len = (uint16_t)len;
    text->kind = (uint8_t)kind;
    memcpy(text->bytes, bytes, len);
    text->bytes[len] = '\0';
    bucket = &directory->texts[text->hash & directory->bucket_mask];
    text->next = *bucket;
    *bucket = text;
    return text;
}

static struct directory_record *record_by_id(const struct directory *directory,
                                             int64_t id)
{
    struct directory_record *record;

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
    struct directory_record *record, **bucket;
    struct directory_text *text = NULL;
    size_t len = strnlen(user->name, sizeof user->name);

    if (!user_name_valid(user->name))
        return ERR_INVALID;
    if (record_by_id(directory, user->id) ||
        find(directory, DIRECTORY_USER, user->name, len, NULL, 0))
        return ERR_EXISTS;
    directory->count++; /* so that take() leaves room in the index */
    record = take(directory, sizeof *record);
    if (record)
        text = add_text(directory, user->name, len, DIRECTORY_USER);
    if (!text) {
        directory->count--;
        directory->front = front;
        return ERR_MEMORY;
    }
    text->record = record;
    record->user = *user;
    directory->index[-(ptrdiff_t)directory->count] = record;
    bucket = &directory->ids[id_bucket(directory, user->id)];
    record->next = *bucket;
    *bucket = record;
    return OK;
}

/* The alias with its domain in ASCII: finds it or makes it new. */
static enum err take_alias(const char *alias, struct directory_text **text)
{
    char ascii[USER_DOMAIN_BYTES];
    char whole[USER_ADDRESS_BYTES];
    const char *at = strrchr(alias, '@');
    size_t len = strlen(alias);
    enum err err;

    if (at) {
        size_t local = (size_t)(at - alias);

        err = user_domain_to_ascii(at + 1, len - local - 1, ascii);
        if (err)
            return err;
        len = local + 1 + strlen(ascii);
        if (len >= sizeof whole)
            return ERR_TOO_BIG;
        memcpy(whole, alias, local + 1);
        memcpy(whole + local + 1, ascii, len - local - 1);
        alias = whole;
    }
    *text = find(target(), DIRECTORY_ALIAS, alias, len, NULL, 0);
    if (!*text)
        *text = add_text(target(), alias, len, DIRECTORY_ALIAS);
    return *text ? OK : ERR_MEMORY;
}

/* record: or NULL, then address is what the alias means. */
static enum err add_meaning(const char *alias, struct directory_record *record,
                            const char *address)
{
    size_t len = strlen(address);
    struct directory_meaning *meaning, **last;
    struct directory_text *text;
    enum err err = take_alias(alias, &text);

    if (err)
        return err;
    for (last = &text->meanings; *last; last = &(*last)->next) {
        if ((*last)->record == record && strlen((*last)->address) == len &&
            directory_same((*last)->address, address, len))
            return ERR_EXISTS;
    }
    meaning = take(target(), sizeof *meaning + len + 1);
    if (!meaning)
        return ERR_MEMORY;
    meaning->next = NULL;
    meaning->record = record;
    memcpy(meaning->address, address, len + 1);
    *last = meaning;
    return OK;
}

enum err directory_add_alias(const char *alias, int64_t user_id)
{
    struct directory_record *record = record_by_id(target(), user_id);

    if (!user_alias_valid(alias))
        return ERR_INVALID;
    if (!record)
        return ERR_NOT_FOUND;
    return add_meaning(alias, record, "");
}

enum err directory_add_forward(const char *alias, const char *address)
{
    if (!user_alias_valid(alias) || !user_address_valid(address))
        return ERR_INVALID;
    return add_meaning(alias, NULL, address);
}

static struct directory_text *find_domain(const struct directory *directory,
                                          const char *domain, size_t len)
{
    char ascii[USER_DOMAIN_BYTES];

    if (user_domain_to_ascii(domain, len, ascii))
        return NULL;
    return find(directory, DIRECTORY_DOMAIN, ascii, strlen(ascii), NULL, 0);
}

enum err directory_add_domain(const char *domain)
{
    struct directory *directory = target();
    uint8_t *front = directory->front;
    struct directory_limits *limits;
    struct directory_text *text = NULL;
    char ascii[USER_DOMAIN_BYTES];

    if (user_domain_to_ascii(domain, strnlen(domain, USER_DOMAIN_BYTES), ascii))
        return ERR_INVALID;
    if (find_domain(directory, ascii, strlen(ascii)))
        return ERR_EXISTS;
    limits = take(directory, sizeof *limits);
    if (limits)
        text = add_text(directory, ascii, strlen(ascii), DIRECTORY_DOMAIN);
    if (!text) {
        directory->front = front;
        return ERR_MEMORY;
    }
    memset(limits, 0, sizeof *limits);
    text->limits = limits;
    if (!directory->first_domain)
        directory->first_domain = text->bytes;
    return OK;
}

enum err directory_limit_domain(const char *domain, uint64_t max_bytes,
                                bool closed)
{
    struct directory_text *text =
        find_domain(target(), domain, strnlen(domain, USER_DOMAIN_BYTES));

    if (!text)
        return ERR_NOT_FOUND;
    text->limits->max_bytes = max_bytes;
    text->limits->closed = closed;
    return OK;
}

bool directory_is_local_domain(const char *domain, size_t len)
{
    return find_domain(&state.live, domain, len) != NULL;
}

const char *directory_first_domain(void)
{
    return state.live.first_domain ? state.live.first_domain : "";
}

const struct user *directory_find_user(const char *name, size_t len)
{
    const char *at = memchr(name, '@', len);
    struct directory_text *text;

    if (at) {
        size_t local = (size_t)(at - name);

        if (!directory_is_local_domain(at + 1, len - local - 1))
            return NULL;
        len = local;
    }
    text = find(&state.live, DIRECTORY_USER, name, len, NULL, 0);
    return text ? &text->record->user : NULL;
}

bool directory_has_alias(const char *alias)
{
    return find(&state.live, DIRECTORY_ALIAS, alias, strlen(alias), NULL, 0) !=
           NULL;
}

const struct user *directory_user_by_id(int64_t id)
{
    struct directory_record *record = record_by_id(&state.live, id);

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
