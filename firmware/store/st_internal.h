/* ST's own picture of itself, for the files of this folder.
 *
 *   MT: st_inbound_..., st_read ... -> queues --> workers --> done list ->
 * done()
 *
 * A worker is a coroutine with a connection of its own: one writer, some
 * readers; the password worker has none. A worker gives way only while the
 * stick works (st_media.c), between slices of a password, and when it has
 * nothing to do; MT never sees it in the middle of anything else. */
#ifndef STORE_ST_INTERNAL_H
#define STORE_ST_INTERNAL_H

#include "core/coroutine.h"
#include "core/machine.h"
#include "core/timer.h"
#include "store/st.h"
#include "store/st_job.h"
#include "store/st_user.h"

#define ST_READERS        3
#define ST_WORKERS        (ST_READERS + 2)
#define ST_SETTINGS       96
#define ST_BATCH_REQUESTS 256
#define ST_BLOCK_BYTES    4096
#define ST_BLOCK_DATA     (ST_BLOCK_BYTES - sizeof(void *))
#define ST_STORE_ID_BYTES 24

enum st_worker_state {
    WORKER_IDLE, /* gave way for want of work */
    WORKER_DISK, /* waits for the stick */
    WORKER_WAIT, /* a page job waits for the outside */
    WORKER_READY /* gave way, goes on in the next turn */
};

struct st_worker {
    struct coroutine coroutine; /* must be first */
    enum st_worker_state state;
    struct store *store;
    struct machine_disk_request disk;
    uint64_t disk_since_ms; /* when that was submitted */
    struct st_job *job;     /* of a worker for page jobs, while one runs */
    /* Whether it has something to do; asked while it is idle. */
    bool (*wanted)(const struct st_worker *worker);
};

struct st_setting_row {
    char key[64];
    char value[1024];
};

struct st_block {
    struct st_block *next;
    uint8_t data[ST_BLOCK_DATA];
};

struct st_context {
    enum st_state state;
    char text[160];
    struct st_worker workers[ST_WORKERS]; /* writer, readers, passwords */
    struct st_worker job_workers[ST_JOBS];

    struct list writes, reads, passwords; /* st_request.link */
    struct list jobs, jobs_done;          /* st_job.link */
    struct list done;                     /* worked off, done() still to call */

    /* The stick. */
    struct media media;
    struct store_place place; /* of mail.db, while it is open */
    unsigned disk;
    uint32_t generation;
    bool gone;    /* nothing reaches the stick any more */
    bool closing; /* st_close() */
    bool closed;
    bool search_due, checkpoint_due;
    bool reload_due; /* the directory, after what the writer changed */
    char stick[32];  /* its name */
    uint32_t tried[MACHINE_DISKS]; /* generation, 0: not yet */
    char store_id[ST_STORE_ID_BYTES];
    /* Of the store that stands on the boot command line, "" when none does. */
    char wanted_id[ST_STORE_ID_BYTES];
    unsigned users_mb; /* what a PC needs for users who are too many for this
                          one; 0: they are not, or for all */
    struct timer search_timer, idle_timer;

    uint64_t room; /* of the store, as of the last commit */
    struct st_figures figures;
    size_t stack_pages; /* of the deepest stack that was seen */

    uint8_t *directory_memory[2];
    size_t directory_bytes;
    unsigned directory_used;
    struct st_setting_row *settings;
    unsigned setting_count;
    uint32_t settings_version;
};

extern struct st_context st_context;

#define ST_WRITER   (&st_context.workers[0])
#define ST_READER   (&st_context.workers[1])
#define ST_PASSWORD (&st_context.workers[ST_WORKERS - 1])
#define ST_JOBBER   (&st_context.job_workers[0])

/* st.c */
/* st_queue - appends a request to a queue; when the store is not there it is
 * answered with ERR_GONE instead. */
void st_queue(struct list *queue, struct st_request *request);
/* st_answer - the request is done with this result; done() comes from MT. */
void st_answer(struct st_request *request, enum err result);
/* st_fail_queue - answers everything that waits in a queue. */
void st_fail_queue(struct list *queue, enum err result);
void st_give_way(enum st_worker_state state);
/* Whether a reader or a page job is at something. */
bool st_readers_busy(void);
/* st_run_worker - one turn of a worker, if it has something to do: true. */
bool st_run_worker(struct st_worker *worker);
/* st_lose - when the stick is gone, nobody waits for it any longer. */
void st_lose(void);

/* st_media.c */
void st_media_init(void);
/* st_media_lost - whether the stick that was chosen is not there any more. */
bool st_media_lost(void);

/* st_media_watch - MT, each turn: notices that the stick does not answer.
 * st_media_opened - another stick, or the same one anew: it has done no wrong.
 */
void st_media_watch(void);
void st_media_opened(void);

/* st_open.c */
/* st_want_store - at start: reads store=ID off the command line. */
void st_want_store(const char *command_line);
/* The others: all in the writer's coroutine. */
void st_search(void);
void st_leave_store(void);
void st_shut_store(void);
/* st_stage_directory - reads users, aliases and domains into memory, beside
 * those that are asked. st_publish_directory - after it: they are asked from
 * now on, or forgotten. */
enum err st_stage_directory(void) MUST_CHECK;
void st_publish_directory(bool keep);
void st_say(enum st_state state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void st_keep_setting(const char *key, const char *value);

/* st_writer.c */
void st_writer_main(void *argument);
bool st_writer_wanted(const struct st_worker *worker);

/* st_inbound.c */
enum err st_inbound_init(size_t bytes) MUST_CHECK;
bool st_inbound_run(void);
void st_inbound_lose(void);
/* st_inbound_active - whether any message is on its way in. */
bool st_inbound_active(void);
void st_inbound_figures(struct st_figures *figures);

/* st_log.c */
enum err st_log_init(void) MUST_CHECK;
/* st_log_waits - whether lines wait in memory. st_log_due - whether they have
 * waited so long that they get a transaction of their own. */
bool st_log_waits(void);
bool st_log_due(void);
/* The writer: st_log_drain - puts what waits into the open transaction;
 * st_log_committed - it has become durable; st_log_postpone - it was rolled
 * back, and goes with a later one; st_log_give_up - what waits cannot be
 * stored. */
enum err st_log_drain(struct store *store) MUST_CHECK;
void st_log_committed(void);
void st_log_postpone(void);
void st_log_give_up(void);

/* st_user.c */
enum err st_user_init(size_t directory_bytes) MUST_CHECK;
/* st_user_opened - a store was opened: nothing is known. st_user_go_on -
 * counts whoever is not counted yet: once it is ready, and for new users. */
void st_user_opened(struct store *store);
void st_user_go_on(void);
/* Logins that wait, as with the log; st_user_end - the transaction is over. */
bool st_user_waits(void);
bool st_user_due(void);
enum err st_user_drain(struct store *store) MUST_CHECK;
void st_user_end(bool durable);
void st_user_give_up(void);

/* st_sql.c: st_sql_lose - those that run end, connections are closed.
 * st_sql_connected - there is one still. */
enum err st_sql_init(void) MUST_CHECK;
void st_sql_lose(void);
bool st_sql_connected(void);
/* st_query.c: st_sql_prepare - finds data.db, and makes the databases that are
 * missing; in the writer's coroutine, when the store is open. */
enum err st_sql_prepare(void) MUST_CHECK;

/* st_request.c */
enum err st_request_init(void) MUST_CHECK;
void st_reader_main(void *argument);
bool st_reader_wanted(const struct st_worker *worker);
void st_password_main(void *argument);
bool st_password_wanted(const struct st_worker *worker);
/* What MT has to do itself: for a request that was taken out of its queue,
 * resp. before done() of one that was worked off. */
void st_request_cancelled(struct st_request *request);
void st_request_finish(struct st_request *request);

/* st_index.c */
void st_index_init(void);
/* st_index_note_commit - something may be new to the index. */
void st_index_note_commit(void);

/* st_job.c */
void st_job_main(void *argument);
bool st_job_wanted(const struct st_worker *worker);
/* st_job_run - MT: one job goes on, in turn. st_job_lose - the stick is gone,
 * or the store closes: all jobs end. */
bool st_job_run(void);
void st_job_lose(void);

/* st_queue.c */
/* st_queue_note_change - something in the queue may be due. st_queue_note_act -
 * an administrator has had his way with a row. */
void st_queue_note_change(void);
void st_queue_note_act(void);
/* st_queue_run - MT: tells it on. Returns true when there was something. */
bool st_queue_run(void);

#endif
