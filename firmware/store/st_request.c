/* Requests of sessions: maildrops, reading, deleting, settings, passwords. */
#include "st_internal.h"
#include "core/memory.h"
#include "core/random.h"
#include <string.h>

/* Maildrops that are open: a hash set of user ids with linear probing. A slot
 * is free when it holds 0. */
#define LOCK_SLOTS 16384
/* From here on there is room for the dearest hashes, too. */
#define PLENTY    ((size_t)80 * 1024 * 1024)
#define LOCKS_MAX (LOCK_SLOTS / 2)
/* Of the memory that is there at start, for the lists of open maildrops. */
#define MAILDROPS_SHARE 16
#define MAILDROPS_MIN   ((size_t)512 * 1024)
#define MAILDROPS_MAX   ((size_t)64 * 1024 * 1024)

static struct {
    int64_t *locks;
    unsigned lock_count;
} state;

/* ---- Locks -------------------------------------------------------------- */

static unsigned lock_slot(int64_t user_id)
{
    return (unsigned)((uint64_t)user_id * 0x9e3779b97f4a7c15u >> 50);
}

/* The slot of a user, or the free one where it would go. */
static unsigned find_lock(int64_t user_id)
{
    unsigned slot = lock_slot(user_id);

    while (state.locks[slot] != 0 && state.locks[slot] != user_id)
        slot = (slot + 1) % LOCK_SLOTS;
    return slot;
}

static bool take_lock(int64_t user_id)
{
    unsigned slot = find_lock(user_id);

    if (state.locks[slot] != 0 || state.lock_count == LOCKS_MAX)
        return false;
    state.locks[slot] = user_id;
    state.lock_count++;
    return true;
}

static void give_lock(int64_t user_id)
{
    unsigned hole = find_lock(user_id);
    unsigned slot = hole;

    if (state.locks[hole] == 0)
        return;
    state.lock_count--;
    /* What follows in the same run moves up, if it may stand there. */
    for (;;) {
        unsigned home;

        state.locks[hole] = 0;
        do {
            slot = (slot + 1) % LOCK_SLOTS;
            if (state.locks[slot] == 0)
                return;
            home = lock_slot(state.locks[slot]);
        } while ((slot - home) % LOCK_SLOTS < (slot - hole) % LOCK_SLOTS);
        state.locks[hole] = state.locks[slot];
        hole = slot;
    }
}

/* ---- Maildrops ---------------------------------------------------------- */

static void load_maildrop(struct st_request *request, struct store *store)
{
    struct st_maildrop *maildrop = (struct st_maildrop *)request;

    request->result =
        store_maildrop_load(store, maildrop->user_id, &maildrop->drop);
    if (request->result) {
        give_lock(maildrop->user_id);
        maildrop->locked = false;
    }
}

void st_maildrop_open(struct st_maildrop *maildrop)
{
    maildrop->request.work = load_maildrop;
    memset(&maildrop->drop, 0, sizeof maildrop->drop);
    maildrop->locked = false;
    if (st_context.state == ST_READY) {
        maildrop->locked = take_lock(maildrop->user_id);
        if (!maildrop->locked) {
            st_answer(&maildrop->request, ERR_BUSY);
            return;
        }
    }
    st_queue(&st_context.reads, &maildrop->request);
}

void st_maildrop_close(struct st_maildrop *maildrop)
{
    if (!maildrop->locked)
        return;
    maildrop->locked = false;
    give_lock(maildrop->user_id);
    store_maildrop_free(&maildrop->drop);
}

/* A request that will not be worked on, from its queue. */
void st_request_cancelled(struct st_request *request)
{
    if (request->work == load_maildrop)
        st_maildrop_close((struct st_maildrop *)request);
}

/* ---- Reading, deleting, settings ---------------------------------------- */

static void read_message(struct st_request *request, struct store *store)
{
    struct st_read *read = (struct st_read *)request;
    int got = store_message_read(store, read->message_id, read->offset,
                                 read->buffer, read->bytes);

    read->got = got < 0 ? 0 : got;
    request->result = got < 0 ? (enum err)got : OK;
}

void st_read(struct st_read *read)
{
    read->request.work = read_message;
    read->got = 0;
    st_queue(&st_context.reads, &read->request);
}

static void delete_messages(struct st_request *request, struct store *store)
{
    struct st_delete *deletion = (struct st_delete *)request;

    request->result = store_delete(store, deletion->mailbox_id, deletion->uids,
                                   deletion->count);
}

void st_delete(struct st_delete *deletion)
{
    deletion->request.work = delete_messages;
    st_queue(&st_context.writes, &deletion->request);
}

/* Whether the directory holds what the setting says. */
static bool is_of_directory(const char *key)
{
    return strcmp(key, "domains") == 0 || strcmp(key, "tag_separator") == 0 ||
           strncmp(key, "domain:", 7) == 0;
}

static void put_setting(struct st_request *request, struct store *store)
{
    struct st_setting *setting = (struct st_setting *)request;

    request->result = store_setting_put(store, setting->key, setting->value);
    if (!request->result && is_of_directory(setting->key))
        st_context.reload_due = true;
}

static void setting_is_put(struct st_request *request)
{
    struct st_setting *setting = (struct st_setting *)request;

    if (!request->result)
        st_keep_setting(setting->key, setting->value);
}

void st_setting_put(struct st_setting *setting)
{
    setting->request.work = put_setting;
    st_queue(&st_context.writes, &setting->request);
}

uint32_t st_settings_version(void)
{
    return st_context.settings_version;
}

const char *st_setting(const char *key)
{
    for (unsigned i = 0; i < st_context.setting_count; i++) {
        if (strcmp(st_context.settings[i].key, key) == 0)
            return st_context.settings[i].value;
    }
    return "";
}

void st_request_finish(struct st_request *request)
{
    if (request->work == put_setting)
        setting_is_put(request);
}

/* ---- The readers -------------------------------------------------------- */

bool st_reader_wanted(const struct st_worker *worker)
{
    return worker->store && !st_context.gone && !list_empty(&st_context.reads);
}

void st_reader_main(void *argument)
{
    struct st_worker *worker = argument;

    for (;;) {
        struct st_request *request;

        if (!st_reader_wanted(worker)) {
            st_give_way(WORKER_IDLE);
            continue;
        }
        request = LIST_ELEMENT(list_take_first(&st_context.reads),
                               struct st_request, link);
        request->work(request, worker->store);
        st_answer(request, request->result);
    }
}

/* ---- Passwords ---------------------------------------------------------- */

static void verify(struct st_request *request, struct store *store)
{
    struct st_password *password = (struct st_password *)request;

    (void)store;
    request->result =
        password_verify(password->hash, password->password,
                        strnlen(password->password, ST_PASSWORD_BYTES));
}

static void make_hash(struct st_request *request, struct store *store)
{
    struct st_password *password = (struct st_password *)request;
    uint8_t salt[16];

    (void)store;
    random_bytes(salt, sizeof salt);
    request->result = password_hash(
        password->password, strnlen(password->password, ST_PASSWORD_BYTES),
        salt, password->hash);
}

void st_password_verify(struct st_password *password)
{
    password->request.work = verify;
    st_queue(&st_context.passwords, &password->request);
}

void st_password_make(struct st_password *password)
{
    password->request.work = make_hash;
    st_queue(&st_context.passwords, &password->request);
}

bool st_password_wanted(const struct st_worker *worker)
{
    (void)worker;
    return !list_empty(&st_context.passwords);
}

void st_password_main(void *argument)
{
    (void)argument;
    for (;;) {
        struct list *node = list_take_first(&st_context.passwords);
        struct st_request *request;

        if (node == NULL) {
            st_give_way(WORKER_IDLE);
            continue;
        }
        request = LIST_ELEMENT(node, struct st_request, link);
        request->work(request, NULL);
        st_answer(request, request->result);
    }
}

static void between_slices(void)
{
    st_give_way(WORKER_READY);
}

/* Memory for lists of messages. */
static enum err make_maildrops(void)
{
    size_t bytes = memory_left() / MAILDROPS_SHARE;
    void *memory;

    if (bytes < MAILDROPS_MIN)
        bytes = MAILDROPS_MIN;
    if (bytes > MAILDROPS_MAX)
        bytes = MAILDROPS_MAX;
    memory = memory_take("maildrops", bytes, 64);
    if (memory == NULL)
        return ERR_MEMORY;
    store_maildrop_memory(memory, bytes);
    return OK;
}

enum err st_password_init(void)
{
    size_t bytes = (memory_left() >= PLENTY ? PASSWORD_MEMORY_MAX_KIB
                                            : PASSWORD_MEMORY_KIB) *
                   (size_t)1024;
    void *arena = memory_take("passwords", bytes, 64);

    if (!arena)
        return ERR_MEMORY;
    password_module_init(arena, bytes, between_slices);
    return OK;
}

enum err st_request_init(void)
{
    state.lock_count = 0;
    state.locks =
        memory_take("maildrop locks", LOCK_SLOTS * sizeof *state.locks, 64);
    if (!state.locks)
        return ERR_MEMORY;
    return make_maildrops();
}
