/* ST on a fake machine with slow disks: group commit, messages in, spilling,
 * maildrops, logins, the stick pulled out and put back, the store full. */
#include "check.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/timer.h"
#include "fake_machine.h"
#include "ram_medium.h"
#include "store/st_log.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUME_BYTES (40u << 20)
#define DATABASE     (12u << 20)
#define BUFFER_BYTES (400u << 10)
#define DISK_TURNS   3
#define SMALL_BYTES  1024

struct fake_disk {
    struct ram_medium *medium; /* NULL: nothing is plugged in */
    uint32_t generation;
    bool read_only;
    struct list queue;
    unsigned wait;
};

static struct fake_disk disks[MACHINE_DISKS];
static struct ram_medium sticks[2], blank;
static char folder[] = "/tmp/test_st.XXXXXX";
static int64_t user_ids[3];

/* ---- The machine -------------------------------------------------------- */

void machine_disk_info(unsigned disk, struct machine_disk_info *info)
{
    memset(info, 0, sizeof *info);
    info->present = disks[disk].medium != NULL;
    info->generation = disks[disk].generation;
    info->read_only = disks[disk].read_only;
    if (info->present)
        info->sectors = disks[disk].medium->media.sectors;
    strcpy(info->vendor, "Fake");
    strcpy(info->product, "Stick");
}

void machine_disk_submit(struct machine_disk_request *request)
{
    list_append(&disks[request->disk].queue, &request->link);
}

static enum err carry_out(struct fake_disk *disk,
                          struct machine_disk_request *request)
{
    struct media *media = disk->medium ? &disk->medium->media : NULL;

    if (!media)
        return ERR_GONE;
    switch (request->operation) {
    case MACHINE_DISK_READ:
        return media->read(media, request->sector, request->sectors,
                           request->buffer);
    case MACHINE_DISK_WRITE:
        return disk->read_only
                   ? ERR_REFUSED
                   : media->write(media, request->sector, request->sectors,
                                  request->buffer);
    case MACHINE_DISK_FLUSH:
        return media->flush(media);
    default:
        return ERR_INVALID;
    }
}

bool machine_poll(void)
{
    bool any = false;

    for (unsigned i = 0; i < MACHINE_DISKS; i++) {
        struct fake_disk *disk = &disks[i];
        struct machine_disk_request *request;

        if (list_empty(&disk->queue))
            continue;
        any = true;
        if (disk->medium && ++disk->wait < DISK_TURNS)
            continue;
        disk->wait = 0;
        request = LIST_ELEMENT(list_take_first(&disk->queue),
                               struct machine_disk_request, link);
        request->result = carry_out(disk, request);
        request->done(request);
    }
    return any;
}

static void plug(unsigned disk, struct ram_medium *medium)
{
    disks[disk].medium = medium;
    disks[disk].generation++;
}

static void pull(unsigned disk)
{
    disks[disk].medium = NULL;
}

static void turn(void)
{
    fake_machine.now_ns += 100000;
    (void)machine_poll();
    (void)timer_run();
    (void)st_run();
}

/* Turns until the condition holds; false when it never does. */
#define UNTIL(condition)                                                       \
    ({                                                                         \
        unsigned turns_ = 0;                                                   \
        while (!(condition) && turns_++ < 400000)                              \
            turn();                                                            \
        (condition);                                                           \
    })

/* ---- Sticks ------------------------------------------------------------- */

static int64_t now_ms(void)
{
    return 1700000000000;
}

/* "secret" with little memory, so that the test is quick. */
static const char hash[] = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$"
                           "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

static void format_stick(struct ram_medium *medium)
{
    char command[600], path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/image", folder);
    snprintf(command, sizeof command,
             "rm -f %s; truncate -s %u %s; mformat -F -c 1 -T %u -i %s ::",
             path, VOLUME_BYTES, path, VOLUME_BYTES / 512, path);
    CHECK(system(command) == 0);
    ram_medium_init(medium, VOLUME_BYTES / 512, false);
    file = fopen(path, "rb");
    CHECK(file &&
          fread(medium->content, 1, VOLUME_BYTES, file) == VOLUME_BYTES);
    if (file)
        fclose(file);
}

static void make_store(struct ram_medium *medium)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    struct store_place place;
    struct store *store;

    format_stick(medium);
    CHECK(store_locate(&medium->media, DATABASE, &place) == OK);
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    for (int i = 0; i < 3; i++) {
        struct user user = {.enabled = i != 2};

        strcpy(user.name, names[i]);
        strcpy(user.hash, hash);
        CHECK(store_user_add(store, &user) == OK);
        user_ids[i] = user.id;
    }
    CHECK(store_alias_add(store, "info", user_ids[0]) == OK);
    CHECK(store_setting_put(store, "domains", "example.org") == OK);
    store_close(store);
}

/* ---- Messages ----------------------------------------------------------- */

struct sent {
    struct st_inbound *inbound;
    uint64_t bytes, written;
    bool wants_room, answered;
    enum err result;
    int64_t id;
    uint8_t seed;
};

static uint8_t letter(const struct sent *sent, uint64_t at)
{
    return (uint8_t)('a' + (at * 7 + at / 251 + sent->seed) % 26);
}

static void on_room(void *context)
{
    struct sent *sent = context;

    sent->wants_room = true;
}

static void on_done(void *context, enum err result, int64_t id)
{
    struct sent *sent = context;

    CHECK(!sent->answered);
    sent->answered = true;
    sent->result = result;
    sent->id = id;
}

static enum err begin(struct sent *sent, uint64_t bytes, uint8_t seed)
{
    enum err why = OK;

    memset(sent, 0, sizeof *sent);
    sent->bytes = bytes;
    sent->seed = seed;
    sent->wants_room = true;
    sent->inbound = st_inbound_begin(bytes, on_room, sent, &why);
    return why;
}

/* Writes as much as is taken; true when all is. */
static bool push(struct sent *sent)
{
    uint8_t part[1500];

    while (sent->wants_room && sent->written < sent->bytes) {
        size_t len = sizeof part, took;

        if (len > sent->bytes - sent->written)
            len = (size_t)(sent->bytes - sent->written);
        for (size_t i = 0; i < len; i++)
            part[i] = letter(sent, sent->written + i);
        took = st_inbound_write(sent->inbound, part, len);
        sent->written += took;
        sent->wants_room = took == len;
    }
    return sent->written == sent->bytes;
}

static void commit(struct sent *sent, int64_t user)
{
    st_inbound_commit(
        sent->inbound,
        &(struct st_envelope){
            .sender = "x@y.z", .users = &user, .user_count = 1, .envid = ""},
        on_done, sent);
}

/* A small message from begin to commit, not yet answered. */
static void send_small(struct sent *sent, int64_t user, uint8_t seed)
{
    CHECK(begin(sent, SMALL_BYTES, seed) == OK);
    CHECK(push(sent));
    commit(sent, user);
}

static bool all_answered(const struct sent *sent, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!sent[i].answered)
            return false;
    }
    return true;
}

static bool finished[3];

static void on_request(struct st_request *request)
{
    *(bool *)request->context = true;
}

static bool stored_right(const struct sent *sent)
{
    static uint8_t buffer[40000];
    uint64_t at = 0;

    for (;;) {
        struct st_read read = {.message_id = sent->id,
                               .offset = at,
                               .buffer = buffer,
                               .bytes = sizeof buffer};

        finished[0] = false;
        read.request.done = on_request;
        read.request.context = &finished[0];
        st_read(&read);
        if (!UNTIL(finished[0]) || read.request.result)
            return false;
        if (read.got == 0)
            return at == sent->bytes;
        for (int i = 0; i < read.got; i++) {
            if (buffer[i] != letter(sent, at + (uint64_t)i))
                return false;
        }
        at += (uint64_t)read.got;
    }
}

static enum err open_drop(struct st_maildrop *drop, int64_t user)
{
    memset(drop, 0, sizeof *drop);
    finished[1] = false;
    drop->user_id = user;
    drop->request.done = on_request;
    drop->request.context = &finished[1];
    st_maildrop_open(drop);
    CHECK(!finished[1]);
    CHECK(UNTIL(finished[1]));
    return drop->request.result;
}

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

/* ---- Tests -------------------------------------------------------------- */

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
    CHECK(directory_user_count() == 3);
    CHECK(strcmp(st_setting("no such key"), "") == 0);
}

static void test_gone(void)
{
    static struct sent sent[10], open_one, begun;
    struct st_maildrop drop;
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
    CHECK(open_drop(&drop, user_ids[1]) == OK);
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

/* ---- The log --------------------------------------------------------------
 */

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
    void *heap = malloc(10u << 20);
    char command[100];

    if (!mkdtemp(folder))
        return 1;
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    for (unsigned i = 0; i < MACHINE_DISKS; i++)
        list_init(&disks[i].queue);
    timer_module_init();
    random_module_init();
    CHECK(store_module_init(heap, 10u << 20, now_ms) == OK);
    make_store(&sticks[1]);
    make_store(&sticks[0]);
    format_stick(&blank);
    CHECK(st_module_init(BUFFER_BYTES) == OK);
    test_search();
    test_passwords();
    test_deferred();
    test_group_commit();
    test_gathering();
    test_one_bad();
    test_large();
    test_shortage();
    test_cancel_and_forget();
    test_settings();
    test_gone();
    test_quick_swap();
    test_log();
    test_log_flood();
    test_log_lines();
    test_full();
    test_close();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
    for (unsigned i = 0; i < 2; i++)
        ram_medium_free(&sticks[i]);
    ram_medium_free(&blank);
    free(heap);
    return check_report();
}
