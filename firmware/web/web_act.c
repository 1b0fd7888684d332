/* What is done to messages that were selected: POST /act
 *
 *   m       a message, "MAILBOX.UID"; any number of times
 *   do      what: the names of the table below
 *   to      the folder to move to
 *   folder  for what concerns all of a folder, or
 *   first last  the messages with these UIDs in it, which are moved back (undo)
 *   back    the list that comes next
 *
 * No message or action, or none that is the user's, is a mistake that is told;
 * messages that have gone meanwhile are left out. */
#include "store/st_job.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <string.h>

/* Messages of one transaction where a whole folder is concerned. */
#define FOLDER_STEP 100

struct act {
    int64_t user_id, to, folder;
    const struct store_key *keys;
    size_t count;
    uint8_t set, clear;
    uint32_t uid, next_uid; /* from there on; of the step after */
    bool more;
    struct store_moved moved;
};

static enum err flag(void *context, struct store *store)
{
    const struct act *act = context;

    return store_flag(store, act->user_id, act->keys, act->count, act->set,
                      act->clear, NULL);
}

static enum err trash(void *context, struct store *store)
{
    struct act *act = context;

    return store_trash(store, act->user_id, act->keys, act->count, &act->moved);
}

static enum err move(void *context, struct store *store)
{
    struct act *act = context;

    return store_move(store, act->user_id, act->keys, act->count, act->to,
                      &act->moved);
}

static enum err junk(void *context, struct store *store)
{
    struct act *act = context;
    enum err err =
        store_folder_of(store, act->user_id, STORE_FOLDER_JUNK, &act->to);

    return err != OK ? err : move(act, store);
}

static enum err not_junk(void *context, struct store *store)
{
    struct act *act = context;
    enum err err =
        store_folder_of(store, act->user_id, STORE_FOLDER_INBOX, &act->to);

    return err != OK ? err : move(act, store);
}

static enum err all_read(void *context, struct store *store)
{
    struct act *act = context;

    act->next_uid = act->uid;
    return store_folder_flag(store, act->user_id, act->folder, STORE_SEEN, 0,
                             FOLDER_STEP, &act->next_uid, &act->more);
}

static enum err empty(void *context, struct store *store)
{
    struct act *act = context;

    return store_folder_empty(store, act->user_id, act->folder, true,
                              FOLDER_STEP, &act->more);
}

static const struct action {
    char name[8];
    bool folder; /* concerns all of one */
    enum err (*work)(void *context, struct store *store);
    uint8_t set, clear;
    const char *said;
} actions[] = {
    {"delete", false, trash, 0, 0, "deleted"},
    {"read", false, flag, STORE_SEEN, 0, "marked"},
    {"unread", false, flag, 0, STORE_SEEN, "marked"},
    {"flag", false, flag, STORE_FLAGGED, 0, "marked"},
    {"unflag", false, flag, 0, STORE_FLAGGED, "marked"},
    {"junk", false, junk, 0, 0, "moved"},
    {"notjunk", false, not_junk, 0, 0, "moved"},
    {"move", false, move, 0, 0, "moved"},
    {"undo", false, move, 0, 0, "undone"},
    {"allread", true, all_read, 0, 0, "marked"},
    {"empty", true, empty, 0, 0, "removed"},
};

static const struct action *find_action(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(name, actions[i].name) == 0)
            return &actions[i];
    return NULL;
}

/* Whether all that was moved can be named by its first and last UID. */
static bool can_undo(const struct store_moved *moved)
{
    return moved->moved > 0 && moved->from != 0 &&
           moved->last - moved->first + 1 == moved->moved;
}

/* Only to pages of this server that are lists. */
static void go_back(struct http_exchange *x, const char *said,
                    const struct store_moved *moved)
{
    const char *back = http_param_or(x, "back", "/mail");
    char path[920];
    int len;

    if (strncmp(back, "/mail", 5) != 0 && strncmp(back, "/search?", 8) != 0 &&
        strncmp(back, "/thread/", 8) != 0)
        back = "/mail";
    len = snprintf(path, sizeof(path), "%.760s%csaid=%s", back,
                   strchr(back, '?') != NULL ? '&' : '?', said);
    if (moved != NULL && can_undo(moved))
        (void)snprintf(path + len, sizeof(path) - (size_t)len,
                       "&undo=%lld.%u&last=%u&from=%lld", (long long)moved->to,
                       moved->first, moved->last, (long long)moved->from);
    http_redirect(x, path);
}

/* "folder", "first", "last": what was moved there just now. */
static size_t read_moved(const struct http_exchange *x, struct store_key *keys)
{
    int64_t first = http_param_number(x, "first", 0);
    int64_t last = http_param_number(x, "last", 0);
    size_t count = 0;

    for (; first > 0 && first <= last && last <= UINT32_MAX &&
           count < STORE_KEYS_MAX;
         first++)
        keys[count++] = (struct store_key){http_param_number(x, "folder", 0),
                                           (uint32_t)first};
    return count;
}

static size_t read_keys(struct http_exchange *x, struct store_key *keys)
{
    const char *value, *rest;
    size_t place = 0, count = 0;

    while (count < STORE_KEYS_MAX &&
           (value = http_param_next(x, "m", &place)) != NULL)
        if (web_key(value, '.', &keys[count], &rest) && *rest == '\0')
            count++;
    return count;
}

static enum err do_action(struct http_exchange *x, const struct action *action,
                          struct act *act)
{
    enum err err = OK;

    act->set = action->set;
    act->clear = action->clear;
    act->to = http_param_number(x, "to", 0);
    act->folder = http_param_number(x, "folder", 0);
    do {
        act->more = false;
        err = st_job_write(action->work, act);
        act->uid = act->next_uid;
    } while (err == OK && act->more && !http_gone(x));
    return err;
}

static void act_and_go_back(struct http_exchange *x, struct store *store,
                            const struct action *action, struct act *act)
{
    enum err err = do_action(x, action, act);
    bool gone = action->work == trash && act->moved.moved == 0;

    if (err == OK)
        go_back(x, gone ? "removed" : action->said,
                strcmp(action->name, "undo") == 0 ? NULL : &act->moved);
    else if (err == ERR_NOT_FOUND)
        go_back(x, "nowhere", NULL);
    else if (err == ERR_FULL)
        go_back(x, "full", NULL);
    else
        web_fail(x, store, err);
}

void web_act_page(struct http_exchange *x, struct store *store)
{
    const struct action *action = find_action(http_param_or(x, "do", ""));
    struct web_work *work = web_work_take(store);
    struct act act = {.user_id = web_user_id(x), .keys = work->keys};

    act.count = http_param(x, "first") != NULL ? read_moved(x, work->keys)
                                               : read_keys(x, work->keys);
    if (action == NULL && http_param(x, "do") != NULL)
        web_fail(x, store, ERR_INVALID);
    else if (action == NULL)
        go_back(x, "none", NULL);
    else if (!action->folder && act.count == 0)
        go_back(x, "none", NULL);
    else if (action->work == move && http_param_number(x, "to", 0) == 0)
        go_back(x, "whereto", NULL);
    else
        act_and_go_back(x, store, action, &act);
    web_work_give(work);
}
