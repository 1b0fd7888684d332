/* ST on a fake machine with slow disks: group commit, messages in, spilling,
 * maildrops, logins, the stick pulled out and put back, the store full. */
#include "fake_sticks.h"

static enum err check_password(const char *text, const char *password)
{
    struct st_password work = {0};

    finished[2] = false;
    strcpy(work.hash, text);
    strcpy(work.password, password);
    work.request.done = on_request;
    work.request.context = &finished[2];
    st_password_verify(&work);
    CHECK(!finished[2]);
    CHECK(UNTIL(finished[2]));
    return work.request.result;
}

#include "tests/unit/st_remotes.h"

/* ---- Tests --------------------------------------------------------------- */

static void test_search(void)
{
    struct sent sent;

    for (unsigned i = 0; i < 100; i++)
        turn();
    CHECK(st_state() == ST_SEARCHING);
    CHECK(begin(&sent, 10, 0) == ERR_GONE);
    plug(0, &blank);
    CHECK(UNTIL(strstr(st_state_text(), "no Barepost store on")));
    CHECK(st_state() == ST_SEARCHING);
    plug(1, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    CHECK(strstr(st_state_text(), "Fake Stick (place 1)") != NULL);
    CHECK(strcmp(st_setting("domains"), "example.org") == 0);
    CHECK(strlen(st_setting("store_id")) == 16);
    CHECK(directory_user_count() == 3);
    CHECK(directory_is_local_domain("example.org", 11));
}

static void test_passwords(void)
{
    struct st_password made = {.password = "new one"};

    CHECK(check_password(hash, "password") == OK);
    CHECK(check_password(hash, "wrong") == ERR_REFUSED);
    CHECK(check_password("no hash", "password") == ERR_INVALID);
    finished[2] = false;
    made.request.done = on_request;
    made.request.context = &finished[2];
    st_password_make(&made);
    CHECK(UNTIL(finished[2]));
    CHECK(made.request.result == OK && password_hash_valid(made.hash));
    CHECK(check_password(made.hash, "new one") == OK);
    CHECK(check_password(made.hash, "new two") == ERR_REFUSED);
}

static void test_deferred(void)
{
    struct st_request request = {.done = on_request, .context = &finished[2]};

    finished[2] = false;
    list_init(&request.link);
    st_defer(&request, ERR_REFUSED);
    CHECK(!finished[2]);
    turn();
    CHECK(finished[2] && request.result == ERR_REFUSED);
    finished[2] = false;
    st_defer(&request, OK);
    list_remove(&request.link);
    turn();
    CHECK(!finished[2]);
}

static void test_group_commit(void)
{
    static struct sent sent[30];
    struct st_figures before, after;
    struct st_maildrop drop, second;
    uint64_t flushes = sticks[0].flushes;
    unsigned right = 0;

    st_figures(&before);
    for (unsigned i = 0; i < 30; i++)
        send_small(&sent[i], user_ids[0], (uint8_t)i);
    CHECK(!sent[0].answered);
    CHECK(UNTIL(all_answered(sent, 30)));
    st_figures(&after);
    CHECK(after.delivered - before.delivered == 30);
    CHECK(after.commits - before.commits == 1);
    CHECK(sticks[0].flushes - flushes <= 2);
    for (unsigned i = 0; i < 30; i++)
        right += sent[i].result == OK && stored_right(&sent[i]);
    CHECK(right == 30);
    CHECK(open_drop(&drop, user_ids[0]) == OK);
    CHECK(drop.drop.count == 30 && drop.drop.bytes == 30 * SMALL_BYTES);
    CHECK(open_drop(&second, user_ids[0]) == ERR_BUSY && !second.locked);
    st_maildrop_close(&second);
    CHECK(open_drop(&second, user_ids[1]) == OK && second.drop.count == 0);
    st_maildrop_close(&second);
    st_maildrop_close(&drop);
    CHECK(open_drop(&drop, user_ids[0]) == OK);
    st_maildrop_close(&drop);
}

static bool used_is(int64_t user, uint64_t bytes)
{
    struct st_user known;

    return st_user(user, &known) && known.counted && known.used_bytes == bytes;
}

/* What users take up is counted after the start and kept right by deliveries,
 * also while it is being counted, by removals, and by what fails. */
static void test_usage(void)
{
    static struct sent sent[20];
    struct st_delete deletion = {0};
    struct st_maildrop drop;
    struct st_user known;
    uint32_t uid;

    CHECK(!st_user(12345, &known));
    CHECK(UNTIL(used_is(user_ids[0], 30 * SMALL_BYTES)));
    CHECK(UNTIL(used_is(user_ids[2], 0)));
    for (unsigned i = 0; i < 20; i++)
        send_small(&sent[i], i == 3 ? 999 : user_ids[0], (uint8_t)i);
    CHECK(UNTIL(all_answered(sent, 20)));
    CHECK(sent[3].result != OK);
    CHECK(used_is(user_ids[0], 49 * SMALL_BYTES));
    CHECK(open_drop(&drop, user_ids[0]) == OK);
    CHECK(drop.drop.bytes == 49 * SMALL_BYTES);
    deletion.mailbox_id = drop.drop.mailbox_id;
    deletion.uids = &uid;
    deletion.count = 1;
    deletion.request.done = on_request;
    deletion.request.context = &finished[0];
    for (unsigned i = 0; i < 19; i++) {
        uid = store_entry_at(&drop.drop, 30 + i)->uid;
        finished[0] = false;
        st_delete(&deletion);
        CHECK(UNTIL(finished[0]) && deletion.request.result == OK);
    }
    st_maildrop_close(&drop);
    CHECK(used_is(user_ids[0], 30 * SMALL_BYTES));
}

static bool put_done;

static void on_put(struct st_user_put *put)
{
    (void)put;
    put_done = true;
}

static enum err put_user(struct st_user_put *put)
{
    put->done = on_put;
    put_done = false;
    st_user_put(put);
    CHECK(!put_done);
    CHECK(UNTIL(put_done));
    return put->request.result;
}

/* A user is added and changed while deliveries go on; the directory knows. */
static void test_put_user(void)
{
    static struct sent sent[5];
    struct st_user_put put = {.user = {.enabled = true}};
    const struct user *user;
    struct st_user known;

    strcpy(put.user.name, "Dora");
    strcpy(put.user.hash, hash);
    for (unsigned i = 0; i < 5; i++)
        send_small(&sent[i], i == 3 ? 999 : user_ids[1], 9);
    CHECK(put_user(&put) == OK && put.user.id > user_ids[2]);
    CHECK(UNTIL(all_answered(sent, 5)) && sent[0].result == OK);
    user = directory_find_user("dora", 4);
    CHECK(user && user->id == put.user.id && user->quota_bytes == 0);
    CHECK(UNTIL(st_user(put.user.id, &known) && known.counted));
    put.user.quota_bytes = 77;
    put.user.enabled = false;
    put.fields = STORE_USER_FORM;
    CHECK(put_user(&put) == OK);
    user = directory_user_by_id(put.user.id);
    CHECK(user && user->quota_bytes == 77 && !user->enabled);
    for (int i = 0; i < 1000; i++)
        turn();
    user = directory_user_by_id(put.user.id);
    CHECK(user && user->quota_bytes == 77 && !user->enabled);
    CHECK(directory_user_count() == 4);
    put.user.id = 0;
    CHECK(put_user(&put) == ERR_EXISTS);
    put.user.id = 4711;
    CHECK(put_user(&put) == ERR_NOT_FOUND);
    CHECK(directory_user_count() == 4);
}

/* An administrator's save and the user's own new password, in one commit. */
static void test_two_change_one(void)
{
    const struct user *user = directory_find_user("dora", 4);
    struct st_user_put form = {.user = *user, .fields = STORE_USER_FORM};
    struct st_user_put own = {.user = *user, .fields = STORE_USER_PASSWORD};

    form.user.quota_bytes = 78;
    form.user.enabled = true;
    strcpy(form.user.full_name, "Dora D");
    own.user.hash[strlen(own.user.hash) - 1] ^= 1;
    own.done = form.done = on_put;
    for (int i = 0; i < 2; i++) {
        put_done = false;
        st_user_put(i ? &form : &own);
        (void)put_user(i ? &own : &form);
        user = directory_find_user("dora", 4);
        CHECK(user->quota_bytes == 78 && user->enabled);
        CHECK(strcmp(user->full_name, "Dora D") == 0);
        CHECK(strcmp(user->hash, own.user.hash) == 0);
        form.user.admin = true;
    }
    CHECK(user->admin);
}

/* A login is written with what is written anyway, and once a minute at most. */
static void test_last_login(void)
{
    struct st_user known;
    struct sent sent;
    uint64_t flushes;

    for (int i = 0; i < 200000; i++) /* what went before comes to rest */
        turn();
    flushes = sticks[0].flushes;
    st_user_login(user_ids[1], "192.0.2.7", "pop3");
    CHECK(st_user(user_ids[1], &known));
    CHECK(strcmp(known.login.address, "192.0.2.7") == 0);
    for (int i = 0; i < 300000; i++) /* half a minute */
        turn();
    CHECK(sticks[0].flushes == flushes);
    send_small(&sent, user_ids[1], 5);
    CHECK(UNTIL(sent.answered) && sent.result == OK);
    CHECK(sticks[0].flushes <= flushes + 2);
    st_user_login(user_ids[1], "192.0.2.8", "smtp");
}

/* New requests gather while the stick is busy with the batch before. */
static void test_gathering(void)
{
    static struct sent sent[40];
    struct st_figures before, after;

    st_figures(&before);
    for (unsigned i = 0; i < 40; i++) {
        send_small(&sent[i], user_ids[1], (uint8_t)i);
        turn();
    }
    CHECK(UNTIL(all_answered(sent, 40)));
    st_figures(&after);
    CHECK(after.delivered - before.delivered == 40);
    CHECK(after.commits - before.commits < 20);
    CHECK(after.queued == 0 && after.buffers == after.buffers_free);
}

static void test_one_bad(void)
{
    static struct sent sent[5];
    unsigned good = 0;

    for (unsigned i = 0; i < 5; i++)
        send_small(&sent[i], i == 2 ? 999 : user_ids[1], (uint8_t)i);
    CHECK(UNTIL(all_answered(sent, 5)));
    for (unsigned i = 0; i < 5; i++)
        good += sent[i].result == OK && stored_right(&sent[i]);
    CHECK(good == 4 && sent[2].result == ERR_NOT_FOUND);
}

/* Several messages, each larger than all buffers, at the same time. */
static void test_large(void)
{
    static struct sent sent[4];
    struct st_figures figures;
    bool all = false;

    for (unsigned i = 0; i < 4; i++)
        CHECK(begin(&sent[i], 700000 + i * 111, (uint8_t)i) == OK);
    for (unsigned turns = 0; !all && turns < 400000; turns++) {
        all = true;
        for (unsigned i = 0; i < 4; i++)
            all &= push(&sent[i]);
        turn();
    }
    CHECK(all);
    st_inbound_discard(sent[3].inbound);
    for (unsigned i = 0; i < 3; i++)
        commit(&sent[i], user_ids[0]);
    CHECK(UNTIL(all_answered(sent, 3)));
    for (unsigned i = 0; i < 3; i++)
        CHECK(sent[i].result == OK && stored_right(&sent[i]));
    CHECK(UNTIL(
        (st_figures(&figures),
         figures.queued == 0 && figures.buffers_free == figures.buffers)));
}

/* As many begun messages as there can be, and all of them grow. */
static void test_shortage(void)
{
    static struct sent sent[200];
    struct st_figures figures;
    unsigned count = 0;
    bool all = false;
    unsigned right = 0;

    while (count < 200 && begin(&sent[count], 20000, (uint8_t)count) == OK) {
        sent[count].bytes = 100;
        (void)push(&sent[count]);
        sent[count].bytes = 20000;
        count++;
    }
    CHECK(count > 20);
    for (unsigned turns = 0; !all && turns < 400000; turns++) {
        all = true;
        for (unsigned i = 0; i < count; i++)
            all &= push(&sent[i]);
        turn();
    }
    CHECK(all);
    for (unsigned i = 0; i < count; i++)
        commit(&sent[i], user_ids[0]);
    CHECK(UNTIL(all_answered(sent, count)));
    for (unsigned i = 0; i < count; i++)
        right += sent[i].result == OK && stored_right(&sent[i]);
    CHECK(right == count);
    st_figures(&figures);
    CHECK(figures.buffers_free == figures.buffers);
}

/* An envelope that finds no room while the message's last chunk is on its way
 * to the stick. */
static void test_refused_envelope(void)
{
    static char orcpt[8192];
    const struct store_remote remote = {.address = "a@b.example",
                                        .orcpt = orcpt};
    const struct st_envelope envelope = {.sender = "s@d.example",
                                         .users = user_ids,
                                         .user_count = 1,
                                         .remotes = &remote,
                                         .remote_count = 1,
                                         .envid = ""};
    struct st_figures figures;
    static struct sent sent, other;

    memset(orcpt, 'x', sizeof(orcpt) - 1);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(begin(&sent, STORE_CHUNK_BYTES + 1000, (uint8_t)i) == OK);
        CHECK(begin(&other, 3 * STORE_CHUNK_BYTES, (uint8_t)i) == OK);
        CHECK(push(&sent));
        for (unsigned turns = 0; turns < i; turns++)
            turn();
        st_inbound_commit(sent.inbound, &envelope, on_done, &sent);
        CHECK(UNTIL(push(&other)));
        commit(&other, user_ids[0]);
        CHECK(UNTIL(sent.answered && other.answered));
        CHECK(sent.result == ERR_MEMORY);
        CHECK(other.result == OK && stored_right(&other));
        CHECK(UNTIL(
            (st_figures(&figures),
             figures.queued == 0 && figures.buffers_free == figures.buffers)));
    }
}

static void test_cancel_and_forget(void)
{
    struct st_maildrop drop = {.user_id = user_ids[0]};
    struct sent sent, other;

    drop.request.done = on_request;
    finished[1] = false;
    drop.request.context = &finished[1];
    st_maildrop_open(&drop);
    CHECK(st_cancel(&drop.request));
    for (int i = 0; i < 100; i++)
        turn();
    CHECK(!finished[1]);
    CHECK(open_drop(&drop, user_ids[0]) == OK);
    st_maildrop_close(&drop);
    send_small(&sent, user_ids[0], 1);
    st_inbound_forget(&sent);
    send_small(&other, user_ids[0], 1);
    CHECK(UNTIL(other.answered));
    CHECK(!sent.answered);
}

static void test_settings(void)
{
    struct st_setting setting = {.key = "domains",
                                 .value = "example.org second.example"};

    finished[0] = false;
    setting.request.done = on_request;
    setting.request.context = &finished[0];
    st_setting_put(&setting);
    CHECK(UNTIL(finished[0]) && setting.request.result == OK);
    CHECK(strcmp(st_setting("domains"), "example.org second.example") == 0);
    CHECK(UNTIL(directory_is_local_domain("second.example", 14)));
    CHECK(directory_user_count() == 4);
    CHECK(strcmp(st_setting("no such key"), "") == 0);
}

static void test_gone(void)
{
    static struct sent sent[10], open_one, begun;
    struct st_maildrop drop;
    struct st_user known;
    unsigned ok = 0, gone = 0;

    CHECK(open_drop(&drop, user_ids[1]) == OK);
    CHECK(begin(&open_one, 300000, 5) == OK);
    (void)push(&open_one);
    CHECK(begin(&begun, 100, 5) == OK);
    for (unsigned i = 0; i < 10; i++) {
        send_small(&sent[i], user_ids[1], (uint8_t)i);
        if (i == 5) {
            for (int j = 0; j < 4; j++)
                turn();
        }
    }
    pull(1);
    CHECK(UNTIL(all_answered(sent, 10)));
    CHECK(st_state() == ST_GONE);
    CHECK(UNTIL(strstr(st_state_text(), "put")));
    for (unsigned i = 0; i < 10; i++) {
        ok += sent[i].result == OK;
        gone += sent[i].result == ERR_GONE;
    }
    CHECK(ok + gone == 10 && gone > 0);
    commit(&open_one, user_ids[1]);
    CHECK(UNTIL(open_one.answered) && open_one.result == ERR_GONE);
    CHECK(begin(&sent[0], 10, 0) == ERR_GONE);
    CHECK(check_password(hash, "password") == ERR_GONE);
    st_maildrop_close(&drop);
    for (int i = 0; i < 3000; i++)
        turn();
    /* Another store is not taken. */
    plug(2, &sticks[1]);
    CHECK(UNTIL(strstr(st_state_text(), "another store")));
    CHECK(st_state() == ST_GONE);
    for (int i = 0; i < 5000; i++)
        turn();
    CHECK(st_state() == ST_GONE);
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    CHECK(push(&begun));
    commit(&begun, user_ids[1]);
    CHECK(UNTIL(begun.answered) && begun.result == ERR_GONE);
    for (unsigned i = 1; i < 10; i++)
        CHECK(sent[i].result != OK || stored_right(&sent[i]));
    send_small(&sent[0], user_ids[0], 77);
    CHECK(UNTIL(sent[0].answered) && sent[0].result == OK);
    CHECK(stored_right(&sent[0]));
    CHECK(check_password(hash, "password") == OK);
    CHECK(UNTIL(st_user(user_ids[1], &known) && known.login.time_ms));
    CHECK(strcmp(known.login.address, "192.0.2.7") == 0);
    CHECK(UNTIL(st_user(user_ids[1], &known) && known.counted));
    CHECK(open_drop(&drop, user_ids[1]) == OK);
    CHECK(drop.drop.bytes == known.used_bytes);
    st_maildrop_close(&drop);
}

/* Pulled and put back at once: between two looks at the stick. */
static void test_quick_swap(void)
{
    struct sent sent;

    pull(0);
    plug(0, &sticks[1]);
    send_small(&sent, user_ids[0], 3);
    CHECK(UNTIL(sent.answered) && sent.result == ERR_GONE);
    pull(0);
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    send_small(&sent, user_ids[0], 4);
    CHECK(UNTIL(sent.answered) && sent.result == OK);
}

static void test_full(void)
{
    static struct sent sent;
    static uint32_t uids[4000];
    struct st_maildrop drop;
    struct st_delete deletion = {.uids = uids};
    unsigned stored = 0;
    enum err err = OK;

    while (!err && stored < 1000) {
        err = begin(&sent, 60000, (uint8_t)stored);
        if (err)
            break;
        CHECK(UNTIL(push(&sent)));
        commit(&sent, user_ids[0]);
        CHECK(UNTIL(sent.answered));
        err = sent.result;
        stored += !err;
    }
    CHECK(err == ERR_FULL && stored > 50);
    CHECK(begin(&sent, 60000, 0) == ERR_FULL);
    CHECK(open_drop(&drop, user_ids[0]) == OK);
    for (uint32_t i = 0; i < drop.drop.count; i++)
        uids[i] = store_entry_at(&drop.drop, i)->uid;
    deletion.mailbox_id = drop.drop.mailbox_id;
    deletion.count = drop.drop.count;
    deletion.request.done = on_request;
    finished[0] = false;
    deletion.request.context = &finished[0];
    st_delete(&deletion);
    CHECK(UNTIL(finished[0]) && deletion.request.result == OK);
    st_maildrop_close(&drop);
    CHECK(begin(&sent, 60000, 9) == OK);
    CHECK(UNTIL(push(&sent)));
    commit(&sent, user_ids[0]);
    CHECK(UNTIL(sent.answered) && sent.result == OK && stored_right(&sent));
}

/* ---- The log ------------------------------------------------------------- */

static struct store_log_line log_lines[64];

static unsigned read_log(int64_t mail_id, const char *find, bool backward)
{
    struct st_log_read read = {.mail_id = mail_id,
                               .backward = backward,
                               .lines = log_lines,
                               .room = 64};

    strcpy(read.find, find);
    finished[0] = false;
    read.request.done = on_request;
    read.request.context = &finished[0];
    st_log_read(&read);
    CHECK(!finished[0]);
    CHECK(UNTIL(finished[0]) && read.request.result == OK);
    return read.count;
}

static uint64_t commits(void)
{
    struct st_figures figures;

    st_figures(&figures);
    return figures.commits;
}

static void turn_for(unsigned ms)
{
    for (unsigned i = 0; i < 10 * ms; i++)
        turn();
}

/* Lines go with the message's own transaction, and alone only after a while. */
static void test_log(void)
{
    struct st_log_figures figures;
    uint64_t before;
    struct sent sent;

    turn_for(ST_LOG_WAIT_MS + 1000);
    st_log_figures(&figures);
    CHECK(figures.waiting == 0 && figures.lost == 0);
    before = commits();
    CHECK(begin(&sent, SMALL_BYTES, 3) == OK && push(&sent));
    log_mail(st_inbound_id(sent.inbound), "test", "received from=<a@b>");
    commit(&sent, user_ids[0]);
    CHECK(UNTIL(sent.answered) && sent.result == OK);
    st_log_figures(&figures);
    CHECK(figures.waiting == 0 && commits() == before + 1);
    log_mail(sent.id, "test", "fetched user=alice");
    turn_for(ST_LOG_WAIT_MS - 8000);
    st_log_figures(&figures);
    CHECK(commits() == before + 1 && figures.waiting > 0);
    turn_for(9000);
    CHECK(commits() == before + 2);
    CHECK(read_log(sent.id, "", false) == 2);
    CHECK(strcmp(log_lines[0].text, "received from=<a@b>") == 0);
    CHECK(strcmp(log_lines[1].text, "fetched user=alice") == 0);
    /* A look takes in what is still in memory. */
    log_fact("test", "nobody's message");
    CHECK(read_log(0, "NOBODY", true) == 1 && log_lines[0].mail_id == 0);
    CHECK(read_log(0, "no such text", false) == 0);
}

/* Many lines: each once, in order; a ring that is full loses and counts. */
static void test_log_flood(void)
{
    struct st_log_figures figures;
    unsigned lines = 0;
    int64_t last = 0;
    struct sent sent;

    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 200; i++, lines++)
            log_mail(1000000, "flood", "line=%u%0*u", lines, (int)(i % 97), 0);
        send_small(&sent, user_ids[1], 4);
        CHECK(UNTIL(sent.answered) && sent.result == OK);
    }
    CHECK(read_log(1000000, "", true) == 64);
    for (unsigned i = 0; i < 64; i++) {
        CHECK(strtoul(log_lines[i].text + 5, NULL, 10) != 0);
        CHECK(last == 0 || log_lines[i].log_id < last);
        last = log_lines[i].log_id;
    }
    st_log_figures(&figures);
    CHECK(figures.lost == 0);
    for (unsigned i = 0; i < 20000; i++)
        log_fact("flood", "%0500u", i);
    st_log_figures(&figures);
    CHECK(figures.lost > 1000 && figures.waiting > 60000);
    turn_for(2 * ST_LOG_WAIT_MS);
    st_log_figures(&figures);
    CHECK(figures.waiting == 0);
    CHECK(read_log(0, "lines lost=", true) == 1);
}

static void test_log_lines(void)
{
    struct st_setting setting = {.key = "log_lines", .value = "100"};
    struct st_log_figures figures;

    setting.request.done = on_request;
    finished[0] = false;
    setting.request.context = &finished[0];
    st_setting_put(&setting);
    CHECK(UNTIL(finished[0]) && setting.request.result == OK);
    for (unsigned i = 0; i < 70; i++) {
        struct sent sent;

        log_fact("few", "line=%u", i);
        send_small(&sent, user_ids[1], 4);
        CHECK(UNTIL(sent.answered) && sent.result == OK);
    }
    CHECK(read_log(0, "", false) == 64);
    CHECK(strncmp(log_lines[0].text, "line=1", 6) != 0);
    strcpy(setting.value, "0");
    finished[0] = false;
    st_setting_put(&setting);
    CHECK(UNTIL(finished[0]));
    st_log_figures(&figures);
    log_fact("none", "not kept");
    CHECK(read_log(0, "not kept", false) == 0);
    strcpy(setting.value, "20000");
    finished[0] = false;
    st_setting_put(&setting);
    CHECK(UNTIL(finished[0]));
}

static void test_close(void)
{
    struct st_figures figures;
    struct sent sent;
    char command[500], path[100];
    FILE *file;

    log_fact("test", "last words");
    send_small(&sent, user_ids[0], 3);
    log_fact("test", "behind it");
    st_close();
    CHECK(UNTIL(sent.answered) && sent.result == OK);
    CHECK(UNTIL(st_state() == ST_GONE));
    CHECK(begin(&sent, 10, 0) == ERR_GONE);
    log_fact("test", "too late");
    for (int i = 0; i < 5000; i++)
        turn();
    CHECK(st_state() == ST_GONE);
    st_figures(&figures);
    printf("stack: %zu of %zu bytes used\n", figures.stack_used,
           figures.stack_bytes);
    CHECK(figures.stack_used < figures.stack_bytes / 2);
    snprintf(path, sizeof path, "%s/image", folder);
    file = fopen(path, "wb");
    CHECK(file && fwrite(sticks[0].content, 1, VOLUME_BYTES, file) > 0);
    if (file)
        fclose(file);
    snprintf(command, sizeof command,
             "cd %s && fsck.fat -n image >/dev/null && mcopy -i image "
             "::mail.db . && test \"$(sqlite3 mail.db 'pragma "
             "integrity_check; select count(*) from part')\" = \"ok\n0\" && "
             "test $(sqlite3 mail.db 'select count(*)>0 from mail') = 1 && "
             "test $(sqlite3 mail.db \"select count(*) from log where Text in "
             "('last words','behind it')\") = 2",
             folder);
    CHECK(system(command) == 0);
}

int main(void)
{
    if (!sticks_begin())
        return 1;
    make_store(&sticks[1]);
    make_store(&sticks[0]);
    format_stick(&blank);
    CHECK(st_password_init() == OK);
    CHECK(st_module_init(BUFFER_BYTES) == OK);
    test_search();
    test_passwords();
    test_deferred();
    test_group_commit();
    test_usage();
    test_last_login();
    test_put_user();
    test_two_change_one();
    test_gathering();
    test_one_bad();
    test_large();
    test_remotes();
    test_shortage();
    test_refused_envelope();
    test_cancel_and_forget();
    test_settings();
    test_gone();
    test_quick_swap();
    test_log();
    test_log_flood();
    test_log_lines();
    test_full();
    test_close();
    for (unsigned i = 0; i < 2; i++)
        ram_medium_free(&sticks[i]);
    ram_medium_free(&blank);
    return sticks_end();
}
