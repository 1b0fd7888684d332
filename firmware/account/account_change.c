/* Adding and changing users: see account_change.h. */
#include "account/account_change.h"
#include "core/bytes.h"
#include "core/log.h"
#include "userdb/directory.h"
#include <string.h>

static void finish(struct account_change *change, enum err result)
{
    bytes_wipe(change->password, sizeof(change->password));
    bytes_wipe(&change->work, sizeof(change->work));
    change->result = result;
    change->done(change);
}

static void on_put(struct st_user_put *put)
{
    struct account_change *change = put->context;
    const struct user *now = directory_user_by_id(put->user.id);
    enum err result = put->request.result;

    change->user = put->user;
    if (result == OK && now != NULL)
        log_info("account", "user=%s changed quota_mb=%llu enabled=%d",
                 now->name, (unsigned long long)(now->quota_bytes >> 20),
                 now->enabled);
    finish(change, result);
}

static void put_user(struct account_change *change)
{
    memset(&change->put, 0, sizeof(change->put));
    change->put.user = change->user;
    change->put.fields = change->fields;
    change->put.done = on_put;
    change->put.context = change;
    st_user_put(&change->put);
}

static void on_hashed(struct st_request *request)
{
    struct account_change *change = request->context;

    if (request->result != OK) {
        finish(change, request->result);
        return;
    }
    memcpy(change->user.hash, change->work.hash, sizeof(change->user.hash));
    change->fields |= STORE_USER_PASSWORD;
    put_user(change);
}

static void on_wrong(struct st_request *request)
{
    finish(request->context, request->result);
}

/* What can be told before a password is hashed, which takes long. */
static enum err check(const struct account_change *change)
{
    const struct user *user = &change->user;

    if (!user_name_valid(user->name))
        return ERR_INVALID;
    if (user->id != 0)
        return OK;
    if (directory_find_user(user->name, strlen(user->name)) != NULL)
        return ERR_EXISTS;
    return change->password[0] == '\0' && user->hash[0] == '\0' ? ERR_INVALID
                                                                : OK;
}

void account_change(struct account_change *change)
{
    struct st_password *work = &change->work;
    bool hash = change->password[0] != '\0';
    enum err wrong = check(change);

    memset(work, 0, sizeof(*work));
    list_init(&work->request.link);
    work->request.context = change;
    if (wrong != OK) {
        work->request.done = on_wrong;
        st_defer(&work->request, wrong);
        return;
    }
    if (!hash) {
        put_user(change);
        return;
    }
    memcpy(work->password, change->password, sizeof(work->password));
    work->password[sizeof(work->password) - 1] = '\0';
    work->request.done = on_hashed;
    st_password_make(work);
}
