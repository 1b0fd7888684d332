/* What the mail protocols stand on, for their tests: a stream whose cutting
 * into spans, room and turns the test decides; a store that answers at once,
 * late, or with an error; a directory of a few users. A program includes this
 * once; its definitions win over the archive's. */
#ifndef TESTS_UNIT_FAKE_MAIL_H
#define TESTS_UNIT_FAKE_MAIL_H

#include "account/account.h"
#include "core/list.h"
#include "core/log.h"
#include "core/task.h"
#include "core/timer.h"
#include "net/dns.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "store/st_peer.h"
#include "tests/unit/fake_directory.h"
#include "tests/unit/fake_machine.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Chance that is the same in each run --------------------------------- */

static uint64_t fake_seed = 1;

static inline uint32_t fake_below(uint32_t limit)
{
    fake_seed = fake_seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fake_seed >> 33) % limit;
}

/* ---- Stream -------------------------------------------------------------- */

enum fake_end { FAKE_OPEN, FAKE_CLOSED, FAKE_ABORTED, FAKE_LOST };

struct fake_stream {
    struct stream stream;
    const uint8_t *in; /* what the client sends */
    size_t in_len, in_taken, in_arrived;
    char *out; /* what it has got; NUL-terminated */
    size_t out_len, out_room;
    size_t space, space_max;
    size_t writes;
    bool wants_room; /* a write was cut short */
    bool resumed;
    bool in_call; /* inside received() */
    bool fin, fin_told;
    enum fake_end end;
};

/* How a test plays a dialogue. */
struct fake_play {
    size_t piece;     /* bytes that arrive at a time; 0: by chance */
    bool cut_spans;   /* offer what is there in two spans at times */
    size_t space_max; /* of the stream's send buffer */
    size_t drain;     /* bytes of it that the client acknowledges a turn */
    bool fin;         /* the client closes behind its last byte */
};

static const struct fake_play fake_play_plain
    __attribute__((unused)) = {SIZE_MAX, false, 65536, 65536, false};

static size_t fake_write(struct stream *stream, const void *data, size_t len)
{
    struct fake_stream *fake = (struct fake_stream *)(void *)stream;
    size_t took = len < fake->space ? len : fake->space;

    if (fake->out_len + took + 1 > fake->out_room) {
        fake->out_room = (fake->out_len + took + 1) * 2;
        fake->out = realloc(fake->out, fake->out_room);
    }
    memcpy(fake->out + fake->out_len, data, took);
    fake->out_len += took;
    fake->out[fake->out_len] = '\0';
    fake->space -= took;
    fake->writes++;
    if (took < len)
        fake->wants_room = true;
    return took;
}

static size_t fake_space(const struct stream *stream)
{
    return ((const struct fake_stream *)(const void *)stream)->space;
}

static void fake_close(struct stream *stream)
{
    ((struct fake_stream *)(void *)stream)->end = FAKE_CLOSED;
}

static void fake_abort(struct stream *stream)
{
    ((struct fake_stream *)(void *)stream)->end = FAKE_ABORTED;
}

static void fake_resume(struct stream *stream)
{
    ((struct fake_stream *)(void *)stream)->resumed = true;
}

static void fake_idle(struct stream *stream, uint32_t ms)
{
    (void)stream;
    (void)ms;
}

static struct net_address fake_peer_address = {
    .bytes = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7}};

static void fake_peer(const struct stream *stream, struct net_endpoint *peer)
{
    (void)stream;
    peer->address = fake_peer_address;
    peer->port = 4711;
}

static uint16_t fake_local_port = 25;

static void fake_local(const struct stream *stream, struct net_endpoint *local)
{
    (void)stream;
    local->address = net_address_v4(0xc0000201); /* 192.0.2.1 */
    local->port = fake_local_port;
}

static const struct stream_operations fake_operations = {
    fake_write,  fake_space, fake_close, fake_abort,
    fake_resume, fake_idle,  fake_peer,  fake_local,
};

static void (*fake_accept)(struct stream *stream);

enum err tcp_listen(uint16_t port, void (*accept)(struct stream *stream))
{
    (void)port;
    fake_accept = accept;
    return OK;
}

void tcp_unlisten(uint16_t port)
{
    (void)port;
    fake_accept = NULL;
}

static inline void fake_connect(struct fake_stream *fake,
                                const struct fake_play *play)
{
    memset(fake, 0, sizeof(*fake));
    fake->stream.operations = &fake_operations;
    fake->space = fake->space_max = 4096; /* as stream.h promises */
    fake->out = calloc(1, 1);
    fake->out_room = 1;
    fake_accept(&fake->stream);
    if (play->space_max < fake->space)
        fake->space = play->space_max;
    fake->space_max = play->space_max;
}

static inline void fake_free(struct fake_stream *fake)
{
    free(fake->out);
    fake->out = NULL;
}

/* One offer of everything that has arrived and was not taken. The bytes are
 * copied to memory of their exact size: a look beyond the end is found. */
static inline void fake_offer(struct fake_stream *fake,
                              const struct fake_play *play)
{
    while (fake->end == FAKE_OPEN && fake->in_taken < fake->in_arrived) {
        size_t len = fake->in_arrived - fake->in_taken;
        size_t took;
        uint8_t *span;

        if (play->cut_spans && len > 1)
            len = 1 + fake_below((uint32_t)len);
        span = malloc(len);
        memcpy(span, fake->in + fake->in_taken, len);
        fake->in_call = true;
        took = fake->stream.handler->received(&fake->stream, span, len);
        fake->in_call = false;
        free(span);
        if (took > len)
            abort();
        fake->in_taken += took;
        if (took < len)
            return;
    }
}

static inline void fake_arrive(struct fake_stream *fake,
                               const struct fake_play *play)
{
    size_t piece = play->piece != 0 ? play->piece : 1 + fake_below(40);
    size_t left = fake->in_len - fake->in_arrived;

    if (left == 0)
        return;
    fake->in_arrived += piece < left ? piece : left;
    fake_offer(fake, play);
}

/* What the transport does in one turn of MT. Returns true when it did
 * anything. */
static inline bool fake_stream_turn(struct fake_stream *fake,
                                    const struct fake_play *play)
{
    bool moved = false;

    if (fake->end != FAKE_OPEN)
        return false;
    if (fake->space < fake->space_max) {
        size_t used = fake->space_max - fake->space;

        fake->space += used < play->drain ? used : play->drain;
        moved = true;
    }
    if (fake->wants_room && fake->space > 0) {
        fake->wants_room = false;
        moved = true;
        fake->stream.handler->writable(&fake->stream);
    }
    if (fake->end == FAKE_OPEN && fake->resumed) {
        fake->resumed = false;
        moved = true;
        fake_offer(fake, play);
    }
    if (fake->end == FAKE_OPEN && fake->in_arrived < fake->in_len) {
        moved = true;
        fake_arrive(fake, play);
    }
    if (fake->end == FAKE_OPEN && play->fin && !fake->fin_told &&
        fake->in_taken == fake->in_len) {
        fake->fin_told = true;
        moved = true;
        fake->stream.handler->ended(&fake->stream);
    }
    return moved;
}

/* The connection breaks. */
static inline void fake_lose(struct fake_stream *fake, enum err reason)
{
    if (fake->end != FAKE_OPEN)
        return;
    fake->end = FAKE_LOST;
    fake->stream.handler->closed(&fake->stream, reason);
}

/* ---- Store --------------------------------------------------------------- */

struct fake_message {
    char *bytes;
    size_t len;
    char sender[300];
    int64_t users[STORE_RECIPIENTS_MAX];
    unsigned user_count;
    /* Of each recipient elsewhere "address orcpt notify\n". */
    char remotes[8192];
    unsigned remote_count;
    char envid[128];
    enum store_return returning;
    bool smtputf8, eight_bit;
    int64_t submitter;
};

struct st_inbound {
    char *bytes;
    size_t len, room;
    void (*resume)(void *context);
    void *context;
    size_t budget; /* bytes taken until the next resume */
    bool waiting;
    struct st_inbound *next;
};

struct fake_commit {
    struct list link;
    struct fake_message message;
    void (*done)(void *context, enum err result, int64_t id);
    void *context;
    unsigned delay;
};

#define FAKE_MESSAGES 64

static struct {
    enum st_state state;
    enum err begin_error;
    unsigned begin_refusals; /* then it works */
    enum err commit_error, read_error, delete_error, open_error, login_error;
    unsigned read_failure_at; /* the so-manieth read fails; 0: none */
    unsigned reads;
    size_t budget;       /* of an inbound between resumes; 0: no limit */
    size_t read_at_most; /* bytes a read gives; 0: what was asked */
    unsigned delay;      /* turns until an answer */
    bool never;          /* requests are at work and are never finished */
    bool no_cancel;      /* requests are at work at once */
    struct list commits;
    struct list requests;
    struct st_inbound *inbounds;
    unsigned inbound_count;
    struct fake_message stored[FAKE_MESSAGES];
    unsigned stored_count;
    /* The maildrop of user 1. */
    struct store_entry entries[FAKE_MESSAGES];
    const char *bodies[FAKE_MESSAGES];
    uint32_t entry_count;
    bool locked;
    unsigned locks;
    uint32_t removed[FAKE_MESSAGES];
    size_t removed_count;
    const char *hostname;
    uint64_t quota, used; /* of user 2; 0: none */
    struct {
        const char *key, *value;
    } settings[4];
} fake_st;

static uint32_t fake_version;

/* fake_set - a setting, until the next reset. */
static inline void fake_set(const char *key, const char *value)
{
    unsigned i = 0;

    while (fake_st.settings[i].key != NULL)
        i++;
    fake_st.settings[i].key = key;
    fake_st.settings[i].value = value;
    fake_version++;
}

static inline void fake_store_reset(void)
{
    unsigned i;

    for (i = 0; i < fake_st.stored_count; i++)
        free(fake_st.stored[i].bytes);
    memset(&fake_st, 0, sizeof(fake_st));
    fake_st.state = ST_READY;
    fake_st.delay = 1;
    fake_st.hostname = "mail.example.org";
    fake_version++;
    fake_local_port = 25;
    fake_fill_directory();
    list_init(&fake_st.commits);
    list_init(&fake_st.requests);
}

enum st_state st_state(void)
{
    return fake_st.state;
}

const char *st_setting(const char *key)
{
    unsigned i;

    for (i = 0; i < 4 && fake_st.settings[i].key != NULL; i++)
        if (strcmp(key, fake_st.settings[i].key) == 0)
            return fake_st.settings[i].value;
    return strcmp(key, "hostname") == 0 ? fake_st.hostname : "";
}

uint32_t st_settings_version(void)
{
    return fake_version;
}

struct st_inbound *st_inbound_begin(uint64_t expected_bytes,
                                    void (*resume)(void *context),
                                    void *context, enum err *why)
{
    struct st_inbound *inbound;

    (void)expected_bytes;
    *why = OK;
    if (fake_st.begin_refusals > 0) {
        fake_st.begin_refusals--;
        *why = ERR_MEMORY;
        return NULL;
    }
    if (fake_st.begin_error != OK) {
        *why = fake_st.begin_error;
        return NULL;
    }
    inbound = calloc(1, sizeof(*inbound));
    inbound->resume = resume;
    inbound->context = context;
    inbound->budget = fake_st.budget != 0 ? fake_st.budget : SIZE_MAX;
    inbound->next = fake_st.inbounds;
    fake_st.inbounds = inbound;
    fake_st.inbound_count++;
    return inbound;
}

size_t st_inbound_write(struct st_inbound *inbound, const void *data,
                        size_t len)
{
    size_t took = len < inbound->budget ? len : inbound->budget;

    if (inbound->len + took > inbound->room) {
        inbound->room = (inbound->len + took) * 2;
        inbound->bytes = realloc(inbound->bytes, inbound->room);
    }
    if (took > 0)
        memcpy(inbound->bytes + inbound->len, data, took);
    inbound->len += took;
    if (inbound->budget != SIZE_MAX)
        inbound->budget -= took;
    if (took < len)
        inbound->waiting = true;
    return took;
}

int64_t st_inbound_id(const struct st_inbound *inbound)
{
    (void)inbound;
    return 4711;
}

uint64_t st_inbound_size(const struct st_inbound *inbound)
{
    return inbound->len;
}

static void fake_unlink(struct st_inbound *inbound)
{
    struct st_inbound **at = &fake_st.inbounds;

    while (*at != inbound)
        at = &(*at)->next;
    *at = inbound->next;
    fake_st.inbound_count--;
    free(inbound);
}

void st_inbound_discard(struct st_inbound *inbound)
{
    free(inbound->bytes);
    fake_unlink(inbound);
}

static void fake_keep_envelope(struct fake_message *message,
                               const struct st_envelope *envelope)
{
    size_t at = 0;
    unsigned i;

    for (i = 0; i < envelope->remote_count; i++) {
        const struct store_remote *remote = &envelope->remotes[i];

        if (at < sizeof(message->remotes) - 900)
            at +=
                (size_t)sprintf(message->remotes + at, "%s %s %u\n",
                                remote->address, remote->orcpt, remote->notify);
    }
    message->remote_count = envelope->remote_count;
    snprintf(message->envid, sizeof(message->envid), "%s", envelope->envid);
    message->returning = envelope->returning;
    message->smtputf8 = envelope->smtputf8;
    message->eight_bit = envelope->eight_bit;
    message->submitter = envelope->submitter;
}

void st_inbound_commit(struct st_inbound *inbound,
                       const struct st_envelope *envelope,
                       void (*done)(void *context, enum err result,
                                    int64_t message_id),
                       void *context)
{
    struct fake_commit *commit = calloc(1, sizeof(*commit));

    /* With a NUL behind it, which does not count. */
    commit->message.bytes = realloc(inbound->bytes, inbound->len + 1);
    commit->message.bytes[inbound->len] = '\0';
    commit->message.len = inbound->len;
    snprintf(commit->message.sender, sizeof(commit->message.sender), "%s",
             envelope->sender);
    memcpy(commit->message.users, envelope->users,
           envelope->user_count * sizeof(*envelope->users));
    commit->message.user_count = envelope->user_count;
    fake_keep_envelope(&commit->message, envelope);
    commit->done = done;
    commit->context = context;
    commit->delay = fake_st.delay;
    list_append(&fake_st.commits, &commit->link);
    fake_unlink(inbound);
}

void st_inbound_forget(void *context)
{
    struct list *node;

    for (node = fake_st.commits.next; node != &fake_st.commits;
         node = node->next) {
        struct fake_commit *commit =
            LIST_ELEMENT(node, struct fake_commit, link);

        if (commit->context == context)
            commit->done = NULL;
    }
}

static void fake_finish_commit(struct fake_commit *commit)
{
    void (*done)(void *context, enum err result, int64_t id) = commit->done;
    void *context = commit->context;
    enum err result = fake_st.commit_error;
    int64_t id = 0;

    list_remove(&commit->link);
    if (result == OK) {
        if (fake_st.stored_count == FAKE_MESSAGES)
            free(fake_st.stored[--fake_st.stored_count].bytes);
        fake_st.stored[fake_st.stored_count++] = commit->message;
        id = 1000 + fake_st.stored_count;
    } else {
        free(commit->message.bytes);
    }
    free(commit);
    if (done != NULL)
        done(context, result, id);
}

/* ---- Accounts: "anna" with the password "se cret" ------------------------ */

static void fake_tag_login(struct st_request *request, struct store *store)
{
    struct account_login *login =
        LIST_ELEMENT(request, struct account_login, answer);

    (void)store;
    login->result = fake_st.login_error;
    if (login->result == OK) {
        if (strcmp(login->name, "anna") == 0 &&
            strcmp(login->password, "se cret") == 0)
            login->user_id = 1;
        else
            login->result = ERR_REFUSED;
    }
    memset(login->password, 0, sizeof(login->password));
}

static void fake_login_done(struct st_request *request)
{
    struct account_login *login =
        LIST_ELEMENT(request, struct account_login, answer);

    login->state = 0;
    login->done(login);
}

static void fake_request(struct st_request *request,
                         void (*work)(struct st_request *, struct store *));

void account_login(struct account_login *login)
{
    login->state = 1;
    login->answer.done = fake_login_done;
    fake_request(&login->answer, fake_tag_login);
}

void account_cancel(struct account_login *login)
{
    if (login->state == 1)
        list_remove(&login->answer.link);
    login->state = 0;
}

/* Of user 2; all others have no quota. */
uint64_t account_quota_left(int64_t user_id)
{
    if (user_id != 2 || fake_st.quota == 0)
        return UINT64_MAX;
    return fake_st.quota > fake_st.used ? fake_st.quota - fake_st.used : 0;
}

enum err account_quota_room(int64_t user_id, uint64_t bytes)
{
    if (user_id == 2 && fake_st.quota != 0 && bytes > fake_st.quota)
        return ERR_TOO_BIG;
    return account_quota_left(user_id) >= (bytes > 0 ? bytes : 1) ? OK
                                                                  : ERR_FULL;
}

/* ---- Requests ------------------------------------------------------------ */

static void fake_tag_open(struct st_request *request, struct store *store)
{
    struct st_maildrop *maildrop =
        LIST_ELEMENT(request, struct st_maildrop, request);
    struct store_maildrop *drop = &maildrop->drop;
    uint32_t i;

    (void)store;
    request->result = fake_st.open_error;
    if (request->result == OK && fake_st.locked)
        request->result = ERR_BUSY;
    if (request->result != OK)
        return;
    fake_st.locked = true;
    fake_st.locks++;
    maildrop->locked = true;
    drop->mailbox_id = 77;
    drop->uid_validity = 0x5eed;
    drop->count = fake_st.entry_count;
    /* Of the exact size, so that a look beyond the end is found. */
    drop->blocks = malloc(drop->count * sizeof(struct store_entry) + 1);
    drop->bytes = 0;
    for (i = 0; i < drop->count; i++) {
        *store_entry_at(drop, i) = fake_st.entries[i];
        drop->bytes += fake_st.entries[i].bytes;
    }
}

static void fake_tag_read(struct st_request *request, struct store *store)
{
    struct st_read *read = LIST_ELEMENT(request, struct st_read, request);
    uint32_t i;

    (void)store;
    request->result = ERR_NOT_FOUND;
    read->got = 0;
    if (++fake_st.reads == fake_st.read_failure_at ||
        fake_st.read_error != OK) {
        request->result =
            fake_st.read_error != OK ? fake_st.read_error : ERR_GONE;
        return;
    }
    for (i = 0; i < fake_st.entry_count; i++) {
        size_t left;

        if (fake_st.entries[i].message_id != read->message_id)
            continue;
        left = fake_st.entries[i].bytes - (size_t)read->offset;
        if (left > read->bytes)
            left = read->bytes;
        if (fake_st.read_at_most != 0 && left > fake_st.read_at_most)
            left = fake_st.read_at_most;
        memcpy(read->buffer, fake_st.bodies[i] + read->offset, left);
        read->got = (int)left;
        request->result = OK;
    }
}

static void fake_tag_delete(struct st_request *request, struct store *store)
{
    struct st_delete *deletion =
        LIST_ELEMENT(request, struct st_delete, request);

    (void)store;
    request->result = fake_st.delete_error;
    if (request->result != OK)
        return;
    memcpy(fake_st.removed, deletion->uids,
           deletion->count * sizeof(*deletion->uids));
    fake_st.removed_count = deletion->count;
}

static void fake_request(struct st_request *request,
                         void (*work)(struct st_request *, struct store *))
{
    request->work = work;
    request->result = (enum err)fake_st.delay; /* turns left, until then */
    list_append(&fake_st.requests, &request->link);
}

void st_maildrop_open(struct st_maildrop *maildrop)
{
    fake_request(&maildrop->request, fake_tag_open);
}

void st_maildrop_close(struct st_maildrop *maildrop)
{
    if (!maildrop->locked)
        abort();
    free(maildrop->drop.blocks);
    maildrop->locked = false;
    fake_st.locked = false;
    fake_st.locks--;
}

void st_read(struct st_read *read)
{
    fake_request(&read->request, fake_tag_read);
}

void st_delete(struct st_delete *deletion)
{
    fake_request(&deletion->request, fake_tag_delete);
}

bool st_cancel(struct st_request *request)
{
    if (fake_st.no_cancel)
        return false;
    list_remove(&request->link);
    return true;
}

static bool fake_run_requests(void)
{
    struct list ready;
    struct list *node;
    bool moved = !list_empty(&fake_st.requests);

    list_init(&ready);
    for (node = fake_st.requests.next; node != &fake_st.requests;) {
        struct st_request *request =
            LIST_ELEMENT(node, struct st_request, link);

        node = node->next;
        if ((int)request->result > 0) {
            request->result = (enum err)((int)request->result - 1);
            continue;
        }
        list_remove(&request->link);
        list_append(&ready, &request->link);
    }
    while ((node = list_take_first(&ready)) != NULL) {
        struct st_request *request =
            LIST_ELEMENT(node, struct st_request, link);

        request->work(request, NULL);
        request->done(request);
    }
    return moved;
}

/* What ST does in one turn. Returns true when it did anything. */
static inline bool fake_store_turn(void)
{
    struct st_inbound *inbound;
    struct list *node;
    bool moved = false;

    if (fake_st.never)
        return false;
    for (inbound = fake_st.inbounds; inbound != NULL;) {
        struct st_inbound *next = inbound->next;

        if (inbound->waiting) {
            inbound->waiting = false;
            inbound->budget = fake_st.budget;
            moved = true;
            inbound->resume(inbound->context);
        }
        inbound = next;
    }
    for (node = fake_st.commits.next; node != &fake_st.commits;) {
        struct fake_commit *commit =
            LIST_ELEMENT(node, struct fake_commit, link);

        node = node->next;
        moved = true;
        if (commit->delay > 0)
            commit->delay--;
        else
            fake_finish_commit(commit);
    }
    return fake_run_requests() || moved;
}

/* ---- Names and peers ----------------------------------------------------- */

/* What block lists and the table of peers say; who asks is told by the test. */
static struct {
    struct dns_lookup *lookup;
    struct st_peer *peer;
    char noted[ST_PEER_BYTES];
} fake_names;

void dns_lookup(struct dns_lookup *lookup, const char *name, enum dns_type type)
{
    lookup->type = type;
    strcpy(lookup->name, name);
    fake_names.lookup = lookup;
}

void dns_cancel(struct dns_lookup *lookup)
{
    if (fake_names.lookup == lookup)
        fake_names.lookup = NULL;
}

char *dns_reverse_name(const struct net_address *address, char *text)
{
    snprintf(text, DNS_NAME_BYTES, "%u.%u.%u.%u.in-addr.arpa",
             address->bytes[15], address->bytes[14], address->bytes[13],
             address->bytes[12]);
    return text;
}

void st_peer_find(struct st_peer *peer)
{
    list_init(&peer->request.link);
    fake_names.peer = peer;
}

void st_peer_note(const char *peer)
{
    strcpy(fake_names.noted, peer);
}

/* ---- Playing ------------------------------------------------------------- */

/* Turns of MT until nothing moves any more; time stands still. */
static inline void fake_settle(struct fake_stream *fake,
                               const struct fake_play *play)
{
    unsigned turns;

    for (turns = 0; turns < 5000000; turns++) {
        bool moved = fake_stream_turn(fake, play);

        moved |= fake_store_turn();
        if (!moved)
            return;
    }
    printf("never settles\n");
    abort();
}

static inline void fake_sleep(struct fake_stream *fake,
                              const struct fake_play *play, uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < 1000 ? ms : 1000;

        fake_machine.now_ns += step * 1000000;
        ms -= step;
        timer_run();
        fake_settle(fake, play);
    }
}

static inline void fake_send(struct fake_stream *fake,
                             const struct fake_play *play, const void *bytes,
                             size_t len)
{
    fake->in = bytes;
    fake->in_len = len;
    fake->in_taken = fake->in_arrived = 0;
    fake_settle(fake, play);
}

/* fake_matches - whether a text is the pattern; '\1' in it stands for any bytes
 * up to the end of the line. */
static inline bool fake_matches(const char *text, size_t len,
                                const char *pattern)
{
    const char *end = text + len;

    while (*pattern != '\0') {
        if (*pattern == '\1') {
            while (text < end && *text != '\r')
                text++;
            pattern++;
            continue;
        }
        if (text == end || *text != *pattern)
            return false;
        text++;
        pattern++;
    }
    return text == end;
}

#endif
