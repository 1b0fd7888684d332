/* ST: the task that carries requests to the store.
 *
 * Requests are asynchronous: they are queued, worked off by coroutines (one
 * writer with group commit, some readers, one for passwords), and answered by
 * a callback that MT calls; never from inside the call that made the request.
 * Requests are embedded in the asking task and must stay until answered. */
#ifndef STORE_ST_H
#define STORE_ST_H

#include "core/err.h"
#include "core/list.h"
#include "mailstore/store.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum st_state {
    ST_SEARCHING, /* no stick with a store was found yet */
    ST_OPENING,
    ST_READY,
    ST_GONE,   /* the stick was pulled; waits for the same store */
    ST_FAILED, /* not a store, another version, damaged: see text */
};

/* st_password_init - takes the memory in which passwords are checked. It is a
 * fixed amount, and much: it comes before what is shared out. */
enum err st_password_init(void) MUST_CHECK;

/* st_module_init - makes coroutines and message buffers and starts looking
 * for the store on the disks. buffer_bytes: memory for messages on their way
 * in. Returns OK or ERR_MEMORY. */
enum err st_module_init(size_t buffer_bytes) MUST_CHECK;

enum st_state st_state(void);
/* A sentence about the state for the screen, e.g. "store 8f31... open". */
const char *st_state_text(void);

/* st_run - MT, each turn: moves the coroutines on and calls the callbacks of
 * what is done. Returns true when anything happened. */
bool st_run(void);

/* ---- A request --------------------------------------------------------- */

struct st_request {
    struct list link;
    void (*work)(struct st_request *request, struct store *store);
    void (*done)(struct st_request *request);
    enum err result;
    void *context; /* for the one who asks */
};

/* ---- Message in -------------------------------------------------------- */

struct st_inbound; /* one message on its way in */

/* st_inbound_begin - opens a message. sender is copied; users are taken later.
 * Returns NULL when no buffer is free or the store is not ready (*why: then
 * ERR_MEMORY, ERR_GONE, or ERR_FULL when expected_bytes, 0 if not known, do
 * not fit). resume: called when st_inbound_write() may be tried again. */
struct st_inbound *st_inbound_begin(uint64_t expected_bytes,
                                    void (*resume)(void *context),
                                    void *context, enum err *why);

/* st_inbound_write - appends bytes as they are to be stored.
 * Returns how many were taken; fewer than len when buffers are being emptied
 * onto the stick: resume() follows. A failure is reported by the commit. */
size_t st_inbound_write(struct st_inbound *inbound, const void *data,
                        size_t len);

/* st_inbound_size - bytes written so far. */
uint64_t st_inbound_size(const struct st_inbound *inbound);

/* st_inbound_id - the id that the message has in the store once it is there,
 * for lines of the log (core/log.h) about it: what is logged before
 * st_inbound_commit() gets onto the stick with the message itself, or, under
 * load, right behind it. */
int64_t st_inbound_id(const struct st_inbound *inbound);

/* Who a message is from and for. */
struct st_envelope {
    const char *sender; /* reverse-path without brackets, "" for the null one */
    const int64_t *users; /* ids of local recipients */
    unsigned user_count;
    const struct store_remote *remotes;
    unsigned remote_count;
    const char *envid; /* "" when none */
    enum store_return returning;
    bool smtputf8;
    bool eight_bit;
    int64_t submitter; /* authenticated user; 0: none */
};

/* st_inbound_commit - delivers to the envelope's recipients, which is copied.
 * done(context, result, id): OK means durable; id is the message id. The
 * inbound is gone after this call. */
void st_inbound_commit(struct st_inbound *inbound,
                       const struct st_envelope *envelope,
                       void (*done)(void *context, enum err result,
                                    int64_t message_id),
                       void *context);

/* st_inbound_forget - the asker of a commit has gone: done() is not called.
 * Identified by done's context. The message is delivered nevertheless. */
void st_inbound_forget(void *context);

/* st_inbound_discard - drops the message and its chunks; the inbound is gone.
 */
void st_inbound_discard(struct st_inbound *inbound);

/* ---- Passwords --------------------------------------------------------- */

#define ST_PASSWORD_BYTES 256

/* Who may log in is decided by account/; this is the arithmetic, in slices
 * between which the loop goes round. The asker wipes the password. */
struct st_password {
    struct st_request request; /* also ERR_MEMORY: the hash wants too much */
    char password[ST_PASSWORD_BYTES];
    char hash[USER_HASH_BYTES];
};

/* st_password_verify - whether it fits the hash: OK, ERR_REFUSED, or
 * ERR_INVALID when that is no hash of ours. */
void st_password_verify(struct st_password *password);

/* st_password_make - a hash of the password with a new salt. */
void st_password_make(struct st_password *password);

/* ---- Maildrops --------------------------------------------------------- */

struct st_maildrop {
    struct st_request request; /* ERR_BUSY: locked by another session */
    int64_t user_id;
    struct store_maildrop drop; /* out */
    bool locked;                /* by this one */
};

/* st_maildrop_open - takes the exclusive lock (RFC 1939 section 4) and loads
 * the list. */
void st_maildrop_open(struct st_maildrop *maildrop);

/* st_maildrop_close - gives list and lock back, at once. */
void st_maildrop_close(struct st_maildrop *maildrop);

struct st_read {
    struct st_request request;
    int64_t message_id;
    uint64_t offset;
    void *buffer;
    size_t bytes;
    int got; /* out: bytes read, 0 at the end */
};

/* st_read - reads part of a message. */
void st_read(struct st_read *read);

struct st_delete {
    struct st_request request;
    int64_t mailbox_id;
    const uint32_t *uids;
    size_t count;
};

/* st_delete - durable when done. Goes into the group commit. */
void st_delete(struct st_delete *deletion);

/* ---- Settings ---------------------------------------------------------- */

struct st_setting {
    struct st_request request;
    char key[64];
    char value[1024];
};

/* st_setting_put - changes a setting, durable when done. */
void st_setting_put(struct st_setting *setting);

/* st_settings_version - another number when a setting may have changed. */
uint32_t st_settings_version(void);

/* st_setting - a setting as it was read when the store was opened or put last.
 * Returns "" when there is none. */
const char *st_setting(const char *key);

/* st_defer - answers a request of somebody above without the store: done()
 * comes in this turn, with this result. list_remove() of its link, which the
 * asker has initialised, takes it back. */
void st_defer(struct st_request *request, enum err result);

/* st_cancel - the asker goes away: done() of this request is not called any
 * more. Must not be called for requests that are being worked on; returns
 * false then, and the asker must stay until done(). */
bool st_cancel(struct st_request *request);

/* st_sync_and_close - for power off: finishes what is queued, checkpoints,
 * closes; done when st_state() is ST_GONE. */
void st_close(void);

/* st_trouble - what is wrong with the stick while the store is open, in words
 * that name it: it fails to write or to read, is write-protected, or does not
 * answer. "" when it works. */
const char *st_trouble(void);

struct st_figures {
    uint64_t delivered; /* messages made durable */
    uint64_t commits;   /* transactions of the writer */
    uint64_t queued;    /* requests waiting now */
    size_t buffers, buffers_free;
    size_t stack_bytes, stack_used; /* of the deepest coroutine */
    struct store_figures store;     /* as of the last commit */
};
void st_figures(struct st_figures *figures);

#endif
