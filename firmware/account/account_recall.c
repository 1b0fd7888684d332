/* What is remembered of right logins: see account_recall.h. */
#include "account/account_recall.h"
#include "core/bytes.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include "store/st.h"
#include <string.h>

#define SETS    1024
#define WAYS    4
#define IDLE_MS (24ull * 3600 * 1000)

struct entry {
    struct recall_tag tag; /* zeros: free */
    uint64_t used_ms;
};

static struct {
    uint8_t keys[2][16];
    struct entry *entries;
} state;

enum err recall_module_init(void)
{
    random_bytes(state.keys, sizeof(state.keys));
    state.entries =
        memory_take("logins", SETS * WAYS * sizeof(*state.entries), 64);
    if (state.entries == NULL)
        return ERR_MEMORY;
    memset(state.entries, 0, SETS * WAYS * sizeof(*state.entries));
    return OK;
}

/* 128 bits: SipHash-2-4 under two keys. Never zeros. */
static struct recall_tag make_tag(const void *bytes, size_t len)
{
    struct recall_tag tag;

    tag.words[0] = siphash(state.keys[0], bytes, len) | 1;
    tag.words[1] = siphash(state.keys[1], bytes, len);
    return tag;
}

struct recall_tag recall_pair(const struct user *user, const char *password,
                              const struct net_address *peer)
{
    /* Fields of fixed size: nothing runs over from one into the next. */
    struct {
        int64_t user_id;
        struct net_address peer;
        char hash[USER_HASH_BYTES];
        char password[ST_PASSWORD_BYTES];
    } text;
    struct recall_tag tag;

    memset(&text, 0, sizeof(text));
    text.peer = *peer;
    memcpy(text.password, password, strnlen(password, sizeof(text.password)));
    if (user != NULL) {
        text.user_id = user->id;
        memcpy(text.hash, user->hash, sizeof(text.hash));
    }
    tag = make_tag(&text, sizeof(text));
    bytes_wipe(&text, sizeof(text));
    if (user == NULL)
        memset(&tag, 0, sizeof(tag));
    return tag;
}

struct recall_tag recall_home(int64_t user_id, uint64_t network_key)
{
    uint64_t text[2] = {(uint64_t)user_id, network_key};

    return make_tag(text, sizeof(text));
}

static struct entry *set_of(const struct recall_tag *tag)
{
    return state.entries + tag->words[1] % SETS * WAYS;
}

bool recall_has(const struct recall_tag *tag)
{
    struct entry *set = set_of(tag);
    unsigned i;

    if (tag->words[0] == 0)
        return false;
    for (i = 0; i < WAYS; i++) {
        if (set[i].tag.words[0] != tag->words[0] ||
            set[i].tag.words[1] != tag->words[1])
            continue;
        if (timer_now_ms() - set[i].used_ms > IDLE_MS)
            return false;
        set[i].used_ms = timer_now_ms();
        return true;
    }
    return false;
}

void recall_keep(const struct recall_tag *tag)
{
    struct entry *set = set_of(tag);
    struct entry *oldest = &set[0];
    unsigned i;

    if (tag->words[0] == 0)
        return;
    for (i = 0; i < WAYS; i++) {
        bool same = set[i].tag.words[0] == tag->words[0] &&
                    set[i].tag.words[1] == tag->words[1];

        if (same || set[i].used_ms < oldest->used_ms)
            oldest = &set[i];
        if (same)
            break;
    }
    oldest->tag = *tag;
    oldest->used_ms = timer_now_ms();
}
