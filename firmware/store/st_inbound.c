/* Messages on their way in: gathered in blocks, spilled as chunks, committed.
 *
 *   st_inbound_write -> filling: block -> block -> ...     (at most one chunk)
 *                       spilling: the chunk before, in the writer's hands
 *   st_inbound_commit -> the writer takes what is in `filling` as the tail
 *
 * While a chunk is being spilled the next one is filled. When no block is free,
 * whoever holds the most bytes is spilled, and the one who asked waits for
 * resume(); since begun messages leave an eighth of the blocks for growing, and
 * any message with bytes can be spilled, somebody always gets on. */
#include "st_internal.h"
#include "core/check.h"
#include "core/memory.h"
#include <string.h>

/* Of the blocks, kept for messages that have begun; of these, for the envelopes
 * of messages that are complete. */
#define RESERVE_SHARE  8
#define ENVELOPE_SHARE 32
#define PARTS_MAX      4000

struct chain {
    struct st_block *first, *last;
    size_t bytes;
};

/* A recipient elsewhere, behind the message's bytes in its blocks. */
struct remote {
    struct remote *next;
    uint16_t orcpt_at; /* in texts */
    uint8_t notify;
    char texts[]; /* address, ORCPT */
};

struct st_inbound {
    struct list link;        /* active or free */
    struct st_request spill; /* also for removing chunks at the end */
    struct st_request commit;
    struct chain filling, spilling;
    bool spill_busy, committing, discarded, waiting;
    enum err error;       /* the message cannot be stored any more */
    uint32_t chunks;      /* spilled or being spilled */
    uint64_t chunk_bytes; /* in them */
    uint64_t size;
    int64_t message_id;
    void (*resume)(void *context);
    void *context;
    void (*done)(void *context, enum err result, int64_t message_id);
    void *done_context;
    struct remote *remotes;
    unsigned remote_count;
    const char *envid; /* in the blocks, or "" */
    enum store_return returning;
    bool smtputf8, eight_bit;
    int64_t submitter;
    char sender[USER_ADDRESS_BYTES];
    unsigned user_count;
    int64_t users[STORE_RECIPIENTS_MAX];
};

static struct {
    struct list active, free;
    struct st_block *blocks; /* free ones */
    size_t block_count, blocks_free;
    uint8_t *staging; /* a chunk in one piece, for the writer */
    struct store_remote remotes[STORE_RECIPIENTS_MAX]; /* likewise */
    unsigned waiting;
} state;

/* ---- Blocks ------------------------------------------------------------- */

/* keep: so many stay for others. */
static struct st_block *take_block(size_t keep)
{
    struct st_block *block = state.blocks;

    if (state.blocks_free <= keep)
        return NULL;
    if (block) {
        state.blocks = block->next;
        block->next = NULL;
        state.blocks_free--;
    }
    return block;
}

static void add_block(struct chain *chain, struct st_block *block)
{
    if (chain->last)
        chain->last->next = block;
    else
        chain->first = block;
    chain->last = block;
}

static void free_chain(struct chain *chain)
{
    struct st_block *block = chain->first;

    while (block) {
        struct st_block *next = block->next;

        block->next = state.blocks;
        state.blocks = block;
        state.blocks_free++;
        block = next;
    }
    memset(chain, 0, sizeof *chain);
}

/* The chain's bytes in one piece: in its only block, or in the staging area,
 * which belongs to the writer for the time of one request. */
static const void *one_piece(const struct chain *chain)
{
    size_t at = 0;

    if (chain->bytes <= ST_BLOCK_DATA)
        return chain->first ? chain->first->data : state.staging;
    for (const struct st_block *block = chain->first; block;
         block = block->next) {
        size_t part = chain->bytes - at;

        if (part > ST_BLOCK_DATA)
            part = ST_BLOCK_DATA;
        memcpy(state.staging + at, block->data, part);
        at += part;
    }
    return state.staging;
}

/* ---- Spilling ----------------------------------------------------------- */

static void free_inbound(struct st_inbound *inbound)
{
    free_chain(&inbound->filling);
    free_chain(&inbound->spilling);
    if (inbound->waiting)
        state.waiting--;
    inbound->waiting = false;
    list_remove(&inbound->link);
    list_append(&state.free, &inbound->link);
}

static void remove_chunks(struct st_request *request, struct store *store)
{
    struct st_inbound *inbound = request->context;

    request->result = store_discard_chunks(store, inbound->message_id);
}

/* Chunks that could not be removed now go at the next opening. */
static void chunks_removed(struct st_request *request)
{
    free_inbound(request->context);
}

/* The end of a message that was not delivered. */
static void drop(struct st_inbound *inbound)
{
    free_chain(&inbound->filling);
    inbound->discarded = true;
    /* The writer has a chunk of it: chunk_is_put() comes back. */
    if (inbound->spill_busy)
        return;
    if (inbound->chunks == 0 || inbound->error == ERR_GONE) {
        free_inbound(inbound);
        return;
    }
    inbound->spill_busy = true;
    inbound->spill.work = remove_chunks;
    inbound->spill.done = chunks_removed;
    st_queue(&st_context.writes, &inbound->spill);
}

static void put_chunk(struct st_request *request, struct store *store)
{
    struct st_inbound *inbound = request->context;

    request->result =
        store_put_chunk(store, inbound->message_id, inbound->chunks - 1,
                        one_piece(&inbound->spilling), inbound->spilling.bytes);
}

static void chunk_is_put(struct st_request *request)
{
    struct st_inbound *inbound = request->context;

    inbound->spill_busy = false;
    free_chain(&inbound->spilling);
    if (request->result && !inbound->error)
        inbound->error = request->result;
    if (inbound->discarded)
        drop(inbound);
}

static void start_spill(struct st_inbound *inbound)
{
    inbound->spilling = inbound->filling;
    memset(&inbound->filling, 0, sizeof inbound->filling);
    inbound->chunks++;
    inbound->chunk_bytes += inbound->spilling.bytes;
    inbound->spill_busy = true;
    inbound->spill.work = put_chunk;
    inbound->spill.done = chunk_is_put;
    st_queue(&st_context.writes, &inbound->spill);
}

/* No block is free: the one that holds the most makes room. */
static void spill_largest(void)
{
    struct st_inbound *largest = NULL;

    for (struct list *node = state.active.next; node != &state.active;
         node = node->next) {
        struct st_inbound *each = LIST_ELEMENT(node, struct st_inbound, link);

        if (each->spill_busy || each->committing || each->discarded ||
            each->chunks >= PARTS_MAX || each->filling.bytes == 0)
            continue;
        if (!largest || each->filling.bytes > largest->filling.bytes)
            largest = each;
    }
    if (largest)
        start_spill(largest);
}

/* ---- Begin, write ------------------------------------------------------- */

struct st_inbound *st_inbound_begin(uint64_t expected_bytes,
                                    void (*resume)(void *context),
                                    void *context, enum err *why)
{
    struct st_inbound *inbound;

    *why = OK;
    if (st_context.state != ST_READY || st_context.closing || st_context.gone)
        *why = ERR_GONE;
    else if (st_context.room == 0 || expected_bytes > st_context.room)
        *why = ERR_FULL;
    else if (list_empty(&state.free) ||
             state.blocks_free <= state.block_count / RESERVE_SHARE)
        *why = ERR_MEMORY;
    if (*why)
        return NULL;
    inbound =
        LIST_ELEMENT(list_take_first(&state.free), struct st_inbound, link);
    memset(inbound, 0, offsetof(struct st_inbound, users));
    list_init(&inbound->link);
    list_append(&state.active, &inbound->link);
    list_init(&inbound->spill.link);
    list_init(&inbound->commit.link);
    inbound->spill.context = inbound;
    inbound->commit.context = inbound;
    inbound->resume = resume;
    inbound->context = context;
    inbound->message_id = store_reserve_id(ST_WRITER->store);
    return inbound;
}

/* Room for at least one more byte in the chunk that is being filled. */
static bool make_room(struct st_inbound *inbound)
{
    struct chain *chain = &inbound->filling;
    struct st_block *block;

    if (chain->bytes == STORE_CHUNK_BYTES) {
        if (inbound->spill_busy)
            return false;
        start_spill(inbound);
    }
    if (chain->bytes % ST_BLOCK_DATA || (chain->bytes == 0 && chain->first))
        return true;
    block = take_block(state.block_count / ENVELOPE_SHARE);
    if (!block) {
        spill_largest();
        return false;
    }
    add_block(chain, block);
    return true;
}

static size_t append(struct chain *chain, const uint8_t *data, size_t len)
{
    size_t used = chain->bytes % ST_BLOCK_DATA;
    size_t part = ST_BLOCK_DATA - used;

    if (part > len)
        part = len;
    if (part > STORE_CHUNK_BYTES - chain->bytes)
        part = STORE_CHUNK_BYTES - chain->bytes;
    memcpy(chain->last->data + used, data, part);
    chain->bytes += part;
    return part;
}

size_t st_inbound_write(struct st_inbound *inbound, const void *data,
                        size_t len)
{
    const uint8_t *from = data;
    size_t taken = 0;

    if (!inbound->error && len > STORE_MESSAGE_MAX - inbound->size)
        inbound->error = ERR_TOO_BIG;
    while (!inbound->error && taken < len) {
        if (!make_room(inbound)) {
            if (!inbound->waiting)
                state.waiting++;
            inbound->waiting = true;
            break;
        }
        taken += append(&inbound->filling, from + taken, len - taken);
    }
    /* What cannot be stored any more is taken and told about at the end. */
    if (inbound->error)
        taken = len;
    inbound->size += taken;
    return taken;
}

uint64_t st_inbound_size(const struct st_inbound *inbound)
{
    return inbound->size;
}

int64_t st_inbound_id(const struct st_inbound *inbound)
{
    return inbound->message_id;
}

/* ---- Envelope ----------------------------------------------------------- */

/* Room in the blocks behind the bytes of the message; *used is how much of the
 * last block is taken. NULL: there is none. */
static void *take_room(struct chain *chain, size_t *used, size_t bytes)
{
    struct st_block *block;

    *used = (*used + 7) & ~(size_t)7;
    if (!chain->last || *used > ST_BLOCK_DATA ||
        bytes > ST_BLOCK_DATA - *used) {
        block = take_block(0);
        if (!block)
            return NULL;
        add_block(chain, block);
        *used = 0;
    }
    *used += bytes;
    return chain->last->data + *used - bytes;
}

static struct remote *copy_remote(struct chain *chain, size_t *used,
                                  const struct store_remote *from)
{
    size_t address = strlen(from->address) + 1;
    size_t orcpt = strlen(from->orcpt) + 1;
    struct remote *to;

    if (sizeof *to + address + orcpt > ST_BLOCK_DATA)
        return NULL;
    to = take_room(chain, used, sizeof *to + address + orcpt);
    if (!to)
        return NULL;
    to->next = NULL;
    to->orcpt_at = (uint16_t)address;
    to->notify = from->notify;
    memcpy(to->texts, from->address, address);
    memcpy(to->texts + address, from->orcpt, orcpt);
    return to;
}

/* Behind the last byte in the last block. A block that was taken and has none
 * yet is as full as it was left: empty. */
static size_t used_of_last(const struct chain *chain)
{
    size_t used = chain->bytes % ST_BLOCK_DATA;

    return used == 0 && chain->bytes > 0 ? ST_BLOCK_DATA : used;
}

static enum err copy_remotes(struct st_inbound *inbound,
                             const struct st_envelope *envelope)
{
    struct chain *chain = &inbound->filling;
    size_t used = used_of_last(chain);
    size_t len = envelope->envid ? strlen(envelope->envid) : 0;
    struct remote **next = &inbound->remotes;

    inbound->envid = "";
    if (len > 0) {
        char *envid =
            len < ST_BLOCK_DATA ? take_room(chain, &used, len + 1) : NULL;

        if (!envid)
            return ERR_MEMORY;
        memcpy(envid, envelope->envid, len + 1);
        inbound->envid = envid;
    }
    for (unsigned i = 0; i < envelope->remote_count; i++) {
        *next = copy_remote(chain, &used, &envelope->remotes[i]);
        if (!*next)
            return ERR_MEMORY;
        next = &(*next)->next;
    }
    inbound->remote_count = envelope->remote_count;
    return OK;
}

static enum err copy_envelope(struct st_inbound *inbound,
                              const struct st_envelope *envelope)
{
    size_t len = strnlen(envelope->sender, sizeof inbound->sender);

    if (envelope->user_count > STORE_RECIPIENTS_MAX ||
        envelope->remote_count > STORE_RECIPIENTS_MAX ||
        len == sizeof inbound->sender)
        return ERR_INVALID;
    memcpy(inbound->sender, envelope->sender, len + 1);
    memcpy(inbound->users, envelope->users,
           envelope->user_count * sizeof *envelope->users);
    inbound->user_count = envelope->user_count;
    inbound->returning = envelope->returning;
    inbound->smtputf8 = envelope->smtputf8;
    inbound->eight_bit = envelope->eight_bit;
    inbound->submitter = envelope->submitter;
    return copy_remotes(inbound, envelope);
}

/* For the time of one request of the writer. */
static const struct store_remote *list_remotes(const struct st_inbound *inbound)
{
    const struct remote *remote = inbound->remotes;

    for (unsigned i = 0; i < inbound->remote_count; i++) {
        state.remotes[i].address = remote->texts;
        state.remotes[i].orcpt = remote->texts + remote->orcpt_at;
        state.remotes[i].notify = remote->notify;
        remote = remote->next;
    }
    return state.remotes;
}

/* ---- Commit, discard ---------------------------------------------------- */

static void deliver(struct st_request *request, struct store *store)
{
    struct st_inbound *inbound = request->context;
    struct store_delivery delivery = {
        .message_id = inbound->message_id,
        .sender = inbound->sender,
        .received_ms = machine_wall_clock_ms(),
        .users = inbound->users,
        .user_count = inbound->user_count,
        .remotes = list_remotes(inbound),
        .remote_count = inbound->remote_count,
        .envid = inbound->envid,
        .returning = inbound->returning,
        .smtputf8 = inbound->smtputf8,
        .eight_bit = inbound->eight_bit,
        .submitter = inbound->submitter,
        .chunks = inbound->chunks,
        .chunk_bytes = inbound->chunk_bytes,
        .tail = one_piece(&inbound->filling),
        .tail_bytes = inbound->filling.bytes,
    };

    /* The commit of the last chunk may have failed just now, and MT does not
     * know yet: the writer's own answer says so. */
    request->result = inbound->error          ? inbound->error
                      : inbound->spill.result ? inbound->spill.result
                                              : store_deliver(store, &delivery);
}

static void delivered(struct st_request *request)
{
    struct st_inbound *inbound = request->context;

    if (request->result == OK) {
        st_context.figures.delivered++;
        st_context.figures.store.messages++;
    } else if (!inbound->error) {
        inbound->error = request->result;
    }
    if (inbound->done)
        inbound->done(inbound->done_context, request->result,
                      inbound->message_id);
    if (request->result == OK)
        free_inbound(inbound);
    else
        drop(inbound);
}

void st_inbound_commit(struct st_inbound *inbound,
                       const struct st_envelope *envelope,
                       void (*done)(void *context, enum err result,
                                    int64_t message_id),
                       void *context)
{
    enum err err;

    inbound->committing = true;
    inbound->done = done;
    inbound->done_context = context;
    inbound->commit.work = deliver;
    inbound->commit.done = delivered;
    if (inbound->waiting)
        state.waiting--;
    inbound->waiting = false;
    err = copy_envelope(inbound, envelope);
    if (err) {
        st_answer(&inbound->commit, err);
        return;
    }
    if (inbound->error)
        st_answer(&inbound->commit, inbound->error);
    else
        st_queue(&st_context.writes, &inbound->commit);
}

void st_inbound_forget(void *context)
{
    for (struct list *node = state.active.next; node != &state.active;
         node = node->next) {
        struct st_inbound *each = LIST_ELEMENT(node, struct st_inbound, link);

        if (each->committing && each->done_context == context)
            each->done = NULL;
    }
}

void st_inbound_discard(struct st_inbound *inbound)
{
    if (inbound->waiting)
        state.waiting--;
    inbound->waiting = false;
    drop(inbound);
}

/* ---- MT ----------------------------------------------------------------- */

/* The stick is gone: what came in so far is lost with its chunks. */
void st_inbound_lose(void)
{
    for (struct list *node = state.active.next; node != &state.active;
         node = node->next) {
        struct st_inbound *each = LIST_ELEMENT(node, struct st_inbound, link);

        each->error = ERR_GONE;
        if (!each->committing)
            free_chain(&each->filling);
    }
}

bool st_inbound_run(void)
{
    struct list *node = state.active.next;
    size_t blocks = state.blocks_free;
    bool any = false;

    if (state.waiting == 0)
        return false;
    while (node != &state.active) {
        struct st_inbound *each = LIST_ELEMENT(node, struct st_inbound, link);

        node = node->next;
        if (!each->waiting)
            continue;
        if (!each->error &&
            (blocks == 0 ||
             (each->spill_busy && each->filling.bytes == STORE_CHUNK_BYTES)))
            continue;
        if (blocks)
            blocks--;
        each->waiting = false;
        state.waiting--;
        any = true;
        each->resume(each->context);
        /* The callback may have ended any message: from the start again. */
        node = state.active.next;
    }
    return any;
}

bool st_inbound_active(void)
{
    return !list_empty(&state.active);
}

void st_inbound_figures(struct st_figures *figures)
{
    figures->buffers = state.block_count;
    figures->buffers_free = state.blocks_free;
}

enum err st_inbound_init(size_t bytes)
{
    size_t each = 2 * ST_BLOCK_BYTES + sizeof(struct st_inbound);
    size_t count = bytes / each;
    struct st_inbound *inbounds;
    struct st_block *blocks;

    list_init(&state.active);
    list_init(&state.free);
    state.blocks = NULL;
    state.waiting = 0;
    if (count < 16)
        return ERR_MEMORY;
    inbounds = memory_take("messages in", count * sizeof *inbounds, 64);
    blocks = memory_take("message blocks", 2 * count * sizeof *blocks, 4096);
    state.staging = memory_take("message blocks", STORE_CHUNK_BYTES, 4096);
    if (!inbounds || !blocks || !state.staging)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        list_init(&inbounds[i].link);
        list_append(&state.free, &inbounds[i].link);
    }
    for (size_t i = 0; i < 2 * count; i++) {
        blocks[i].next = state.blocks;
        state.blocks = &blocks[i];
    }
    state.block_count = 2 * count;
    state.blocks_free = 2 * count;
    return OK;
}
