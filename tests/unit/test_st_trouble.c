/* ST in trouble: an envelope for which there is no room, closing while others
 * read, a store of the version before. */
#include "fake_sticks.h"
#include "mailstore/store_internal.h"
#include "store/st_job.h"
#include "store/st_sql.h"
#include "store_downgrade.h"

/* As in use: mail comes in and can be read, and nothing is left behind. */
static void check_works(void)
{
    struct st_figures figures;
    struct sent sent;

    send_small(&sent, user_ids[0], 7);
    CHECK(UNTIL(sent.answered) && sent.result == OK);
    CHECK(stored_right(&sent));
    CHECK(UNTIL((st_inbound_figures(&figures),
                 figures.buffers_free == figures.buffers)));
}

/* An envelope with no room while a part of its message is on its way to the
 * stick. */
static void test_envelope_without_room(void)
{
    static char texts[100][501];
    static struct sent others[60];
    struct store_remote remotes[100];
    struct sent sent;
    unsigned count = 0;

    for (unsigned i = 0; i < 100; i++) {
        snprintf(texts[i], sizeof texts[i], "rfc822;%0493u", i);
        remotes[i] = (struct store_remote){"x@far.test", texts[i], 0};
    }
    CHECK(begin(&sent, 65537, 1) == OK);
    CHECK(push(&sent));
    while (count < 60 && begin(&others[count], 12000, 2) == OK)
        (void)push(&others[count++]);
    st_inbound_commit(sent.inbound,
                      &(struct st_envelope){.sender = "x@y.z",
                                            .users = user_ids,
                                            .remotes = remotes,
                                            .remote_count = 100,
                                            .envid = ""},
                      on_done, &sent);
    CHECK(UNTIL(sent.answered) && sent.result == ERR_MEMORY);
    for (unsigned i = 0; i < count; i++)
        st_inbound_discard(others[i].inbound);
    check_works();
}

/* What the stick's file system holds, changed by a command in the folder where
 * it lies as "image". */
static void change_stick(const char *command)
{
    char text[1200], path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/image", folder);
    file = fopen(path, "wb");
    CHECK(file && fwrite(sticks[0].content, 1, VOLUME_BYTES, file) > 0);
    if (file)
        fclose(file);
    snprintf(text, sizeof text, "cd %s && %s", folder, command);
    CHECK(system(text) == 0);
    file = fopen(path, "rb");
    CHECK(file &&
          fread(sticks[0].content, 1, VOLUME_BYTES, file) == VOLUME_BYTES);
    if (file)
        fclose(file);
}

/* A store of the version before becomes one of this version. */
static void test_upgrade(void)
{
    pull(0);
    CHECK(UNTIL(st_state() == ST_GONE));
    for (int i = 0; i < 3000; i++)
        turn();
    change_stick("mcopy -i image ::mail.db ::mail.db-wal . && sqlite3 mail.db "
                 "\"" STORE_DOWNGRADE "\" && mcopy -o -i image mail.db :: &&"
                 " mdel -i image ::mail.db-wal");
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    check_works();
}

/* An error after which SQLite has undone the whole transaction, and that is not
 * told on, once. */
static void undo_all(struct st_request *request, struct store *store)
{
    bool *done = request->context;

    if (!*done)
        (void)!store_exec(store, "INSERT OR ROLLBACK INTO setting VALUES"
                                 "('hostname','x')");
    *done = true;
    request->result = OK;
}

static void test_undone(void)
{
    static struct sent sent[3];
    struct st_request request = {.work = undo_all, .done = on_request};

    finished[0] = false;
    request.context = &finished[0];
    send_small(&sent[0], user_ids[0], 1);
    st_queue(&st_context.writes, &request);
    for (unsigned i = 1; i < 3; i++)
        send_small(&sent[i], user_ids[0], (uint8_t)i);
    CHECK(UNTIL(all_answered(sent, 3)));
    for (unsigned i = 0; i < 3; i++)
        CHECK(sent[i].result == OK && stored_right(&sent[i]));
}

/* Mail of more than the WAL holds; true: all of it was taken. */
static bool take_much_mail(void)
{
    bool all = true;

    for (unsigned i = 0; all && i < 400; i++) {
        struct sent sent;

        all = begin(&sent, 20000, (uint8_t)i) == OK && push(&sent);
        if (!all)
            break;
        commit(&sent, user_ids[i % 2]);
        while (!sent.answered) {
            turn();
            (void)st_sql_turn(true);
        }
        all = sent.result == OK;
    }
    return all;
}

/* Who asks for much of mail.db and does not read it holds up no mail. */
static void test_unread_answer(void)
{
    struct st_sql sql = {.admin = true, .time_ms = 100000000};
    static const char text[] = "SELECT a.*,b.* FROM message a,message b";
    char bytes[100];

    for (int i = 0; i < 20; i++)
        check_works();
    sql_session_init(&sql.session);
    sql.session.mode = SQL_MODE_LIST;
    strcpy(sql.session.database, "mail");
    CHECK(st_sql_open(&sql) == OK);
    CHECK(st_sql_put(&sql, text, strlen(text)));
    st_sql_run(&sql);
    for (int i = 0; i < 3000; i++) {
        turn();
        (void)st_sql_turn(false);
    }
    CHECK(st_sql_running(&sql));
    CHECK(take_much_mail());
    while (!st_sql_done(&sql)) {
        (void)st_sql_read(&sql, bytes, sizeof bytes);
        turn();
        (void)st_sql_turn(false);
    }
    (void)st_sql_read(&sql, bytes, sizeof bytes);
    CHECK(sql.err != OK && strstr(sql.result.message, "mail needs the room"));
    st_sql_close(&sql);
    for (int i = 0; i < 100; i++) {
        turn();
        (void)st_sql_turn(false);
    }
}

static bool put_done;

static void on_put(struct st_user_put *put)
{
    (void)put;
    put_done = true;
}

static enum err add_user(unsigned number)
{
    struct st_user_put put = {.user = {.enabled = true}, .done = on_put};

    snprintf(put.user.name, sizeof put.user.name, "user-%u", number);
    strcpy(put.user.hash, hash);
    put_done = false;
    st_user_put(&put);
    CHECK(UNTIL(put_done));
    return put.request.result;
}

/* As many users as there is memory for, and one more, who is refused: what is
 * in the store can be opened again. */
static void test_many_users(void)
{
    enum err err = OK;
    unsigned count = 0;
    struct sent sent;

    while (!err && count < 2000)
        err = add_user(count++);
    CHECK(err == ERR_MEMORY && count > 100);
    CHECK(directory_find_user("user-5", 6));
    CHECK(directory_user_count() == 3 + count - 1);
    check_works();
    pull(0);
    CHECK(UNTIL(st_state() == ST_GONE));
    for (int i = 0; i < 3000; i++)
        turn();
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    CHECK(begin(&sent, 10, 0) == OK);
    st_inbound_discard(sent.inbound);
    CHECK(directory_user_count() == 3 + count - 1);
}

/* On a workstation. */
static void change_users(const char *sql, size_t *bytes)
{
    struct store_place place;
    struct store *store;

    CHECK(store_locate(&sticks[0].media, 0, &place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    CHECK(store_exec(store, sql) == OK);
    CHECK(store_directory_bytes(store, bytes) == OK);
    store_close(store);
}

/* A stick whose users need a greater PC says how great. */
static void test_too_many_users(void)
{
    char wanted[60];
    size_t bytes;

    pull(0);
    CHECK(UNTIL(st_state() == ST_GONE));
    for (int i = 0; i < 3000; i++)
        turn();
    change_users("INSERT INTO user(Name,Password) SELECT Name||'-b',Password"
                 " FROM user",
                 &bytes);
    CHECK(bytes > st_context.directory_bytes);
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_FAILED));
    snprintf(wanted, sizeof wanted, "they need %u MB of memory",
             directory_pc_mb(bytes));
    CHECK(strstr(st_state_text(), wanted) != NULL);
    pull(0);
    for (int i = 0; i < 3000; i++)
        turn();
    change_users("DELETE FROM user WHERE Name LIKE '%-b'", &bytes);
    CHECK(bytes <= st_context.directory_bytes + 8192);
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
}

struct trial {
    struct st_job job; /* must be first */
    bool done, lost_store;
};

/* A page that is in the middle of something for a while. */
static void read_slowly(struct st_job *job, struct store *store)
{
    struct trial *trial = (struct trial *)job;

    for (int i = 0; i < 300; i++) {
        st_job_pause();
        trial->lost_store |= job->worker->store != store;
    }
}

static void on_job(struct st_job *job, enum err result)
{
    ((struct trial *)job)->done = result == OK;
}

/* No connection is closed while somebody is at it, whatever else is due. */
static void test_close(void)
{
    struct trial trial = {.job.run = read_slowly, .job.done = on_job};

    st_job_start(&trial.job);
    for (int i = 0; i < 10; i++)
        turn();
    log_fact("test", "a line that waits");
    st_close();
    st_context.checkpoint_due = true;
    CHECK(UNTIL(trial.done));
    CHECK(!trial.lost_store);
    CHECK(UNTIL(st_state() == ST_GONE));
}

/* As many domains as mkusb takes. */
static void add_domains(void)
{
    struct store_place place;
    struct store *store;
    char domains[1000] = "example.org";

    for (size_t len = strlen(domains); len + 30 < sizeof domains;
         len = strlen(domains))
        snprintf(domains + len, sizeof domains - len, " number-%zu.example",
                 len);
    strcat(domains, " last.example");
    CHECK(store_locate(&sticks[0].media, 0, &place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    CHECK(store_setting_put(store, "domains", domains) == OK);
    CHECK(store_setting_put(store, "web_login_hours", "7") == OK);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(domains, sizeof domains, "domain:number-%u.example", i);
        CHECK(store_setting_put(store, domains, "closed") == OK);
    }
    store_close(store);
}

int main(void)
{
    if (!sticks_begin())
        return 1;
    make_store(&sticks[0]);
    add_domains();
    CHECK(st_password_init() == OK);
    /* A PC with little memory. */
    fake_machine.memory_taken += memory_left() - (24u << 20);
    CHECK(st_module_init(BUFFER_BYTES) == OK);
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    CHECK(directory_is_local_domain("example.org", 11));
    CHECK(directory_is_local_domain("last.example", 12));
    /* What is set of each of them leaves room for all else. */
    CHECK(strcmp(st_setting("web_login_hours"), "7") == 0);
    CHECK(strcmp(st_setting("domain:number-0.example"), "closed") == 0);
    test_envelope_without_room();
    test_upgrade();
    test_undone();
    test_unread_answer();
    test_many_users();
    test_too_many_users();
    test_close();
    ram_medium_free(&sticks[0]);
    return sticks_end();
}
