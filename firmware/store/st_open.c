/* Finding the store on the sticks, opening it, and leaving it.
 *
 * Runs in the writer's coroutine. Which store is this AO's stands on its
 * command line (store=ID): mkusb writes it there, so that of several sticks the
 * one that the PC was booted from is taken. Without it the first stick with a
 * store is taken. From then on, until the AO is started anew, only a store with
 * the same id is. It is recognised without changing anything on it. */
#include "st_internal.h"
#include "core/log.h"
#include "core/machine.h"
#include "userdb/directory.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Pages of the cache that a page job's connection may hold: one part in so
 * many. */
#define JOB_CACHE_PART 16

#define STORE_ID_DIGITS 16

void st_say(enum st_state state, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(st_context.text, sizeof st_context.text, format, args);
    va_end(args);
    if (state != st_context.state)
        log_info("st", "%s", st_context.text);
    st_context.state = state;
}

/* ---- What is kept in memory --------------------------------------------- */

void st_keep_setting(const char *key, const char *value)
{
    struct st_setting_row *row = st_context.settings;

    if (strlen(key) >= sizeof row->key || strlen(value) >= sizeof row->value)
        return;
    st_context.settings_version++;
    for (unsigned i = 0; i < st_context.setting_count; i++, row++) {
        if (strcmp(row->key, key) == 0) {
            (void)snprintf(row->value, sizeof row->value, "%s", value);
            return;
        }
    }
    if (st_context.setting_count == ST_SETTINGS)
        return;
    (void)snprintf(row->key, sizeof row->key, "%s", key);
    (void)snprintf(row->value, sizeof row->value, "%s", value);
    st_context.setting_count++;
}

static enum err keep_setting(void *context, const char *key, const char *value)
{
    const bool *of_domains = context;

    if ((strncmp(key, "domain:", 7) == 0) == *of_domains)
        st_keep_setting(key, value);
    return OK;
}

/* First what there is one of, then what is set of each domain: of that there
 * may be more than room for it. */
static enum err keep_settings(struct store *store)
{
    bool of_domains = false;
    enum err err = store_list_settings(store, keep_setting, &of_domains);

    of_domains = true;
    return err ? err : store_list_settings(store, keep_setting, &of_domains);
}

enum err st_stage_directory(void)
{
    unsigned other = 1 - st_context.directory_used;
    enum err err;

    directory_stage(st_context.directory_memory[other],
                    st_context.directory_bytes);
    err = store_load_directory(ST_WRITER->store);
    if (err)
        directory_publish(false);
    return err;
}

void st_publish_directory(bool keep)
{
    directory_publish(keep);
    if (keep)
        st_context.directory_used = 1 - st_context.directory_used;
}

/* ---- Opening ------------------------------------------------------------ */

void st_want_store(const char *command_line)
{
    static const char key[] = "store=";
    const char *at = strstr(command_line, key);
    size_t len;

    st_context.wanted_id[0] = '\0';
    if (at == NULL)
        return;
    at += sizeof key - 1;
    len = strspn(at, "0123456789abcdef");
    if (len == STORE_ID_DIGITS && (at[len] == ' ' || at[len] == '\0'))
        (void)snprintf(st_context.wanted_id, sizeof st_context.wanted_id,
                       "%.*s", (int)len, at);
}

static const char *known_id(void)
{
    return st_context.store_id[0] ? st_context.store_id : st_context.wanted_id;
}

/* Whether the store at this place is one that may be taken. */
static enum err check_identity(const struct store_place *place)
{
    char id[ST_STORE_ID_BYTES] = "";
    enum err err = store_identify(place, id, sizeof id);

    if (err)
        return err;
    if (known_id()[0] && strcmp(id, known_id()) != 0)
        return ERR_EXISTS;
    (void)snprintf(st_context.store_id, sizeof st_context.store_id, "%s", id);
    return OK;
}

/* Long work, as the removal of many messages, in slices. */
static bool pause_worker(void)
{
    st_give_way(WORKER_READY);
    return true;
}

/* Nobody waits for what a cancelled job has asked. */
static bool pause_job(void)
{
    struct st_worker *worker = (struct st_worker *)(void *)coroutine_current();

    st_give_way(WORKER_READY);
    return worker->job == NULL || !st_job_cancelled(worker->job);
}

static enum err open_reader(const struct store_place *place,
                            struct st_worker *reader, bool (*pause)(void))
{
    enum err err = store_open(place, false, &reader->store);

    if (!err)
        store_set_pause(reader->store, pause);
    return err;
}

static enum err open_readers(const struct store_place *place)
{
    enum err err = OK;

    for (unsigned i = 0; !err && i < ST_READERS; i++)
        err = open_reader(place, &ST_READER[i], pause_worker);
    for (unsigned i = 0; !err && i < ST_JOBS; i++) {
        err = open_reader(place, &ST_JOBBER[i], pause_job);
        if (!err)
            store_limit_cache(ST_JOBBER[i].store, JOB_CACHE_PART);
    }
    return err;
}

/* How much they take, when they are too many for this PC. */
static void measure_users(void)
{
    size_t bytes;

    if (store_directory_bytes(ST_WRITER->store, &bytes) == OK)
        st_context.users_mb = directory_pc_mb(bytes);
}

static enum err open_connections(const struct store_place *place)
{
    enum err err = store_open(place, true, &ST_WRITER->store);

    st_context.users_mb = 0;
    if (!err)
        store_set_pause(ST_WRITER->store, pause_worker);
    if (!err)
        err = open_readers(place);
    if (!err)
        err = keep_settings(ST_WRITER->store);
    if (!err) {
        err = st_stage_directory();
        if (err == ERR_MEMORY)
            measure_users();
    }
    if (!err) {
        st_publish_directory(true);
        st_user_opened(ST_WRITER->store);
    }
    st_context.place = *place;
    if (!err)
        err = st_sql_prepare();
    if (!err)
        st_index_note_commit();
    if (err)
        st_shut_store();
    return err;
}

void st_shut_store(void)
{
    for (unsigned i = 0; i < ST_JOBS; i++) {
        store_close(ST_JOBBER[i].store);
        ST_JOBBER[i].store = NULL;
    }
    for (unsigned i = 0; i < ST_READERS; i++) {
        store_close(ST_READER[i].store);
        ST_READER[i].store = NULL;
    }
    store_close(ST_WRITER->store);
    ST_WRITER->store = NULL;
}

static enum err open_store(void)
{
    struct store_place place;
    bool known = st_context.store_id[0] != '\0';
    enum err err = store_locate(&st_context.media, 0, &place);

    if (!err)
        err = check_identity(&place);
    if (!err)
        err = open_connections(&place);
    if (err && !known)
        st_context.store_id[0] = '\0';
    return err;
}

/* ---- Searching ---------------------------------------------------------- */

static void say_failure(enum err err, const char *stick, bool read_only)
{
    enum st_state waiting = st_context.store_id[0] ? ST_GONE : ST_SEARCHING;

    switch ((int)err) {
    case ERR_NOT_FOUND:
        if (st_context.store_id[0])
            st_say(ST_GONE,
                   "no Barepost store on the stick %s; put back the "
                   "one with store %.8s",
                   stick, st_context.store_id);
        else
            st_say(ST_SEARCHING, "no Barepost store on the stick %s", stick);
        break;
    case ERR_EXISTS:
        st_say(waiting,
               "waiting for store %.8s; another store is on the stick %s",
               known_id(), stick);
        break;
    case ERR_GONE:
        st_say(waiting, "the stick was pulled out again");
        break;
    case ERR_VERSION:
        st_say(ST_FAILED, "%s (%s)", store_open_message(), stick);
        break;
    case ERR_CORRUPT:
        st_say(ST_FAILED, "the store on %s is damaged: see mkusb --check",
               stick);
        break;
    default:
        if (err == ERR_MEMORY && st_context.users_mb != 0)
            st_say(ST_FAILED,
                   "the store on %s has too many users for this PC: they need "
                   "%u MB of memory",
                   stick, st_context.users_mb);
        else
            st_say(ST_FAILED, "the store on %s cannot be opened: %s", stick,
                   read_only ? "the stick is write-protected" : err_text(err));
    }
}

static void try_disk(unsigned disk, const struct machine_disk_info *info)
{
    char stick[48];
    enum err err;

    snprintf(st_context.stick, sizeof st_context.stick, "%s %s", info->vendor,
             info->product);
    snprintf(stick, sizeof stick, "%s (place %u)", st_context.stick, disk);
    st_context.disk = disk;
    st_context.generation = info->generation;
    st_context.media.sectors = info->sectors;
    st_context.gone = false;
    st_media_opened();
    st_say(st_context.store_id[0] ? ST_GONE : ST_OPENING,
           "looking at the stick %s", stick);
    err = open_store();
    if (err) {
        say_failure(err, stick, info->read_only);
        /* An I/O error may pass: such a stick is tried again. */
        st_context.tried[disk] = err == ERR_IO ? 0 : info->generation + 1;
        return;
    }
    st_context.room = store_room(ST_WRITER->store);
    st_queue_note_change();
    st_say(ST_READY, "store %.8s on %s%s", st_context.store_id, stick,
           info->read_only ? ", write-protected" : "");
    st_user_go_on();
}

static void say_waiting(void)
{
    if (st_context.store_id[0])
        st_say(ST_GONE, "the stick with store %.8s is not there: put it back",
               st_context.store_id);
    else if (st_context.wanted_id[0])
        st_say(ST_SEARCHING, "the stick with store %.8s was not found yet",
               st_context.wanted_id);
    else
        st_say(ST_SEARCHING, "no stick with a Barepost store was found yet");
}

void st_search(void)
{
    unsigned present = 0;

    for (unsigned disk = 0; disk < MACHINE_DISKS; disk++) {
        struct machine_disk_info info;

        machine_disk_info(disk, &info);
        if (!info.present) {
            st_context.tried[disk] = 0;
            continue;
        }
        present++;
        if (st_context.tried[disk] == info.generation + 1)
            continue;
        try_disk(disk, &info);
        if (st_context.state == ST_READY)
            return;
    }
    if (present == 0)
        say_waiting();
}

/* The stick is gone: connections are closed without reaching it. */
void st_leave_store(void)
{
    st_lose();
    st_shut_store();
    memset(st_context.tried, 0, sizeof st_context.tried);
    say_waiting();
    timer_start(&st_context.search_timer, 100);
}
