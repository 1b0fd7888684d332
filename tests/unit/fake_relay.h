/* What the relay stands on, for its tests: servers by address (smtp_sink.h),
 * names in a table, a queue and messages in memory. Time is the test's. A
 * program includes this once; its definitions win over the archive's. */
#ifndef TESTS_UNIT_FAKE_RELAY_H
#define TESTS_UNIT_FAKE_RELAY_H

#include "core/log.h"
#include "core/machine.h"
#include "core/task.h"
#include "core/timer.h"
#include "net/dns.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "relay/relay.h"
#include "store/st_queue.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/smtp_sink.h"
#include <stdlib.h>
#include <string.h>

static uint64_t fake_seed = 1;

static inline uint32_t fake_below(uint32_t limit)
{
    fake_seed = fake_seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fake_seed >> 33) % limit;
}

/* ---- Memory: taken anew by each test ------------------------------------- */

static uint8_t fake_memory[16 << 20] __attribute__((aligned(4096)));
static size_t fake_memory_used;

void *machine_memory_take(size_t bytes, size_t alignment)
{
    size_t at = (fake_memory_used + alignment - 1) & ~(alignment - 1);

    if (bytes > sizeof(fake_memory) - at)
        return NULL;
    fake_memory_used = at + bytes;
    memset(fake_memory + at, 0, bytes);
    return fake_memory + at;
}

/* ---- Names --------------------------------------------------------------- */

struct fake_name {
    const char *name;
    enum dns_type type;
    enum dns_status status;
    uint16_t preference;
    const char *value; /* name or address */
};

#define FAKE_NAMES 64
static struct fake_name fake_names[FAKE_NAMES];
static unsigned fake_name_count, fake_lookups;
static struct list fake_questions;

static inline void fake_name(const char *name, enum dns_type type,
                             uint16_t preference, const char *value)
{
    fake_names[fake_name_count++] =
        (struct fake_name){name, type, DNS_OK, preference, value};
}

static inline void fake_no_name(const char *name, enum dns_type type,
                                enum dns_status status)
{
    fake_names[fake_name_count++] =
        (struct fake_name){name, type, status, 0, ""};
}

void dns_lookup(struct dns_lookup *lookup, const char *name, enum dns_type type)
{
    fake_lookups++;
    snprintf(lookup->name, sizeof(lookup->name), "%s", name);
    lookup->type = type;
    list_init(&lookup->link);
    list_append(&fake_questions, &lookup->link);
}

void dns_cancel(struct dns_lookup *lookup)
{
    list_remove(&lookup->link);
}

static inline void fake_answer(struct dns_lookup *lookup)
{
    bool known = false;

    lookup->count = 0;
    lookup->status = DNS_NO_DATA;
    for (unsigned i = 0; i < fake_name_count; i++) {
        const struct fake_name *each = &fake_names[i];
        struct dns_answer *answer = &lookup->answers[lookup->count];

        if (strcmp(each->name, lookup->name) != 0)
            continue;
        known = true;
        if (each->type != lookup->type)
            continue;
        lookup->status = each->status;
        if (each->status != DNS_OK || lookup->count == DNS_ANSWERS)
            continue;
        memset(answer, 0, sizeof(*answer));
        answer->preference = each->preference;
        if (each->type == DNS_MX)
            snprintf(answer->name, sizeof(answer->name), "%s", each->value);
        else if (net_address_parse(each->value, &answer->address) != OK)
            abort();
        lookup->count++;
    }
    if (!known)
        lookup->status = DNS_NO_NAME;
    lookup->done(lookup);
}

/* ---- Connections --------------------------------------------------------- */

struct fake_peer {
    const char *address;
    struct sink sink;
    bool refuses, silent;
};

#define FAKE_PEERS 8
static struct fake_peer fake_peers[FAKE_PEERS];
static unsigned fake_peer_count;

struct fake_stream {
    struct stream stream;
    struct list link;
    struct fake_peer *peer;
    struct sink_talk talk;
    bool open, detached, reset, ended, told;
    char *to_relay;
    size_t len;
    size_t space; /* of its send buffer, filled again each turn */
    bool wants_room;
    char *out;
    size_t out_len;
};

static struct list fake_streams;
static size_t fake_space_max = 65536; /* of a send buffer */
static size_t fake_piece = SIZE_MAX;  /* bytes that arrive at a time */
static unsigned fake_open_streams, fake_open_most;
static bool fake_full; /* no connection is free */
static bool fake_held; /* what is sent does not arrive yet */

static size_t fake_write(struct stream *stream, const void *data, size_t len)
{
    struct fake_stream *fake = (struct fake_stream *)(void *)stream;
    size_t took = len < fake->space ? len : fake->space;

    sink_add(&fake->out, fake->out_len, data, took);
    fake->out_len += took;
    fake->space -= took;
    fake->wants_room |= took < len;
    return took;
}

static size_t fake_room(const struct stream *stream)
{
    return ((const struct fake_stream *)(const void *)stream)->space;
}

static void fake_detach(struct stream *stream)
{
    ((struct fake_stream *)(void *)stream)->detached = true;
}

static void fake_nothing(struct stream *stream)
{
    (void)stream;
}

static void fake_idle(struct stream *stream, uint32_t ms)
{
    (void)stream;
    (void)ms;
}

static void fake_endpoint(const struct stream *stream,
                          struct net_endpoint *endpoint)
{
    (void)stream;
    endpoint->address = net_address_v4(0xc0000201);
    endpoint->port = 25;
}

static const struct stream_operations fake_operations = {
    fake_write,   fake_room, fake_detach,   fake_detach,
    fake_nothing, fake_idle, fake_endpoint, fake_endpoint,
};

static void fake_say(void *context, const void *bytes, size_t len)
{
    struct fake_stream *fake = context;

    sink_add(&fake->to_relay, fake->len, bytes, len);
    fake->len += len;
}

static void fake_hang_up(void *context, bool reset)
{
    struct fake_stream *fake = context;

    fake->ended = true;
    fake->reset = reset;
}

static inline struct fake_peer *fake_peer(const char *address)
{
    for (unsigned i = 0; i < fake_peer_count; i++) {
        if (strcmp(fake_peers[i].address, address) == 0)
            return &fake_peers[i];
    }
    if (fake_peer_count == FAKE_PEERS)
        abort();
    fake_peers[fake_peer_count].address = address;
    sink_clear(&fake_peers[fake_peer_count].sink);
    return &fake_peers[fake_peer_count++];
}

static inline bool network_is_host(const struct net_address *address)
{
    return !net_address_is_v4(address) ||
           net_address_to_v4(address) < 0xe0000000;
}

struct stream *tcp_connect(const struct net_endpoint *remote,
                           const struct stream_handler *handler, void *context)
{
    struct fake_stream *fake;
    char text[NET_ADDRESS_TEXT];

    /* As the real one: to no group, and to no broadcast address. */
    if (fake_full || !network_is_host(&remote->address))
        return NULL;
    fake = calloc(1, sizeof(*fake));

    fake->stream.operations = &fake_operations;
    fake->stream.handler = handler;
    fake->stream.context = context;
    fake->space = fake_space_max;
    fake->talk.send = fake_say;
    fake->talk.end = fake_hang_up;
    fake->talk.context = fake;
    net_address_format(&remote->address, text);
    for (unsigned i = 0; i < fake_peer_count; i++) {
        if (strcmp(fake_peers[i].address, text) == 0)
            fake->peer = &fake_peers[i];
    }
    list_append(&fake_streams, &fake->link);
    if (++fake_open_streams > fake_open_most)
        fake_open_most = fake_open_streams;
    return &fake->stream;
}

static inline void fake_free(struct fake_stream *fake)
{
    list_remove(&fake->link);
    sink_close(&fake->talk);
    free(fake->to_relay);
    free(fake->out);
    free(fake);
    fake_open_streams--;
}

static inline void fake_lose(struct fake_stream *fake, enum err reason)
{
    const struct stream_handler *handler = fake->stream.handler;

    if (!fake->detached)
        handler->closed(&fake->stream, reason);
    fake_free(fake);
}

static inline void fake_arrive(struct fake_stream *fake)
{
    while (fake->len > 0 && !fake->detached) {
        size_t part = fake->len < fake_piece ? fake->len : fake_piece;
        uint8_t *span = malloc(part);
        size_t took;

        memcpy(span, fake->to_relay, part);
        took = fake->stream.handler->received(&fake->stream, span, part);
        free(span);
        memmove(fake->to_relay, fake->to_relay + took, fake->len - took);
        fake->len -= took;
        if (took < part)
            return;
    }
}

/* One turn of a connection. Returns true when anything moved. */
static inline bool fake_stream_turn(struct fake_stream *fake)
{
    bool moved = false;

    if (!fake->open) {
        if (fake->detached) {
            fake_free(fake);
            return true;
        }
        if (fake->peer == NULL || fake->peer->silent)
            return false;
        if (fake->peer->refuses) {
            fake_lose(fake, ERR_RESET);
            return true;
        }
        fake->open = true;
        fake->stream.handler->opened(&fake->stream);
        sink_open(&fake->talk, &fake->peer->sink);
        moved = true;
    }
    if (fake->out_len > 0 && !fake_held) {
        char *out = fake->out;
        size_t len = fake->out_len;

        fake->out = NULL;
        fake->out_len = 0;
        fake->space = fake_space_max;
        if (!fake->talk.over)
            sink_input(&fake->talk, out, len);
        free(out);
        moved = true;
    }
    if (fake->len > 0 && !fake->detached) {
        fake_arrive(fake);
        moved = true;
    }
    if (fake->wants_room && fake->space > 0 && !fake->detached) {
        fake->wants_room = false;
        fake->stream.handler->writable(&fake->stream);
        moved = true;
    }
    if (fake->ended && fake->reset && fake->out_len == 0) {
        fake_lose(fake, ERR_RESET);
        return true;
    }
    if (fake->ended && !fake->told && !fake->detached) {
        fake->told = true;
        fake->stream.handler->ended(&fake->stream);
        moved = true;
    }
    if (fake->detached && fake->out_len == 0) {
        fake_free(fake);
        moved = true;
    }
    return moved;
}

/* ---- Queue and messages -------------------------------------------------- */

struct fake_message {
    const char *body;
    size_t len;
};

#define FAKE_ROWS 2000
static struct store_due fake_rows[FAKE_ROWS];
static unsigned fake_row_count;
static struct fake_message fake_messages[600];
static struct list fake_requests;
static enum err fake_settle_error, fake_read_error;
/* Of a settlement with a notice that returns a message; with any notice. */
static enum err fake_return_error, fake_notice_error;
static bool fake_no_cancel;
static unsigned fake_settlements;
/* The notices as they were stored, one behind the other; and for whom. */
static char fake_notices[1 << 20];
static int64_t fake_notice_user;
static char fake_notice_remote[USER_ADDRESS_BYTES];
static unsigned fake_notice_count;
static struct store_route fake_route;
static const char *fake_hostname = "mail.here.example";
static const char *fake_settings[8][2];
static void (*fake_changed)(void);
static void (*fake_acted)(void);

const char *st_setting(const char *key)
{
    if (strcmp(key, "hostname") == 0)
        return fake_hostname;
    for (unsigned i = 0; i < 8; i++) {
        if (fake_settings[i][0] && strcmp(fake_settings[i][0], key) == 0)
            return fake_settings[i][1];
    }
    return "";
}

void st_queue_on_change(void (*changed)(void), void (*acted)(void))
{
    fake_changed = changed;
    fake_acted = acted;
}

static inline struct store_due *fake_row_of(int64_t queue_id)
{
    for (unsigned i = 0; i < fake_row_count; i++) {
        if (fake_rows[i].queue_id == queue_id)
            return &fake_rows[i];
    }
    return NULL;
}

static void fake_work_due(struct st_request *request, struct store *store)
{
    struct store_due_list *list = &((struct st_due *)request)->list;

    (void)store;
    list->count = 0;
    list->more = false;
    list->next_ms = INT64_MAX;
    for (unsigned i = 0; i < fake_row_count; i++) {
        const struct store_due *row = &fake_rows[i];

        if (row->queue_id == 0 || row->state == STORE_QUEUE_HELD)
            continue;
        if (row->next_ms > list->now_ms) {
            if (row->next_ms < list->next_ms)
                list->next_ms = row->next_ms;
        } else if (!list->held(list->context, row->queue_id)) {
            if (list->count < list->room)
                list->rows[list->count++] = *row;
            else
                list->more = true;
        }
    }
}

static void fake_work_settle(struct st_request *request, struct store *store)
{
    const struct store_settlement *settlement =
        &((struct st_settle *)request)->settlement;
    const struct store_notice *notice = settlement->notice;

    (void)store;
    request->result = fake_settle_error;
    if (!request->result && notice != NULL)
        request->result = fake_notice_error;
    if (!request->result && notice != NULL && notice->original != 0)
        request->result = fake_return_error;
    if (request->result)
        return;
    fake_settlements++;
    for (unsigned i = 0; i < settlement->count; i++) {
        const struct store_settled *settled = &settlement->recipients[i];
        struct store_due *row = fake_row_of(settled->queue_id);

        if (row == NULL)
            continue;
        snprintf(row->reply, sizeof(row->reply), "%s", settled->reply);
        if (settled->removed) {
            row->queue_id = 0;
        } else {
            row->attempts++;
            row->next_ms = settled->next_ms;
            row->delayed = settled->delayed;
        }
    }
    if (notice == NULL)
        return;
    fake_notice_count++;
    fake_notice_user = notice->user_count ? notice->users[0] : 0;
    snprintf(fake_notice_remote, sizeof(fake_notice_remote), "%s",
             notice->remote);
    snprintf(fake_notices + strlen(fake_notices),
             sizeof(fake_notices) - strlen(fake_notices), "%.*s(%s)%.*s",
             (int)notice->head_bytes, notice->head,
             notice->full ? "whole" : "header", (int)notice->tail_bytes,
             notice->tail);
}

static void fake_work_read(struct st_request *request, struct store *store)
{
    struct st_read *read = (struct st_read *)request;
    const struct fake_message *message = &fake_messages[read->message_id];
    size_t left = message->len - (size_t)read->offset;

    (void)store;
    request->result = fake_read_error;
    read->got = 0;
    if (fake_read_error)
        return;
    if (left > read->bytes)
        left = read->bytes;
    memcpy(read->buffer, message->body + read->offset, left);
    read->got = (int)left;
}

static inline void fake_ask(struct st_request *request,
                            void (*work)(struct st_request *, struct store *))
{
    request->work = work;
    request->result = OK;
    list_init(&request->link);
    list_append(&fake_requests, &request->link);
}

void st_queue_due(struct st_due *due)
{
    fake_ask(&due->request, fake_work_due);
}

void st_queue_settle(struct st_settle *settle)
{
    fake_ask(&settle->request, fake_work_settle);
}

void st_read(struct st_read *read)
{
    fake_ask(&read->request, fake_work_read);
}

bool st_cancel(struct st_request *request)
{
    if (fake_no_cancel)
        return false;
    list_remove(&request->link);
    return true;
}

/* ---- Turns --------------------------------------------------------------- */

static inline bool fake_turn(void)
{
    struct list now;
    struct list *node;
    bool moved = task_run() > 0;

    moved |= timer_run() > 0;
    list_init(&now);
    while ((node = list_take_first(&fake_questions)) != NULL)
        list_append(&now, node);
    while ((node = list_take_first(&now)) != NULL) {
        fake_answer(LIST_ELEMENT(node, struct dns_lookup, link));
        moved = true;
    }
    while ((node = list_take_first(&fake_requests)) != NULL)
        list_append(&now, node);
    while ((node = list_take_first(&now)) != NULL) {
        struct st_request *request =
            LIST_ELEMENT(node, struct st_request, link);

        request->work(request, NULL);
        request->done(request);
        moved = true;
    }
    for (node = fake_streams.next; node != &fake_streams;) {
        struct fake_stream *fake = LIST_ELEMENT(node, struct fake_stream, link);

        node = node->next;
        moved |= fake_stream_turn(fake);
    }
    return moved;
}

/* Turns until nothing moves; time stands still. */
static inline void fake_rest(void)
{
    for (unsigned turns = 0; fake_turn(); turns++) {
        if (turns > 1000000) {
            printf("never comes to rest\n");
            abort();
        }
    }
}

static inline void fake_sleep(uint64_t ms)
{
    uint64_t end = fake_machine.now_ns + ms * 1000000;

    fake_rest();
    while (fake_machine.now_ns < end) {
        uint64_t next = timer_next_ms();
        uint64_t at = next == UINT64_MAX ? end : next * 1000000;

        if (at <= fake_machine.now_ns)
            at = fake_machine.now_ns + 1000000;
        fake_machine.now_ns = at < end ? at : end;
        timer_run();
        fake_rest();
    }
}

#endif
