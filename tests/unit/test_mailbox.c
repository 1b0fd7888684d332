/* Folders, pages, flags, moving and deleting, as store_mailbox.h promises. */
#include "mailbox_frame.h"
#include "mailstore/store_list.h"
#include "mailstore/store_usage.h"

/* ---- Pages -------------------------------------------------------------- */

struct seen {
    unsigned count;
    uint32_t uids[500];
    char subjects[500][32];
    int64_t last_thread;
    char text[600]; /* all that the last row shows */
};

static enum err see(void *context, const struct store_row *row)
{
    struct seen *seen = context;

    seen->uids[seen->count] = row->key.uid;
    snprintf(seen->subjects[seen->count], 32, "%s", row->subject);
    seen->last_thread = row->thread_id;
    snprintf(seen->text, sizeof seen->text, "%s|%s|%s|%s|%s|%lld|%d",
             row->sender, row->from_name, row->from_address, row->to,
             row->subject, (long long)row->date_ms, row->attachments);
    seen->count++;
    return OK;
}

static struct seen list(struct store *store, int64_t user,
                        struct store_page *page)
{
    struct seen seen;

    memset(&seen, 0, sizeof seen);
    CHECK(store_list_page(store, user, page, see, &seen) == OK);
    CHECK(seen.count == page->count);
    return seen;
}

static void fill(struct store *store, unsigned count)
{
    char text[200];

    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text,
                 "From: Person %02u <p%u@x.test>\r\nTo: anna\r\n"
                 "Date: Tue, 14 Nov 2023 22:%02u:00 +0000\r\n"
                 "Subject: %s%c%02u\r\n\r\n%*s\r\n",
                 (i * 7) % 100, i, 59 - i % 60, i % 2 ? "Re: " : "",
                 'a' + (int)(i % 3), i, (int)(1 + i * 13 % 50), "x");
        (void)deliver(store, text, anna);
    }
}

/* Forwards through the whole list, then back: the same pages. */
static void test_paging(void)
{
    struct store *store = frame_open();
    struct store_page page = {.limit = 10};
    char cursor[STORE_CURSOR_BYTES];
    struct seen seen, back;

    fill(store, 45);
    page.mailbox_id = folder_id(store, anna, STORE_FOLDER_INBOX);
    for (int order = 0; order <= STORE_BY_SIZE; order++) {
        for (int up = 0; up < 2; up++) {
            unsigned total = 0;
            uint64_t sum = 0;

            page.order = (enum store_order)order;
            page.ascending = up;
            page.cursor = "";
            page.backwards = false;
            do {
                seen = list(store, anna, &page);
                for (unsigned i = 0; i < seen.count; i++)
                    sum += seen.uids[i];
                total += seen.count;
                strcpy(cursor, page.last);
                page.cursor = cursor;
            } while (page.more);
            CHECK(total == 45 && sum == 45 * 46 / 2);
            CHECK(seen.count == 5);
            strcpy(cursor, page.first);
            page.backwards = true;
            back = list(store, anna, &page);
            CHECK(back.count == 10 && page.more);
            strcpy(cursor, page.last);
            page.backwards = false;
            seen = list(store, anna, &page);
            CHECK(seen.count == 5 && !page.more);
        }
    }
    page.order = STORE_BY_ARRIVAL;
    page.ascending = false;
    page.cursor = NULL;
    page.backwards = true; /* the last page */
    seen = list(store, anna, &page);
    CHECK(seen.count == 10 && seen.uids[9] == 1 && seen.uids[0] == 10);
    frame_close(store);
}

static void test_orders(void)
{
    struct store *store = frame_open();
    struct store_page page = {.limit = 50, .ascending = true};
    struct seen seen;

    fill(store, 30);
    page.mailbox_id = folder_id(store, anna, STORE_FOLDER_INBOX);
    page.order = STORE_BY_SUBJECT;
    seen = list(store, anna, &page);
    CHECK(strcmp(seen.subjects[0], "a00") == 0);
    CHECK(strcmp(seen.subjects[1], "Re: a03") == 0);
    CHECK(strcmp(seen.subjects[29], "Re: c29") == 0);
    page.order = STORE_BY_ARRIVAL;
    seen = list(store, anna, &page);
    for (unsigned i = 0; i < 30; i++)
        CHECK(seen.uids[i] == i + 1);
    page.cursor = "nonsense";
    CHECK(store_list_page(store, anna, &page, see, &seen) == ERR_INVALID);
    page.cursor = "";
    page.limit = 0;
    CHECK(store_list_page(store, anna, &page, see, &seen) == ERR_INVALID);
    frame_close(store);
}

/* What a row tells of a message that the index has not seen. */
static void test_row(void)
{
    struct store *store = frame_open();
    struct store_page page = {.limit = 5};
    struct seen seen;

    (void)deliver(store,
                  "From: =?utf-8?q?J=C3=BCrgen?= <j@x.test>\r\n"
                  "To: \"Anna, the first\" <anna@here>, bert@here\r\n"
                  "Date: Tue, 14 Nov 2023 22:13:20 +0100\r\n"
                  "Content-Type: Multipart/Mixed; boundary=b\r\n"
                  "Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n\r\n",
                  anna);
    page.mailbox_id = folder_id(store, anna, STORE_FOLDER_INBOX);
    seen = list(store, anna, &page);
    CHECK(seen.count == 1);
    CHECK(strcmp(seen.text, "a@b.c|J\xc3\xbcrgen|j@x.test|Anna, the first, "
                            "bert@here|Gr\xc3\xbc\xc3\x9f"
                            "e|1699996400000|1") == 0);
    (void)deliver(store, "no header at all", anna);
    seen = list(store, anna, &page);
    CHECK(seen.count == 2 && seen.last_thread != 0);
    frame_close(store);
}

/* ---- Flags, sums -------------------------------------------------------- */

static void test_flags(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    struct store_page page = {.mailbox_id = inbox, .limit = 100};
    struct store_key keys[50];
    struct seen seen;
    size_t done = 0;
    uint32_t uid = 0;
    bool more = true;

    fill(store, 50);
    for (uint32_t i = 0; i < 50; i++)
        keys[i] = (struct store_key){inbox, i + 1};
    CHECK(folder_of(store, anna, inbox).unseen == 50);
    CHECK(store_flag(store, anna, keys, 40, STORE_SEEN, 0, &done) == OK);
    CHECK(done == 40 && folder_of(store, anna, inbox).unseen == 10);
    CHECK(store_flag(store, anna, keys, 40, STORE_SEEN, 0, &done) == OK);
    CHECK(folder_of(store, anna, inbox).unseen == 10);
    CHECK(store_flag(store, anna, keys + 20, 10, STORE_FLAGGED, STORE_SEEN,
                     &done) == OK);
    CHECK(folder_of(store, anna, inbox).unseen == 20);
    page.with = STORE_FLAGGED;
    seen = list(store, anna, &page);
    CHECK(seen.count == 10 && seen.uids[0] == 30);
    page.with = 0;
    page.without = STORE_SEEN;
    seen = list(store, anna, &page);
    CHECK(seen.count == 20);
    CHECK(store_flag(store, bert, keys, 40, 0, STORE_SEEN, &done) == OK);
    CHECK(done == 0 && folder_of(store, anna, inbox).unseen == 20);
    for (unsigned calls = 0; more; calls++) {
        CHECK(calls < 10);
        CHECK(store_folder_flag(store, anna, inbox, STORE_SEEN, 0, 7, &uid,
                                &more) == OK);
    }
    CHECK(folder_of(store, anna, inbox).unseen == 0);
    frame_close(store);
}

/* Sums and usage follow whatever is done, also what is undone. */
static void test_sums(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t trash = folder_id(store, anna, STORE_FOLDER_TRASH);
    struct store_key keys[100];
    struct store_moved moved;
    uint64_t before, used;
    size_t done;

    fill(store, 80);
    for (uint32_t i = 0; i < 80; i++)
        keys[i] = (struct store_key){inbox, i + 1};
    CHECK(store_usage(store, anna, &before) == OK);
    CHECK(before == folder_of(store, anna, inbox).bytes);
    CHECK(store_trash(store, anna, keys, 80, &moved) == OK && moved.done == 80);
    CHECK(moved.moved == 80 && moved.from == inbox && moved.to == trash);
    CHECK(moved.first == 1 && moved.last == 80);
    CHECK(folder_of(store, anna, inbox).messages == 0);
    CHECK(folder_of(store, anna, trash).messages == 80);
    CHECK(folder_of(store, anna, trash).bytes == before);
    CHECK(store_usage(store, anna, &used) == OK && used == before);
    frame_check(store);
    CHECK(store_begin(store) == OK);
    for (uint32_t i = 0; i < 80; i++)
        keys[i] = (struct store_key){trash, i + 1};
    CHECK(store_trash(store, anna, keys, 30, &moved) == OK && moved.done == 30);
    CHECK(moved.moved == 0);
    store_rollback(store);
    CHECK(folder_of(store, anna, trash).messages == 80);
    CHECK(store_trash(store, anna, keys, 30, &moved) == OK && moved.done == 30);
    CHECK(folder_of(store, anna, trash).messages == 50);
    CHECK(store_copy(store, anna, keys + 30, 5, inbox, &done) == OK);
    CHECK(done == 5 && folder_of(store, anna, inbox).messages == 5);
    CHECK(store_remove(store, anna, keys, 80, &done) == OK && done == 50);
    frame_check(store);
    CHECK(store_usage(store, anna, &used) == OK);
    CHECK(used == folder_of(store, anna, inbox).bytes && used > 0);
    frame_close(store);
}

static void test_empty(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t trash = folder_id(store, anna, STORE_FOLDER_TRASH);
    bool more = true;
    unsigned calls = 0;

    fill(store, 55);
    while (more && calls++ < 10)
        CHECK(store_folder_empty(store, anna, inbox, false, 20, &more) == OK);
    CHECK(calls == 3 && folder_of(store, anna, trash).messages == 55);
    CHECK(store_folder_empty(store, bert, trash, true, 20, &more) ==
          ERR_NOT_FOUND);
    for (more = true; more;)
        CHECK(store_folder_empty(store, anna, trash, true, 50, &more) == OK);
    CHECK(folder_of(store, anna, trash).messages == 0);
    CHECK(store_folder_empty(store, anna, trash, true, 201, &more) ==
          ERR_INVALID);
    frame_close(store);
}

/* ---- POP3 at the same time ---------------------------------------------- */

static void test_maildrop(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t trash = folder_id(store, anna, STORE_FOLDER_TRASH);
    struct store_key keys[] = {{inbox, 1}, {inbox, 2}};
    uint32_t uids[] = {1, 2, 3};
    struct store_maildrop drop;
    char byte;

    fill(store, 4);
    CHECK(store_maildrop_load(store, anna, &drop) == OK && drop.count == 4);
    CHECK(store_remove(store, anna, keys, 1, NULL) == OK);
    CHECK(store_trash(store, anna, keys + 1, 1, NULL) == OK);
    CHECK(store_garbage(store) && store_collect(store, 100) == OK);
    CHECK(!store_garbage(store));
    /* What is gone is gone, what was moved can still be read. */
    CHECK(store_message_read(store, store_entry_at(&drop, 0)->message_id, 0,
                             &byte, 1) == ERR_NOT_FOUND);
    CHECK(store_message_read(store, store_entry_at(&drop, 1)->message_id, 0,
                             &byte, 1) == 1);
    CHECK(store_delete(store, drop.mailbox_id, uids, 3) == OK);
    CHECK(folder_of(store, anna, inbox).messages == 1);
    CHECK(folder_of(store, anna, trash).messages == 1);
    store_maildrop_free(&drop);
    frame_close(store);
}

/* Deleted by POP3: in runs, with gaps between them, some of whose messages are
 * held elsewhere, some twice in one run. What nobody holds goes, nothing else.
 */
static void test_maildrop_runs(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t trash = folder_id(store, anna, STORE_FOLDER_TRASH);
    const uint32_t uids[] = {1, 2, 3, 5, 6, 9, 11, 12, 4000};
    struct store_key keys[] = {{inbox, 1}, {inbox, 2}, {inbox, 6}};
    struct store_key copies[] = {{trash, 1}, {trash, 2}};
    struct store_maildrop drop;
    uint64_t used;
    char byte;

    fill(store, 10);
    /* 1 and 2 are 11 and 12 as well, 6 is in Trash, too. */
    CHECK(store_copy(store, anna, keys, 3, trash, NULL) == OK);
    CHECK(store_copy(store, anna, copies, 2, inbox, NULL) == OK);
    CHECK(store_remove(store, anna, copies, 2, NULL) == OK);
    CHECK(store_maildrop_load(store, anna, &drop) == OK && drop.count == 12);
    CHECK(store_delete(store, inbox, uids, 9) == OK);
    frame_check(store);
    CHECK(folder_of(store, anna, inbox).messages == 4);
    CHECK(store_usage(store, anna, &used) == OK);
    CHECK(used == folder_of(store, anna, inbox).bytes +
                      folder_of(store, anna, trash).bytes);
    while (store_garbage(store))
        CHECK(store_collect(store, 100) == OK);
    for (uint32_t i = 0; i < 10; i++) {
        bool gone = i + 1 <= 3 || i + 1 == 5 || i + 1 == 9;

        CHECK(store_message_read(store, store_entry_at(&drop, i)->message_id, 0,
                                 &byte, 1) == (gone ? ERR_NOT_FOUND : 1));
    }
    store_maildrop_free(&drop);
    frame_close(store);
}

/* ---- Folders ------------------------------------------------------------ */

static enum err count_folder(void *context, const struct store_folder *folder)
{
    char *names = context;

    strcat(names, folder->name);
    strcat(names, " ");
    return OK;
}

static void test_folders(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX), own, other;
    struct store_key key = {inbox, 1};
    char names[400] = "", longest[70];

    CHECK(store_folder_create(store, anna, "Zoo", &own) == OK);
    CHECK(store_folder_create(store, anna, "bills", &other) == OK);
    CHECK(store_list_folders(store, anna, count_folder, names) == OK);
    CHECK(strcmp(names, "Inbox Drafts Sent Junk Trash bills Zoo ") == 0);
    CHECK(store_folder_create(store, anna, "zoo", &other) == ERR_EXISTS);
    CHECK(store_folder_create(store, anna, "INBOX", &other) == ERR_EXISTS);
    CHECK(store_folder_create(store, anna, "", &other) == ERR_INVALID);
    CHECK(store_folder_create(store, anna, " x", &other) == ERR_INVALID);
    CHECK(store_folder_create(store, anna, "a\nb", &other) == ERR_INVALID);
    CHECK(store_folder_create(store, anna, "\xff", &other) == ERR_INVALID);
    memset(longest, 'n', 65);
    longest[65] = '\0';
    CHECK(store_folder_create(store, anna, longest, &other) == ERR_INVALID);
    CHECK(store_folder_create(store, 4711, "x", &other) == ERR_NOT_FOUND);
    CHECK(store_folder_rename(store, anna, own, "ZOO") == OK);
    CHECK(store_folder_rename(store, anna, own, "Bills") == ERR_EXISTS);
    CHECK(store_folder_rename(store, bert, own, "mine") == ERR_NOT_FOUND);
    CHECK(store_folder_rename(store, anna, inbox, "mine") == ERR_REFUSED);
    fill(store, 1);
    CHECK(store_move(store, anna, &key, 1, own, NULL) == OK);
    CHECK(folder_of(store, anna, own).messages == 1);
    CHECK(store_folder_delete(store, anna, own) == ERR_BUSY);
    CHECK(store_folder_delete(store, bert, own) == ERR_NOT_FOUND);
    CHECK(store_folder_delete(store, anna, inbox) == ERR_REFUSED);
    key = (struct store_key){own, 1};
    CHECK(store_remove(store, anna, &key, 1, NULL) == OK);
    CHECK(store_folder_delete(store, anna, own) == OK);
    CHECK(store_folder_delete(store, anna, own) == ERR_NOT_FOUND);
    CHECK(store_folder_create(store, anna, "again", &other) == OK);
    CHECK(other != own);
    frame_close(store);
}

static void test_many_folders(void)
{
    struct store *store = frame_open();
    unsigned made = 0;
    int64_t last;
    char name[16];
    enum err err = OK;

    while (!err && made < 300) {
        snprintf(name, sizeof name, "f%u", made);
        err = store_folder_create(store, anna, name, &last);
        made += !err;
    }
    CHECK(err == ERR_TOO_BIG && made == STORE_FOLDERS_MAX - 5);
    CHECK(store_folder_delete(store, anna, folder_id(store, anna, 0)) ==
          ERR_REFUSED);
    frame_close(store);
}

/* ---- Others' messages --------------------------------------------------- */

/* Whatever ids somebody guesses: nothing of another user is seen or changed. */
static void test_strangers(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t his = folder_id(store, bert, STORE_FOLDER_INBOX), made;
    struct store_page page = {.mailbox_id = inbox, .limit = 10};
    struct seen seen = {0};
    struct store_moved moved;
    char text[100] = "";
    size_t done;

    fill(store, 3);
    CHECK(store_folder_create(store, anna, "mine", &made) == OK);
    CHECK(store_list_page(store, bert, &page, see, &seen) == ERR_NOT_FOUND);
    for (int64_t box = -1; box < made + 10; box++) {
        for (uint32_t uid = 0; uid < 6; uid++) {
            struct store_key key = {box, uid};

            CHECK(store_row(store, bert, &key, see, &seen) == ERR_NOT_FOUND);
            CHECK(store_flag(store, bert, &key, 1, 0xff, 0, &done) == OK);
            CHECK(done == 0);
            CHECK(store_move(store, bert, &key, 1, his, &moved) == OK);
            CHECK(moved.done == 0 && moved.moved == 0);
            CHECK(store_copy(store, bert, &key, 1, his, &done) == OK);
            CHECK(done == 0);
            CHECK(store_trash(store, bert, &key, 1, &moved) == OK);
            CHECK(moved.done == 0);
            CHECK(store_remove(store, bert, &key, 1, &done) == OK && done == 0);
        }
    }
    CHECK(seen.count == 0);
    CHECK(store_move(store, anna, &(struct store_key){inbox, 1}, 1, his,
                     &moved) == ERR_NOT_FOUND);
    CHECK(folder_of(store, anna, inbox).messages == 3);
    CHECK(folder_of(store, bert, his).messages == 0);
    CHECK(store_blind(store, bert, 1, text, sizeof text) == OK && !text[0]);
    frame_close(store);
}

/* The memory of a row holds whatever was in it before. */
static void test_no_row_in_used_memory(void)
{
    struct store *store = frame_open();
    struct store_row_memory *used[16];
    struct store_key key = {folder_id(store, anna, STORE_FOLDER_INBOX), 4711};
    struct seen seen = {0};

    for (size_t i = 0; i < 16; i++) {
        used[i] = store_row_memory();
        memset(used[i], 0xa5, sizeof(*used[i]));
    }
    for (size_t i = 0; i < 16; i++)
        store_row_memory_free(used[i]);
    CHECK(store_row(store, anna, &key, see, &seen) == ERR_NOT_FOUND);
    CHECK(seen.count == 0);
    frame_close(store);
}

int main(void)
{
    void *heap = frame_heap();

    test_paging();
    test_orders();
    test_row();
    test_flags();
    test_sums();
    test_empty();
    test_maildrop();
    test_maildrop_runs();
    test_folders();
    test_many_folders();
    test_strangers();
    test_no_row_in_used_memory();
    free(heap);
    return check_report();
}
