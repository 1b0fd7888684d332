/* Adding and changing users: see account_change.h. */
#include "account/account_change.h"
#include "core/bytes.h"
#include "core/log.h"
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
    enum err result = put->request.result;

    change->user = put->user;
    if (result == OK)
        log_info("account", "user=%s changed quota_mb=%llu enabled=%d",
                 change->user.name,
                 (unsigned long long)(change->user.quota_bytes >> 20),
                 change->user.enabled);
    finish(change, result);
}

static void put_user(struct account_change *change)
{
    memset(&change->put, 0, sizeof(change->put));
    change->put.user = change->user;
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
    put_user(change);
}

static void on_invalid(struct st_request *request)
{
    finish(request->context, request->result);
}

void account_change(struct account_change *change)
{
    struct st_password *work = &change->work;
    bool hash = change->password[0] != '\0';

    memset(work, 0, sizeof(*work));
    list_init(&work->request.link);
    work->request.context = change;
    if ((change->user.id == 0 && !hash && change->user.hash[0] == '\0') ||
        !user_name_valid(change->user.name)) {
        work->request.done = on_invalid;
        st_defer(&work->request, ERR_INVALID);
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
