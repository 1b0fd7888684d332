/* Pages: as jobs that may wait, and those of the engine in MT; what they ask of
 * their request. */
#include "core/check.h"
#include "core/memory.h"
#include "http/http_internal.h"
#include <string.h>

/* Of the workers, those that may read bodies which are not here yet: slow
 * uploads never take them all. */
#define UPLOADS_MAX (ST_JOBS / 2)
/* Of a long answer, so many blocks may be left when it is gone on with: one is
 * being filled. */
#define BLOCKS_FEW    4u
#define BLOCKS_FEWEST 1u

static struct {
    struct list scratches;
    struct http_scratch *direct; /* MT's own */
    struct list waiting;         /* http_exchange.wait */
    unsigned uploads;
} state;

enum err http_job_init(void)
{
    struct http_scratch *memory =
        memory_take("web jobs", (ST_JOBS + 1) * sizeof(*memory), 64);

    if (memory == NULL)
        return ERR_MEMORY;
    state.uploads = 0;
    list_init(&state.scratches);
    list_init(&state.waiting);
    for (unsigned i = 0; i < ST_JOBS; i++)
        list_append(&state.scratches, &memory[i].link);
    state.direct = &memory[ST_JOBS];
    return OK;
}

/* ---- Fields ---------------------------------------------------------------
 */

/* Decodes the query into fields: it stays as it came for a second time. */
static void take_query(struct http_scratch *scratch)
{
    const struct http_exchange *x = scratch->x;
    const char *at = http_head_text(&x->head, x->head.query);
    char *out = scratch->fields;

    /* A query is shorter than a third of the room, and each pair grows by two
     * bytes at most. */
    while (at && *at) {
        size_t len = strcspn(at, "&");
        size_t name = strcspn(at, "&=");
        int put;

        memcpy(out, at, name);
        put = http_percent_decode(out, name, true);
        if (put > 0) {
            char *value = out + put + 1;
            size_t value_len = len > name ? len - name - 1 : 0;

            memcpy(value, at + len - value_len, value_len);
            put = http_percent_decode(value, value_len, true);
            if (put >= 0)
                out = value + put + 1;
        }
        at += len + (at[len] == '&');
    }
    scratch->query_end = scratch->fields_end = (size_t)(out - scratch->fields);
}

/* One field into fields. Returns false when it does not fit: its begin stands
 * behind fields_end as what was spilled. Of one that is given back as far as it
 * has come, that is there beside the error. */
static bool take_field(struct http_scratch *scratch, const char *name,
                       enum err *err)
{
    char *fields = scratch->fields;
    size_t begin = scratch->fields_end, at = begin + strlen(name) + 1;

    *err = OK;
    if (at + 1 >= HTTP_FIELDS_BYTES) {
        scratch->spill = scratch->spill_end = begin;
        return false;
    }
    memcpy(fields + begin, name, at - begin);
    for (;;) {
        size_t room = HTTP_FIELDS_BYTES - 1 - at;
        int got;

        if (room == 0) {
            scratch->spill = begin + strlen(name) + 1;
            scratch->spill_end = at;
            return false;
        }
        got = http_form_read(&scratch->form, fields + at, room);
        if (got < 0) {
            *err = (enum err)got;
            if (!scratch->x->again)
                return true;
        }
        if (got <= 0)
            break;
        if (memchr(fields + at, '\0', (size_t)got)) {
            *err = ERR_INVALID;
            return true;
        }
        at += (size_t)got;
    }
    fields[at] = '\0';
    scratch->fields_end = at + 1;
    return true;
}

/* Fields up to the next file, or field that does not fit, which then waits to
 * be given out. OK or ERR_NOT_FOUND (all read), or an error. */
static enum err take_fields(struct http_scratch *scratch)
{
    enum err err;

    do {
        err = http_form_next(&scratch->form, &scratch->part);
        if (err)
            return err;
        scratch->spill = scratch->spill_end = 0;
        if (scratch->part.file_name[0] ||
            !take_field(scratch, scratch->part.name, &err)) {
            scratch->part_waits = true;
            return OK;
        }
    } while (!err);
    return err;
}

static const char *find_param(const char *fields, size_t begin, size_t end,
                              const char *name, size_t *place)
{
    while (begin < end) {
        const char *value = fields + begin + strlen(fields + begin) + 1;
        bool same = strcmp(fields + begin, name) == 0;

        begin = (size_t)(value - fields) + strlen(value) + 1;
        if (same) {
            *place = begin;
            return value;
        }
    }
    *place = end;
    return NULL;
}

const char *http_param_next(const struct http_exchange *x, const char *name,
                            size_t *place)
{
    const struct http_scratch *scratch = x->scratch;
    const char *value;

    if (!scratch)
        return NULL;
    /* First those of the form, which stand behind those of the query; places of
     * the latter count on from fields_end. */
    if (*place < scratch->fields_end) {
        size_t begin = *place ? *place : scratch->query_end;

        value = find_param(scratch->fields, begin, scratch->fields_end, name,
                           place);
        if (value)
            return value;
        *place = scratch->fields_end;
    }
    *place -= scratch->fields_end;
    value =
        find_param(scratch->fields, *place, scratch->query_end, name, place);
    *place += scratch->fields_end;
    return value;
}

const char *http_param(const struct http_exchange *x, const char *name)
{
    size_t place = 0;

    return http_param_next(x, name, &place);
}

const char *http_param_or(const struct http_exchange *x, const char *name,
                          const char *otherwise)
{
    const char *value = http_param(x, name);

    return value ? value : otherwise;
}

const char *http_typed(const struct http_exchange *x, const char *name,
                       const char *otherwise)
{
    return http_is_post(x) ? http_param_or(x, name, otherwise) : otherwise;
}

static bool read_number(const char *text, int64_t *number)
{
    bool negative = *text == '-';
    uint64_t value;

    if (!text_number(text + negative, strlen(text + negative), &value) ||
        value > INT64_MAX)
        return false;
    *number = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

int64_t http_param_number(const struct http_exchange *x, const char *name,
                          int64_t otherwise)
{
    const char *text = http_param(x, name);
    int64_t number;

    return text != NULL && read_number(text, &number) ? number : otherwise;
}

bool http_path_number(const struct http_exchange *x, int64_t *number)
{
    return read_number(http_path_rest(x), number);
}

enum err http_part_next(struct http_exchange *x, struct http_part *part)
{
    struct http_scratch *scratch = x->scratch;
    enum err err = OK;

    if (!scratch->part_waits)
        err = take_fields(scratch);
    if (err)
        return err;
    scratch->part_waits = false;
    *part = scratch->part;
    return OK;
}

int http_part_read(struct http_exchange *x, void *buffer, size_t bytes)
{
    struct http_scratch *scratch = x->scratch;
    size_t spilled = scratch->spill_end - scratch->spill;

    if (spilled > 0) {
        if (spilled > bytes)
            spilled = bytes;
        memcpy(buffer, scratch->fields + scratch->spill, spilled);
        scratch->spill += spilled;
        return (int)spilled;
    }
    return http_form_read(&scratch->form, buffer, bytes);
}

/* ---- Before and after the page --------------------------------------------
 */

static enum err begin_form(struct http_exchange *x,
                           struct http_scratch *scratch)
{
    enum err err;

    http_body_source(scratch);
    err = http_form_begin(&scratch->form, &scratch->source,
                          http_head_field(&x->head, FIELD_CONTENT_TYPE));
    return err ? err : take_fields(scratch);
}

/* The form, and its proof that it is ours. True: the page may run. */
static bool prepare_post(struct http_exchange *x, struct http_scratch *scratch)
{
    const char *token = http_head_field(&x->head, FIELD_CSRF_TOKEN);
    enum err err = begin_form(x, scratch);

    if (err && err != ERR_NOT_FOUND) {
        http_fail(x, err);
        return false;
    }
    if (!token)
        token = http_param(x, "csrf");
    if (x->route->access != HTTP_PUBLIC && !http_csrf_right(x, token)) {
        http_count()->forged++;
        http_again_page(x, err);
        return false;
    }
    return true;
}

static void begin_scratch(struct http_exchange *x, struct http_scratch *scratch)
{
    scratch->x = x;
    scratch->part_waits = false;
    scratch->spill = scratch->spill_end = 0;
    memset(&scratch->form, 0, sizeof(scratch->form));
    x->scratch = scratch;
    take_query(scratch);
}

static void end_scratch(struct http_exchange *x)
{
    bytes_wipe(x->scratch->fields, x->scratch->fields_end);
    x->scratch = NULL;
}

static void run(struct st_job *job, struct store *store)
{
    struct http_exchange *x = job->context;
    struct http_scratch *scratch = LIST_ELEMENT(
        list_take_first(&state.scratches), struct http_scratch, link);
    bool first = !x->started;

    x->started = true;
    x->continues = false;
    begin_scratch(x, scratch);
    if (!first || !http_is_post(x) || prepare_post(x, scratch))
        x->page(x, store);
    end_scratch(x);
    list_append(&state.scratches, &scratch->link);
}

static void start_job(struct http_exchange *x)
{
    x->job_runs = true;
    st_job_start(&x->job);
}

static void done(struct st_job *job, enum err result)
{
    struct http_exchange *x = job->context;

    x->job_runs = false;
    if (result && x->session)
        http_fail(x, result);
    if (x->session && x->continues && !x->failed && !result) {
        http_out_push(x);
        http_job_room(x);
        return;
    }
    http_exchange_finish(x);
}

void http_job_start(struct http_exchange *x)
{
    if (!x->body_done && !x->uploads) {
        if (state.uploads == UPLOADS_MAX) {
            list_append(&state.waiting, &x->wait);
            return;
        }
        state.uploads++;
        x->uploads = true;
    }
    x->state = X_PAGE;
    x->page = x->route->page;
    memset(&x->job, 0, sizeof(x->job));
    x->job.run = run;
    x->job.done = done;
    x->job.context = x;
    start_job(x);
}

void http_job_end_upload(struct http_exchange *x)
{
    list_remove(&x->wait);
    if (!x->uploads)
        return;
    x->uploads = false;
    state.uploads--;
    if (!list_empty(&state.waiting)) {
        struct http_exchange *next = LIST_ELEMENT(
            list_take_first(&state.waiting), struct http_exchange, wait);

        http_job_start(next);
    }
}

void http_job_direct(struct http_exchange *x)
{
    /* It waits for nothing: a form that is not here whole is too big. */
    if (!x->body_done) {
        http_exchange_refuse(x, 413, "That is more than this page takes.");
        return;
    }
    begin_scratch(x, state.direct);
    if (!http_is_post(x) || prepare_post(x, state.direct))
        http_login_page(x);
    end_scratch(x);
    if (x->state != X_PENDING)
        http_exchange_finish(x);
}

void http_job_again(struct http_exchange *x)
{
    enum err err;

    x->close_after |= !x->body_done;
    begin_scratch(x, state.direct);
    err = begin_form(x, state.direct);
    if (err == ERR_UNSUPPORTED || !http_out_plenty())
        http_error(x, 403, "You are not logged in (any more).");
    else
        http_again_page(x, err);
    end_scratch(x);
    http_exchange_finish(x);
}

void http_job_room(struct http_exchange *x)
{
    /* Many long answers at once wait for their clients with little each. */
    unsigned few = http_out_plenty() ? BLOCKS_FEW : BLOCKS_FEWEST;

    if (x->job_runs)
        st_job_wake(&x->job);
    else if (x->continues && x->blocks <= few)
        start_job(x);
}

bool http_job_leave(struct http_exchange *x)
{
    x->continues = false;
    if (!x->job_runs)
        return true;
    if (!st_job_cancel(&x->job))
        return false;
    x->job_runs = false;
    return true;
}

void http_continue(struct http_exchange *x,
                   void (*more)(struct http_exchange *x, struct store *store),
                   const void *context, size_t bytes)
{
    ASSERT(bytes <= HTTP_STATE_BYTES);
    if (context != x->kept)
        memmove(x->kept, context, bytes);
    x->page = more;
    x->continues = true;
}

void *http_state(struct http_exchange *x)
{
    return x->kept;
}

/* ---- What a page asks -----------------------------------------------------
 */

struct st_job *http_job(struct http_exchange *x)
{
    return &x->job;
}

bool http_gone(const struct http_exchange *x)
{
    return x->session == NULL || (x->job_runs && st_job_cancelled(&x->job));
}

bool http_is_post(const struct http_exchange *x)
{
    return x->head.method == METHOD_POST;
}

const char *http_path(const struct http_exchange *x)
{
    return x->head.bytes + x->head.path;
}

const char *http_path_rest(const struct http_exchange *x)
{
    return x->head.bytes + x->rest;
}

const char *http_request_header(const struct http_exchange *x, const char *name)
{
    return http_head_find(&x->head, name);
}

void http_peer(const struct http_exchange *x, struct net_address *address)
{
    memset(address, 0, sizeof(*address));
    if (x->session)
        *address = x->session->peer;
}

const struct http_user *http_user(const struct http_exchange *x)
{
    return x->logged_in ? &x->user : NULL;
}

const char *http_csrf(const struct http_exchange *x)
{
    return x->csrf;
}
