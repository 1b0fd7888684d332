/* The index of messages grows in idle moments, and at once for whoever looks
 * for something. */
#include "mailstore/store_internal.h"
#include "fake_sticks.h"
#include "mailstore/store_find.h"
#include "store/st_index.h"

/* A page job that does one thing. */
struct page {
    struct st_job job;
    enum err (*work)(struct store *store, int64_t user);
    int64_t user;
    enum err result;
    bool done;
};

static uint64_t left;
static unsigned rows;

static void run_page(struct st_job *job, struct store *store)
{
    struct page *page = (struct page *)job;

    page->result = page->work(store, page->user);
}

static void page_done(struct st_job *job, enum err result)
{
    struct page *page = (struct page *)job;

    page->done = true;
    if (result)
        page->result = result;
}

static enum err in_page(enum err (*work)(struct store *store, int64_t user),
                        int64_t user)
{
    struct page page = {.work = work, .user = user};

    page.job.run = run_page;
    page.job.done = page_done;
    st_job_start(&page.job);
    CHECK(UNTIL(page.done));
    return page.result;
}

static enum err count_row(void *context, const struct store_row *row)
{
    (void)context;
    (void)row;
    rows++;
    return OK;
}

static enum err behind(struct store *store, int64_t user)
{
    return store_index_behind(store, user, 1000, &left);
}

static enum err catch_up(struct store *store, int64_t user)
{
    return st_index_catch_up(store, user, 60000, &left);
}

static enum err hurry(struct store *store, int64_t user)
{
    return st_index_catch_up(store, user, 0, &left);
}

static enum err look_for(struct store *store, int64_t user)
{
    struct store_search search = {.words = "findme", .limit = 100};

    rows = 0;
    return store_search(store, user, &search, count_row, NULL);
}

static void send_text(int64_t user)
{
    static const char text[] = "Subject: findme\r\n\r\ntext\r\n";
    struct sent sent;

    CHECK(begin(&sent, sizeof text - 1, 0) == OK);
    CHECK(st_inbound_write(sent.inbound, text, sizeof text - 1) ==
          sizeof text - 1);
    commit(&sent, user);
    CHECK(UNTIL(sent.answered) && sent.result == OK);
}

static void turns(unsigned ms)
{
    for (unsigned i = 0; i < ms * 10; i++)
        turn();
}

static void test_idle(void)
{
    struct st_index_figures figures;
    struct sent sent;

    for (int i = 0; i < 20; i++)
        send_text(user_ids[0]);
    /* Nobody wants it yet. */
    turns(5000);
    st_index_figures(&figures);
    CHECK(figures.batches == 0 && !figures.running);
    CHECK(in_page(look_for, user_ids[0]) == OK && rows == 0);
    CHECK(in_page(st_index_user, user_ids[0]) == OK);
    CHECK(in_page(behind, user_ids[0]) == OK && left == 20);
    /* While a message is on its way in nothing is done. */
    CHECK(begin(&sent, 1000, 1) == OK);
    turns(5000);
    CHECK(in_page(behind, user_ids[0]) == OK && left == 20);
    st_inbound_discard(sent.inbound);
    turns(10000);
    CHECK(in_page(behind, user_ids[0]) == OK && left == 0);
    CHECK(in_page(look_for, user_ids[0]) == OK && rows == 20);
    CHECK(in_page(look_for, user_ids[1]) == OK && rows == 0);
    st_index_figures(&figures);
    CHECK(figures.batches == 2 && !figures.running);
}

static int64_t in_index;

static enum err indexed(struct store *store, int64_t user_id)
{
    (void)user_id;
    return store_number(store, "SELECT count(*) FROM find", &in_index);
}

static void test_catch_up(void)
{
    for (int i = 0; i < 5; i++)
        send_text(user_ids[1]);
    CHECK(in_page(hurry, user_ids[1]) == OK && left == 5);
    CHECK(in_page(catch_up, user_ids[1]) == OK && left == 0);
    CHECK(in_page(look_for, user_ids[1]) == OK && rows == 5);
    /* What POP3 deletes is forgotten in an idle moment. */
    {
        struct st_maildrop drop;
        uint32_t uids[] = {1, 2};
        struct st_delete deletion = {.uids = uids, .count = 2};

        CHECK(open_drop(&drop, user_ids[1]) == OK && drop.drop.count == 5);
        deletion.mailbox_id = drop.drop.mailbox_id;
        finished[0] = false;
        deletion.request.done = on_request;
        deletion.request.context = &finished[0];
        st_delete(&deletion);
        CHECK(UNTIL(finished[0]) && deletion.request.result == OK);
        st_maildrop_close(&drop);
    }
    CHECK(in_page(look_for, user_ids[1]) == OK && rows == 3);
    CHECK(in_page(indexed, 0) == OK && in_index == 25);
    turns(10000);
    CHECK(in_page(indexed, 0) == OK && in_index == 23);
    CHECK(in_page(behind, user_ids[1]) == OK && left == 0);
}

/* The stick is pulled in the middle of it. */
static void test_pull(void)
{
    for (int i = 0; i < 40; i++)
        send_text(user_ids[1]);
    turns(2050);
    pull(0);
    CHECK(UNTIL(st_state() == ST_GONE));
    turns(3000);
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    turns(20000);
    CHECK(in_page(behind, 0) == OK && left == 0);
    CHECK(in_page(look_for, user_ids[1]) == OK && rows == 43);
}

static unsigned warnings;

static void count_warning(const struct log_entry *entry)
{
    warnings += entry->level <= LOG_WARN && strcmp(entry->module, "st") == 0;
}

static enum err exec(void *context, struct store *store)
{
    return store_exec(store, context);
}

static enum err hinder(struct store *store, int64_t on)
{
    static char make[] = "CREATE TRIGGER hinder BEFORE INSERT ON summary BEGIN"
                         " SELECT RAISE(FAIL,'hindered'); END";
    static char drop[] = "DROP TRIGGER hinder";

    (void)store;
    return st_job_write(exec, on ? make : drop);
}

/* Trouble that lasts is told once, and gets in nobody's way. */
static void test_trouble(void)
{
    static struct log_sink sink = {.take = count_warning};
    uint64_t writes;

    CHECK(in_page(hinder, 1) == OK);
    log_add_sink(&sink);
    for (int i = 0; i < 3; i++) {
        send_text(user_ids[1]);
        turns(10000);
    }
    CHECK(warnings == 1);
    writes = sticks[0].writes;
    turns(30000);
    CHECK(sticks[0].writes == writes && warnings == 1);
    CHECK(in_page(hinder, 0) == OK);
    turns(10000);
    CHECK(in_page(behind, 0) == OK && left == 0);
}

int main(void)
{
    if (!sticks_begin())
        return 1;
    make_store(&sticks[0]);
    CHECK(st_password_init() == OK);
    CHECK(st_module_init(BUFFER_BYTES) == OK);
    plug(0, &sticks[0]);
    CHECK(UNTIL(st_state() == ST_READY));
    test_idle();
    test_catch_up();
    test_pull();
    test_trouble();
    st_close();
    CHECK(UNTIL(st_state() == ST_GONE));
    ram_medium_free(&sticks[0]);
    return sticks_end();
}
