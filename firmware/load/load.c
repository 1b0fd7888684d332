/* Loading files: see load.h. The file comes into memory whole, since nothing of
 * it may be used before all of it is right; then a page job uses it. A program
 * is another matter: load_program.c. */
#include "load/load_internal.h"
#include "account/account_change.h"
#include "core/bytes.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "mailstore/store_file.h"
#include "net/tftp.h"
#include "store/st_job.h"
#include "store/st_user.h"
#include "userdb/directory.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of the memory, for one file. */
#define MEMORY_SHARE 64
#define MEMORY_MIN   ((size_t)256 * 1024)
#define MEMORY_MAX   ((size_t)16 * 1024 * 1024)
/* At the start: how often it is looked whether there is a way to the server. */
#define START_TRY_MS 2000
#define START_TRIES  150

static struct {
    char *bytes;
    size_t room, len;
    bool busy;
    struct tftp tftp;
    char path[TFTP_NAME_MAX + 1];
    char text[200];
    struct st_job job;
    /* Users. */
    struct account_change change;
    bool changed;
    unsigned added, altered;
    char wrong[256];
    /* A shared file. */
    struct store_file file;
    uint32_t part;
    /* At the start. */
    struct timer timer;
    unsigned tries;
    size_t place; /* in the setting */
} state;

#define say load_say

void load_say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(state.text, sizeof(state.text), format, args);
    va_end(args);
}

static const char *base_name(void)
{
    const char *slash = strrchr(state.path, '/');

    return slash ? slash + 1 : state.path;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* ---- Users: checking ------------------------------------------------------
 */

struct words {
    const char *at;
    char word[USER_ADDRESS_BYTES];
};

static bool next_word(struct words *words)
{
    size_t len = strcspn(words->at, " ");

    if (len == 0 || len >= sizeof(words->word))
        return false;
    memcpy(words->word, words->at, len);
    words->word[len] = '\0';
    words->at += len + (words->at[len] == ' ');
    return true;
}

/* The names of the file's users, each with its NUL, stand behind the file. */
struct checking {
    unsigned count;
    size_t end; /* of the names, in state.bytes */
};

static bool is_listed(const struct checking *checking, const char *name)
{
    const char *at = state.bytes + state.len;

    while (at < state.bytes + checking->end && strcasecmp(at, name) != 0)
        at += strlen(at) + 1;
    return at < state.bytes + checking->end;
}

static enum err note_user(void *context, const struct csv_user *entry)
{
    struct checking *checking = context;
    size_t bytes = strlen(entry->user.name) + 1;

    if (is_listed(checking, entry->user.name)) {
        (void)snprintf(state.wrong, sizeof(state.wrong),
                       "line %u: the user %.100s stands there twice",
                       entry->line, entry->user.name);
        return ERR_EXISTS;
    }
    if (bytes > state.room - checking->end)
        return ERR_TOO_BIG;
    memcpy(state.bytes + checking->end, entry->user.name, bytes);
    checking->end += bytes;
    checking->count++;
    /* A long list is gone through for each of them. */
    st_job_pause();
    return OK;
}

static enum err check_aliases(void *context, const struct csv_user *entry)
{
    const struct checking *checking = context;
    struct words words = {.at = entry->aliases};
    const char *name = entry->user.name;

    /* He would get no mail: it goes where the alias says. */
    if (!directory_find_user(name, strlen(name)) && directory_has_alias(name)) {
        (void)snprintf(state.wrong, sizeof(state.wrong),
                       "line %u: the user %.100s is an alias already",
                       entry->line, name);
        return ERR_EXISTS;
    }
    while (next_word(&words)) {
        const struct user *other =
            directory_find_user(words.word, strlen(words.word));
        bool own = strcasecmp(words.word, name) == 0 ||
                   (other && strcasecmp(other->name, name) == 0);

        if (own || (!other && !is_listed(checking, words.word)))
            continue;
        (void)snprintf(state.wrong, sizeof(state.wrong),
                       "line %u: the alias %.100s is a user", entry->line,
                       words.word);
        return ERR_EXISTS;
    }
    st_job_pause();
    return OK;
}

static enum err check_users(char *message, size_t bytes)
{
    struct checking checking = {.end = state.len};
    enum err err = csv_parse_users(state.bytes, state.len, note_user, &checking,
                                   message, bytes);

    if (!err && checking.count == 0) {
        (void)snprintf(state.wrong, sizeof(state.wrong),
                       "there is no user in it");
        return ERR_INVALID;
    }
    return err ? err
               : csv_parse_users(state.bytes, state.len, check_aliases,
                                 &checking, message, bytes);
}

/* ---- Users: into the store ------------------------------------------------
 */

static void on_changed(struct account_change *change)
{
    (void)change;
    state.changed = true;
    st_job_wake(&state.job);
}

/* The change is made also when the job is not wanted any more. */
static void wait_for_change(void)
{
    while (!state.changed) {
        if (st_job_cancelled(&state.job))
            st_job_pause();
        else
            st_job_wait(&state.job);
    }
}

/* Of a user who is there already: what the file does not speak of stays. */
static uint8_t fields_of(const struct csv_user *entry)
{
    return (uint8_t)(STORE_USER_PASSWORD |
                     (entry->has_name ? STORE_USER_FULL_NAME : 0) |
                     (entry->has_quota ? STORE_USER_QUOTA : 0) |
                     (entry->has_admin ? STORE_USER_ADMIN : 0));
}

static enum err put_user(const struct csv_user *entry, int64_t *id)
{
    const struct user *old =
        directory_find_user(entry->user.name, strlen(entry->user.name));
    struct account_change *change = &state.change;

    memset(change, 0, sizeof(*change));
    change->user = entry->user;
    memcpy(change->password, entry->password, sizeof(change->password));
    change->user.enabled = true;
    change->fields = fields_of(entry);
    if (old) {
        change->user.id = old->id;
        memcpy(change->user.name, old->name, sizeof(old->name));
    }
    change->done = on_changed;
    state.changed = false;
    account_change(change);
    wait_for_change();
    *id = change->user.id;
    return change->result;
}

struct aliases {
    const struct csv_user *entry;
    int64_t id;
};

/* address NULL: the user. */
static enum err put_alias(struct store *store, const char *alias,
                          const char *address, int64_t id)
{
    enum err err = address ? store_forward_add(store, alias, address)
                           : store_alias_add(store, alias, id);

    return err == ERR_EXISTS ? OK : err;
}

/* All of a user in one commit: the directory is read again for each. */
static enum err put_aliases(void *context, struct store *store)
{
    const struct aliases *aliases = context;
    const struct csv_user *entry = aliases->entry;
    struct words words = {.at = entry->aliases};
    enum err err = OK;

    while (!err && next_word(&words))
        err = put_alias(store, words.word, NULL, aliases->id);
    words.at = entry->forward;
    while (!err && next_word(&words))
        err = put_alias(store, entry->user.name, words.word, aliases->id);
    if (!err && entry->forward[0] && !entry->forward_only)
        err = put_alias(store, entry->user.name, NULL, aliases->id);
    st_directory_changed();
    return err;
}

static enum err add_aliases(const struct csv_user *entry, int64_t id)
{
    struct aliases aliases = {entry, id};

    if (!entry->aliases[0] && !entry->forward[0])
        return OK;
    return st_job_write(put_aliases, &aliases);
}

static enum err use_user(void *context, const struct csv_user *entry)
{
    bool old =
        directory_find_user(entry->user.name, strlen(entry->user.name)) != NULL;
    int64_t id;
    enum err err = put_user(entry, &id);

    (void)context;
    if (!err)
        err = add_aliases(entry, id);
    if (err)
        (void)snprintf(state.wrong, sizeof(state.wrong), "line %u: user %s: %s",
                       entry->line, entry->user.name, err_text(err));
    else if (old)
        state.altered++;
    else
        state.added++;
    say("%.100s: %u users added, %u changed so far", base_name(), state.added,
        state.altered);
    return err;
}

static void use_users(void)
{
    char message[160];
    enum err err;

    state.wrong[0] = '\0';
    state.added = state.altered = 0;
    err = check_users(message, sizeof(message));
    if (err) {
        say("%.60s: %.120s: nothing was changed", base_name(),
            state.wrong[0] ? state.wrong : message);
        return;
    }
    err = csv_parse_users(state.bytes, state.len, use_user, NULL, message,
                          sizeof(message));
    if (err)
        say("%.60s: %.100s (%u added, %u changed before)", base_name(),
            state.wrong[0] ? state.wrong : message, state.added, state.altered);
    else
        say("%.60s: %u users added, %u changed", base_name(), state.added,
            state.altered);
}

/* ---- Shared files ---------------------------------------------------------
 */

static enum err begin_file(void *context, struct store *store)
{
    (void)context;
    return store_file_begin(store, &state.file);
}

static enum err put_part(void *context, struct store *store)
{
    size_t at = (size_t)state.part * STORE_FILE_PART_BYTES;
    size_t len = state.len - at;

    (void)context;
    return store_file_put_part(
        store, state.file.id, state.part, state.bytes + at,
        len < STORE_FILE_PART_BYTES ? len : STORE_FILE_PART_BYTES);
}

static enum err finish_file(void *context, struct store *store)
{
    (void)context;
    return store_file_finish(store, state.file.id, state.len,
                             machine_wall_clock_ms());
}

static bool is_white(char c)
{
    return c == '\n' || c == '\r' || c == '\t';
}

/* A script is text; what it says is for the one who runs it. */
static bool is_text(void)
{
    size_t at = 0;

    while (at < state.len) {
        size_t len = 0;

        while (at + len < state.len && !is_white(state.bytes[at + len]))
            len++;
        if (!user_text_valid(state.bytes + at, len))
            return false;
        at += len + 1;
    }
    return true;
}

static void use_file(void)
{
    bool script = ends_with(base_name(), ".sql");
    enum err err = script && !is_text() ? ERR_INVALID : OK;

    memset(&state.file, 0, sizeof(state.file));
    (void)snprintf(state.file.name, sizeof(state.file.name), "%s", base_name());
    (void)snprintf(state.file.type, sizeof(state.file.type), "%s",
                   script ? "application/sql" : "application/octet-stream");
    if (!err)
        err = st_job_write(begin_file, NULL);
    for (state.part = 0;
         !err && (size_t)state.part * STORE_FILE_PART_BYTES < state.len;
         state.part++)
        err = st_job_write(put_part, NULL);
    if (!err)
        err = st_job_write(finish_file, NULL);
    if (err)
        say("%.100s cannot be kept: %s", base_name(),
            script && err == ERR_INVALID ? "it is no text" : err_text(err));
    else
        say("%.100s: %zu bytes, kept among the shared files", base_name(),
            state.len);
}

/* ---- The way in -----------------------------------------------------------
 */

static void run(struct st_job *job, struct store *store)
{
    (void)job;
    (void)store;
    if (ends_with(base_name(), ".csv"))
        use_users();
    else
        use_file();
}

void load_end(void)
{
    bytes_wipe(state.bytes, state.len);
    state.busy = false;
    log_info("load", "%s", state.text);
}

static void used(struct st_job *job, enum err result)
{
    (void)job;
    if (result)
        say("%.100s was fetched, but the store is not there", base_name());
    load_end();
}

void load_say_not_fetched(const struct tftp *tftp, enum err result)
{
    say("%.100s was not fetched: %s%s%s", state.path, err_text(result),
        tftp->message[0] ? ": " : "", tftp->message);
}

static enum err take(struct tftp *tftp, const uint8_t *data, size_t len)
{
    if (tftp->total > state.room || len > state.room - state.len)
        return ERR_TOO_BIG;
    memcpy(state.bytes + state.len, data, len);
    state.len += len;
    return OK;
}

static void fetched(struct tftp *tftp, enum err result)
{
    if (result) {
        load_say_not_fetched(tftp, result);
        load_end();
        return;
    }
    say("%.100s was fetched", base_name());
    memset(&state.job, 0, sizeof(state.job));
    state.job.run = run;
    state.job.done = used;
    st_job_start(&state.job);
}

static bool is_program(const char *file)
{
    return ends_with(file, ".update");
}

enum err load_begin(const struct net_address *server, const char *file)
{
    bool program = is_program(file);
    enum err err;

    if (state.busy)
        return ERR_BUSY;
    if (strlen(file) >= sizeof(state.path))
        return ERR_INVALID;
    (void)snprintf(state.path, sizeof(state.path), "%s", file);
    if (!store_file_name_valid(base_name()))
        return ERR_INVALID;
    memset(&state.tftp, 0, sizeof(state.tftp));
    state.tftp.server.address = *server;
    state.tftp.file = state.path;
    state.tftp.take = program ? load_program_take : take;
    state.tftp.done = program ? load_program_fetched : fetched;
    state.len = 0;
    err = tftp_begin(&state.tftp);
    state.busy = err == OK;
    if (!err)
        say("fetching %.100s", state.path);
    if (!err && program)
        load_program_begin(&state.tftp, base_name(), state.bytes, state.room);
    return err;
}

enum err load_install(bool back)
{
    if (state.busy)
        return ERR_BUSY;
    state.busy = true;
    state.len = 0;
    load_program_install(back, state.bytes, state.room);
    return OK;
}

/* ---- At the start ---------------------------------------------------------
 */

/* The next word of the setting: an address and a file. Returns false at its
 * end, or where one is malformed. */
static bool next_load(struct net_address *server, char *file, size_t *len)
{
    const char *setting = st_setting("load_at_start");
    char address[NET_ADDRESS_TEXT];
    const char *at = setting + state.place;
    const char *slash;

    at += strspn(at, " ");
    *len = strcspn(at, " ");
    slash = memchr(at, '/', *len);
    if (!slash || (size_t)(slash - at) >= sizeof(address) ||
        *len > TFTP_NAME_MAX)
        return false;
    memcpy(address, at, (size_t)(slash - at));
    address[slash - at] = '\0';
    memcpy(file, slash + 1, *len - (size_t)(slash + 1 - at));
    file[*len - (size_t)(slash + 1 - at)] = '\0';
    *len += (size_t)(at - setting) - state.place;
    return net_address_parse(address, server) == OK;
}

static void try_load(struct timer *timer)
{
    struct net_address server;
    char file[TFTP_NAME_MAX + 1];
    size_t len;
    enum err err = ERR_BUSY;

    if (state.place > strlen(st_setting("load_at_start")) ||
        !next_load(&server, file, &len))
        return;
    if (is_program(file))
        err = ERR_REFUSED; /* that wants somebody at the console */
    else if (!state.busy)
        err = load_begin(&server, file);
    if (err != ERR_BUSY &&
        (err != ERR_NOT_FOUND || ++state.tries > START_TRIES)) {
        state.place += len;
        state.tries = 0;
        if (err)
            log_warn("load", "%s: %s", file, err_text(err));
    }
    timer_start(timer, START_TRY_MS);
}

void load_at_start(void)
{
    state.place = 0;
    state.tries = 0;
    timer_init(&state.timer, try_load);
    timer_start(&state.timer, 0);
}

bool load_busy(void)
{
    return state.busy;
}

const char *load_text(void)
{
    return state.text;
}

enum err load_init(void)
{
    size_t bytes = memory_left() / MEMORY_SHARE;

    memset(&state, 0, sizeof(state));
    state.room = bytes < MEMORY_MIN   ? MEMORY_MIN
                 : bytes > MEMORY_MAX ? MEMORY_MAX
                                      : bytes;
    state.bytes = memory_take("loading", state.room, 64);
    return state.bytes ? OK : ERR_MEMORY;
}
