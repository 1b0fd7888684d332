/* A page cache as of sqlite.org/c3ref/pcache_methods2.html.
 *
 * Whatever is created while a query's heap is in use is a cache of ours; all
 * others are SQLite's own, and are told apart by their address. Pages are found
 * by a hash that grows with them; those that nobody holds are in a list, oldest
 * first, and are used again when the cache has reached its size or the heap its
 * end. */
#include "mailstore/sql_cache.h"
#include "core/list.h"
#include "mailstore/sql_heap.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BUCKETS_MIN 64

struct page {
    sqlite3_pcache_page base; /* must be first */
    unsigned key;
    struct page *next; /* in its bucket */
    struct list link;  /* in cache.idle; in no list while it is held */
};

struct cache {
    int page_bytes, extra_bytes;
    bool purgeable;
    unsigned count, wanted; /* pages that are there, that may be */
    unsigned idle_count;
    unsigned buckets;
    struct page **table;
    struct list idle; /* oldest first */
};

static struct {
    sqlite3_pcache_methods2 mail;
    bool installed;
} state;

static struct cache *ours(sqlite3_pcache *cache)
{
    return sql_heap_holds(cache) ? (struct cache *)(void *)cache : NULL;
}

static struct page **bucket_of(struct cache *cache, unsigned key)
{
    return &cache->table[key & (cache->buckets - 1)];
}

/* Doubles the table; stays as it is where there is no memory. */
static void grow_table(struct cache *cache)
{
    unsigned buckets = cache->buckets * 2, old = cache->buckets;
    struct page **from = cache->table;
    struct page **table = sqlite3_malloc64(buckets * sizeof *table);

    if (table == NULL)
        return;
    memset(table, 0, buckets * sizeof(struct page *));
    cache->table = table;
    cache->buckets = buckets;
    for (unsigned i = 0; i < old; i++) {
        while (from[i] != NULL) {
            struct page *page = from[i];
            struct page **to = bucket_of(cache, page->key);

            from[i] = page->next;
            page->next = *to;
            *to = page;
        }
    }
    sqlite3_free(from);
}

static void hold(struct cache *cache, struct page *page)
{
    if (!list_empty(&page->link)) {
        list_remove(&page->link);
        cache->idle_count--;
    }
}

static void put_in(struct cache *cache, struct page *page, unsigned key)
{
    struct page **bucket = bucket_of(cache, key);

    page->key = key;
    page->next = *bucket;
    *bucket = page;
}

static void take_out(struct cache *cache, struct page *page)
{
    struct page **at = bucket_of(cache, page->key);

    while (*at != page)
        at = &(*at)->next;
    *at = page->next;
    hold(cache, page);
}

static void drop(struct cache *cache, struct page *page)
{
    take_out(cache, page);
    cache->count--;
    sqlite3_free(page);
}

static struct page *oldest(struct cache *cache)
{
    if (list_empty(&cache->idle))
        return NULL;
    return LIST_ELEMENT(cache->idle.next, struct page, link);
}

/* Memory for one more page: new, or that of one that nobody holds. */
static struct page *make(struct cache *cache)
{
    size_t header = (sizeof(struct page) + 15) & ~(size_t)15;
    struct page *page = NULL;
    bool full = cache->purgeable && cache->count >= cache->wanted;

    if (!full || cache->idle_count == 0)
        page = sqlite3_malloc64(header + (size_t)cache->page_bytes +
                                (size_t)cache->extra_bytes);
    if (page != NULL) {
        cache->count++;
        page->base.pBuf = (uint8_t *)page + header;
        page->base.pExtra = (uint8_t *)page->base.pBuf + cache->page_bytes;
        list_init(&page->link);
        return page;
    }
    page = cache->purgeable ? oldest(cache) : NULL;
    if (page != NULL)
        take_out(cache, page);
    return page;
}

static sqlite3_pcache_page *fetch(struct cache *cache, unsigned key, int create)
{
    struct page *page = *bucket_of(cache, key);

    while (page != NULL && page->key != key)
        page = page->next;
    if (page != NULL) {
        hold(cache, page);
        return &page->base;
    }
    /* 1: only where it is cheap; SQLite then writes some pages out, and asks
     * again with 2. */
    if (create == 0 || (create == 1 && cache->purgeable &&
                        cache->count - cache->idle_count >= cache->wanted))
        return NULL;
    page = make(cache);
    if (page == NULL)
        return NULL;
    *(void **)page->base.pExtra = NULL;
    put_in(cache, page, key);
    if (cache->count > cache->buckets * 2)
        grow_table(cache);
    return &page->base;
}

/* ---- The methods -------------------------------------------------------- */

static int cache_init(void *argument)
{
    (void)argument;
    return state.mail.xInit(state.mail.pArg);
}

static void cache_shutdown(void *argument)
{
    (void)argument;
    if (state.mail.xShutdown != NULL)
        state.mail.xShutdown(state.mail.pArg);
}

static sqlite3_pcache *cache_create(int page_bytes, int extra_bytes,
                                    int purgeable)
{
    struct cache *cache;

    if (sql_heap_current() == SQL_NONE)
        return state.mail.xCreate(page_bytes, extra_bytes, purgeable);
    cache = sqlite3_malloc(sizeof *cache);
    if (cache == NULL)
        return NULL;
    memset(cache, 0, sizeof *cache);
    cache->page_bytes = page_bytes;
    cache->extra_bytes = extra_bytes;
    cache->purgeable = purgeable != 0;
    cache->wanted = 10;
    cache->buckets = BUCKETS_MIN;
    list_init(&cache->idle);
    cache->table = sqlite3_malloc64(BUCKETS_MIN * sizeof(struct page *));
    if (cache->table == NULL) {
        sqlite3_free(cache);
        return NULL;
    }
    memset(cache->table, 0, BUCKETS_MIN * sizeof(struct page *));
    return (sqlite3_pcache *)(void *)cache;
}

static void cache_shrink_to(struct cache *cache, unsigned count)
{
    struct page *page;

    if (!cache->purgeable)
        return;
    while (cache->count > count && (page = oldest(cache)) != NULL)
        drop(cache, page);
}

static void cache_size(sqlite3_pcache *base, int pages)
{
    struct cache *cache = ours(base);

    if (cache == NULL) {
        state.mail.xCachesize(base, pages);
        return;
    }
    cache->wanted = pages > 10 ? (unsigned)pages : 10;
    cache_shrink_to(cache, cache->wanted);
}

static int cache_count(sqlite3_pcache *base)
{
    struct cache *cache = ours(base);

    return cache == NULL ? state.mail.xPagecount(base) : (int)cache->count;
}

static sqlite3_pcache_page *cache_fetch(sqlite3_pcache *base, unsigned key,
                                        int create)
{
    struct cache *cache = ours(base);

    if (cache == NULL)
        return state.mail.xFetch(base, key, create);
    return fetch(cache, key, create);
}

static void cache_unpin(sqlite3_pcache *base, sqlite3_pcache_page *held,
                        int discard)
{
    struct cache *cache = ours(base);
    struct page *page = (struct page *)(void *)held;

    if (cache == NULL) {
        state.mail.xUnpin(base, held, discard);
        return;
    }
    if (discard || (cache->purgeable && cache->count > cache->wanted)) {
        drop(cache, page);
        return;
    }
    list_append(&cache->idle, &page->link);
    cache->idle_count++;
}

static void cache_rekey(sqlite3_pcache *base, sqlite3_pcache_page *held,
                        unsigned old_key, unsigned key)
{
    struct cache *cache = ours(base);
    struct page *page = (struct page *)(void *)held;

    if (cache == NULL) {
        state.mail.xRekey(base, held, old_key, key);
        return;
    }
    take_out(cache, page);
    put_in(cache, page, key);
}

static void cache_truncate(sqlite3_pcache *base, unsigned limit)
{
    struct cache *cache = ours(base);

    if (cache == NULL) {
        state.mail.xTruncate(base, limit);
        return;
    }
    for (unsigned i = 0; i < cache->buckets; i++) {
        struct page **at = &cache->table[i];

        while (*at != NULL) {
            if ((*at)->key >= limit)
                drop(cache, *at);
            else
                at = &(*at)->next;
        }
    }
}

static void cache_destroy(sqlite3_pcache *base)
{
    struct cache *cache = ours(base);

    if (cache == NULL) {
        state.mail.xDestroy(base);
        return;
    }
    cache_truncate(base, 0);
    sqlite3_free(cache->table);
    sqlite3_free(cache);
}

static void cache_shrink(sqlite3_pcache *base)
{
    struct cache *cache = ours(base);

    if (cache == NULL)
        state.mail.xShrink(base);
    else
        cache_shrink_to(cache, 0);
}

enum err sql_cache_install(void)
{
    static const sqlite3_pcache_methods2 methods = {
        .iVersion = 1,
        .xInit = cache_init,
        .xShutdown = cache_shutdown,
        .xCreate = cache_create,
        .xCachesize = cache_size,
        .xPagecount = cache_count,
        .xFetch = cache_fetch,
        .xUnpin = cache_unpin,
        .xRekey = cache_rekey,
        .xTruncate = cache_truncate,
        .xDestroy = cache_destroy,
        .xShrink = cache_shrink,
    };

    /* What is asked for a second time would be these. */
    if (!state.installed &&
        sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &state.mail) != SQLITE_OK)
        return ERR_INVALID;
    state.installed = true;
    if (sqlite3_config(SQLITE_CONFIG_PCACHE2, &methods) != SQLITE_OK)
        return ERR_INVALID;
    return OK;
}
