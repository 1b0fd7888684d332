/* The way to a message and back: see web_way.h. */
#include "web/web_way.h"
#include "http/http.h"
#include "web/web_page.h"
#include <stdio.h>
#include <string.h>

/* Longer words are not carried along. */
#define WORDS_BYTES 150

static bool is_filter(const char *filter)
{
    static const char filters[][8] = {"unread", "flagged", "threads"};
    unsigned i;

    for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        if (strcmp(filter, filters[i]) == 0)
            return true;
    return false;
}

/* Adds name=value, with all but letters and digits of the value encoded. */
static void put(char *query, const char *name, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = strlen(query);

    used += (size_t)snprintf(query + used, WEB_WAY_BYTES - used,
                             "%s%s=", used > 0 ? "&" : "", name);
    for (; *value != '\0' && used + 4 < WEB_WAY_BYTES; value++) {
        unsigned char c = (unsigned char)*value;

        if ((c >= '0' && c <= '9') ||
            ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) {
            query[used++] = (char)c;
            continue;
        }
        query[used++] = '%';
        query[used++] = digits[c >> 4];
        query[used++] = digits[c & 15];
    }
    query[used] = '\0';
}

/* What was looked for; NULL: it was no search. */
static const char *words_of(const struct http_exchange *x)
{
    const char *words = http_param(x, "q");

    return words == NULL || words[0] == '\0' || strlen(words) > WORDS_BYTES
               ? NULL
               : words;
}

void web_way_read(struct http_exchange *x, int64_t mailbox_id,
                  struct web_way *way)
{
    const char *words = words_of(x), *filter = http_param_or(x, "f", "");
    const char *cursor = http_param_or(x, "c", "");
    char folder[24];

    way->query[0] = '\0';
    if (words != NULL) {
        put(way->query, "q", words);
        (void)snprintf(folder, sizeof(folder), "%lld",
                       (long long)http_param_number(x, "in", 0));
        put(way->query, "in", folder);
    } else if (is_filter(filter)) {
        put(way->query, "f", filter);
    }
    if (cursor[0] != '\0' && strlen(cursor) < 40) {
        put(way->query, "c", cursor);
        if (http_param_number(x, "b", 0) == 1)
            put(way->query, "b", "1");
    }
    if (words != NULL)
        (void)snprintf(way->list, sizeof(way->list), "/search?%.660s",
                       way->query);
    else if (mailbox_id == 0)
        (void)snprintf(way->list, sizeof(way->list), "/mail");
    else
        (void)snprintf(way->list, sizeof(way->list), "/mail/%lld%s%.660s",
                       (long long)mailbox_id, way->query[0] != '\0' ? "?" : "",
                       way->query);
}

/* ---- On to the next ----------------------------------------------------- */

struct next {
    struct store_key *key;
    bool found;
};

static enum err take(void *context, const struct store_row *row)
{
    struct next *next = context;

    if (!next->found)
        *next->key = row->key;
    next->found = true;
    return OK;
}

static enum err next_found(struct http_exchange *x, struct store *store,
                           struct store_search *search, int64_t message_id,
                           bool newer, struct next *next)
{
    char cursor[24];

    (void)snprintf(cursor, sizeof(cursor), "%lld:", (long long)message_id);
    memset(search, 0, sizeof(*search));
    search->words = words_of(x);
    search->mailbox_id = http_param_number(x, "in", 0);
    search->limit = 1;
    search->cursor = cursor;
    search->backwards = newer;
    return store_search(store, web_user_id(x), search, take, next);
}

static enum err next_listed(struct http_exchange *x, struct store *store,
                            const struct store_key *key, bool newer,
                            struct next *next)
{
    const char *filter = http_param_or(x, "f", "");
    char cursor[24];
    struct store_page page = {
        .mailbox_id = key->mailbox_id,
        .limit = 1,
        .cursor = cursor,
        .backwards = newer,
        .with = strcmp(filter, "flagged") == 0 ? STORE_FLAGGED : 0,
        .without = strcmp(filter, "unread") == 0 ? STORE_SEEN : 0,
    };

    (void)snprintf(cursor, sizeof(cursor), "%u:", key->uid);
    return strcmp(filter, "threads") == 0
               ? store_list_threads(store, web_user_id(x), &page, take, next)
               : store_list_page(store, web_user_id(x), &page, take, next);
}

bool web_way_next(struct http_exchange *x, struct store *store,
                  struct store_search *search, const struct store_key *key,
                  int64_t message_id, bool newer, struct store_key *next)
{
    struct next found = {.key = next};
    enum err err = words_of(x) != NULL
                       ? next_found(x, store, search, message_id, newer, &found)
                       : next_listed(x, store, key, newer, &found);

    return err == OK && found.found;
}
