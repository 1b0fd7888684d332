/* Recipients on their way in: see envelope.h.
 *
 *   few: record record ...     blocks: record record ... -> record ...
 *
 * A record is never cut in two; few[] takes no more once there is a block. */
#include "envelope/envelope.h"
#include "core/check.h"
#include "core/list.h"
#include "core/memory.h"
#include "protocol/text.h"
#include <assert.h>
#include <string.h>
#include <strings.h>

#define BLOCK_BYTES 1000

struct envelope_block {
    struct list link; /* of the free ones */
    struct envelope_block *next;
    uint16_t used;
    uint8_t bytes[BLOCK_BYTES];
};

enum record_kind {
    RECORD_USER,
    RECORD_REMOTE,
    RECORD_SUCCESS,
    RECORD_EXPANDED,
    RECORD_ENVID
};

/* The fixed part of a record, at any alignment; behind it: the address and
 * ORCPT, each with its NUL, resp. the envelope's id. */
struct record {
    int64_t user;
    uint16_t bytes; /* of the whole record */
    uint8_t kind;
    uint8_t notify;
} __attribute__((packed));

static_assert(sizeof(struct record) + USER_ADDRESS_BYTES + 501 <= BLOCK_BYTES,
              "the longest record fits into a block");
static_assert(8 * sizeof(struct record) <= ENVELOPE_FEW,
              "eight users fit into the envelope itself");

static struct {
    struct list free;
    unsigned blocks, blocks_free;
    struct envelope_lists lists;
} state;

enum err envelope_module_init(unsigned blocks)
{
    struct envelope_block *block =
        memory_take("recipients", blocks * sizeof(*block), 64);
    unsigned i;

    list_init(&state.free);
    if (block == NULL)
        return ERR_MEMORY;
    for (i = 0; i < blocks; i++) {
        list_init(&block[i].link);
        list_append(&state.free, &block[i].link);
    }
    state.blocks = state.blocks_free = blocks;
    return OK;
}

static void free_blocks(struct envelope_block *block)
{
    while (block != NULL) {
        struct envelope_block *next = block->next;

        list_append(&state.free, &block->link);
        state.blocks_free++;
        block = next;
    }
}

void envelope_clear(struct envelope *envelope)
{
    free_blocks(envelope->first);
    memset(envelope, 0, offsetof(struct envelope, few));
}

/* ---- Records ------------------------------------------------------------- */

/* NULL: there is none for this envelope. */
static struct envelope_block *take_block(const struct envelope *envelope)
{
    unsigned kept = envelope->stranger ? state.blocks / 2 : 0;
    struct envelope_block *block;

    if (state.blocks_free <= kept)
        return NULL;
    state.blocks_free--;
    block =
        LIST_ELEMENT(list_take_first(&state.free), struct envelope_block, link);
    block->next = NULL;
    block->used = 0;
    return block;
}

/* Where a record of so many bytes goes; NULL: nowhere. */
static uint8_t *take_room(struct envelope *envelope, size_t bytes)
{
    struct envelope_block *block = envelope->last;

    if (block == NULL && bytes <= sizeof(envelope->few) - envelope->used) {
        envelope->used = (uint16_t)(envelope->used + bytes);
        return envelope->few + envelope->used - bytes;
    }
    if (block == NULL || bytes > (size_t)BLOCK_BYTES - block->used) {
        block = take_block(envelope);
        if (block == NULL)
            return NULL;
        if (envelope->last != NULL)
            envelope->last->next = block;
        else
            envelope->first = block;
        envelope->last = block;
    }
    block->used = (uint16_t)(block->used + bytes);
    return block->bytes + block->used - bytes;
}

struct cursor {
    const struct envelope *envelope;
    const struct envelope_block *block; /* NULL: in few[] */
    size_t at;
};

/* The next record, its fixed part copied out; NULL behind the last. Returns
 * what lies behind that part. */
static const char *next_record(struct cursor *cursor, struct record *record)
{
    const struct envelope *envelope = cursor->envelope;
    const uint8_t *bytes = envelope->few;
    size_t used = envelope->used;

    if (cursor->block != NULL) {
        bytes = cursor->block->bytes;
        used = cursor->block->used;
    }
    if (cursor->at == used) {
        cursor->block =
            cursor->block == NULL ? envelope->first : cursor->block->next;
        cursor->at = 0;
        if (cursor->block == NULL || cursor->block->used == 0)
            return NULL;
        bytes = cursor->block->bytes;
    }
    bytes += cursor->at;
    memcpy(record, bytes, sizeof(*record));
    cursor->at += record->bytes;
    return (const char *)bytes + sizeof(*record);
}

static enum err add_record(struct envelope *envelope, struct record *record,
                           const char *address, size_t address_len,
                           const char *rest, size_t rest_len)
{
    size_t bytes = sizeof(*record);
    uint8_t *to;

    if (record->kind != RECORD_USER)
        bytes += address_len + 1 + rest_len + 1;
    if (bytes > BLOCK_BYTES)
        return ERR_MEMORY;
    to = take_room(envelope, bytes);
    if (to == NULL)
        return ERR_MEMORY;
    record->bytes = (uint16_t)bytes;
    memcpy(to, record, sizeof(*record));
    if (record->kind == RECORD_USER)
        return OK;
    to += sizeof(*record);
    memcpy(to, address, address_len);
    to[address_len] = '\0';
    to += address_len + 1;
    memcpy(to, rest, rest_len);
    to[rest_len] = '\0';
    return OK;
}

enum err envelope_set_id(struct envelope *envelope, const char *text,
                         size_t len)
{
    struct record record = {.kind = RECORD_ENVID};

    return add_record(envelope, &record, text, len, "", 0);
}

/* ---- Recipients ------------------------------------------------------------
 */

static bool is_full(const struct envelope *envelope, unsigned limit)
{
    return (unsigned)envelope->user_count + envelope->remote_count >= limit ||
           envelope->user_count + envelope->remote_count >=
               ENVELOPE_RECIPIENTS_MAX;
}

enum err envelope_add_user(struct envelope *envelope, int64_t user,
                           unsigned limit)
{
    struct cursor cursor = {.envelope = envelope};
    struct record record;
    enum err err;

    while (next_record(&cursor, &record) != NULL)
        if (record.kind == RECORD_USER && record.user == user)
            return OK;
    if (is_full(envelope, limit))
        return ERR_FULL;
    memset(&record, 0, sizeof(record));
    record.kind = RECORD_USER;
    record.user = user;
    err = add_record(envelope, &record, "", 0, "", 0);
    if (err == OK)
        envelope->user_count++;
    return err;
}

/* Local parts may differ by case, domains do not. */
static bool same_address(const char *a, const char *b)
{
    const char *at_a = strrchr(a, '@');
    const char *at_b = strrchr(b, '@');

    if (at_a == NULL || at_b == NULL || at_a - a != at_b - b)
        return strcmp(a, b) == 0;
    return memcmp(a, b, (size_t)(at_a - a)) == 0 && strcasecmp(at_a, at_b) == 0;
}

enum err envelope_add_remote(struct envelope *envelope, const char *address,
                             const struct envelope_wish *wish, unsigned limit)
{
    struct cursor cursor = {.envelope = envelope};
    struct record record;
    const char *other;
    enum err err;

    while ((other = next_record(&cursor, &record)) != NULL)
        if (record.kind == RECORD_REMOTE && same_address(other, address))
            return OK;
    if (is_full(envelope, limit))
        return ERR_FULL;
    memset(&record, 0, sizeof(record));
    record.kind = RECORD_REMOTE;
    record.notify = wish->notify;
    err = add_record(envelope, &record, address, strlen(address), wish->orcpt,
                     wish->orcpt_len);
    if (err != OK)
        return err;
    envelope->remote_count++;
    envelope->utf8 |= !text_is_ascii(address);
    return OK;
}

enum err envelope_add_success(struct envelope *envelope,
                              const struct envelope_wish *wish, bool expanded)
{
    struct record record;
    enum err err;

    if (envelope->success_count == ENVELOPE_RECIPIENTS_MAX)
        return ERR_FULL;
    memset(&record, 0, sizeof(record));
    record.kind = expanded ? RECORD_EXPANDED : RECORD_SUCCESS;
    err = add_record(envelope, &record, wish->address, wish->address_len,
                     wish->orcpt, wish->orcpt_len);
    if (err == OK)
        envelope->success_count++;
    return err;
}

bool envelope_next_success(const struct envelope *envelope,
                           struct envelope_success *success)
{
    struct cursor cursor = {envelope, success->block, success->at};
    struct record record;
    const char *text;

    while ((text = next_record(&cursor, &record)) != NULL) {
        if (record.kind != RECORD_SUCCESS && record.kind != RECORD_EXPANDED)
            continue;
        success->address = text;
        success->orcpt = text + strlen(text) + 1;
        success->expanded = record.kind == RECORD_EXPANDED;
        success->block = cursor.block;
        success->at = cursor.at;
        return true;
    }
    return false;
}

/* ---- Marks, lists ----------------------------------------------------------
 */

void envelope_mark(const struct envelope *envelope, struct envelope_mark *mark)
{
    mark->last = envelope->last;
    mark->used = envelope->used;
    mark->block_used = envelope->last != NULL ? envelope->last->used : 0;
    mark->user_count = envelope->user_count;
    mark->remote_count = envelope->remote_count;
    mark->success_count = envelope->success_count;
    mark->utf8 = envelope->utf8;
}

void envelope_back(struct envelope *envelope, const struct envelope_mark *mark)
{
    if (mark->last != NULL) {
        free_blocks(mark->last->next);
        mark->last->next = NULL;
        mark->last->used = mark->block_used;
    } else {
        free_blocks(envelope->first);
        envelope->first = NULL;
    }
    envelope->last = mark->last;
    envelope->used = mark->used;
    envelope->user_count = mark->user_count;
    envelope->remote_count = mark->remote_count;
    envelope->success_count = mark->success_count;
    envelope->utf8 = mark->utf8;
}

const struct envelope_lists *envelope_list(const struct envelope *envelope)
{
    struct cursor cursor = {.envelope = envelope};
    unsigned users = 0, remotes = 0;
    struct record record;
    const char *text;

    state.lists.envid = "";
    while ((text = next_record(&cursor, &record)) != NULL) {
        if (record.kind == RECORD_ENVID) {
            state.lists.envid = text;
        } else if (record.kind == RECORD_USER) {
            state.lists.users[users++] = record.user;
        } else if (record.kind == RECORD_REMOTE) {
            struct store_remote *remote = &state.lists.remotes[remotes++];

            remote->address = text;
            remote->orcpt = text + strlen(text) + 1;
            remote->notify = record.notify;
        }
    }
    ASSERT(users == envelope->user_count && remotes == envelope->remote_count);
    return &state.lists;
}
