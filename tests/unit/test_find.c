/* The index, search, conversations and contacts: store_find.h. */
#include "mailbox_frame.h"
#include "mailstore/store_append.h"
#include "mailstore/store_find.h"

/* Brings the index up to date. Returns how many batches that took. */
static unsigned catch_up(struct store *store, int64_t user)
{
    unsigned batches = 0;

    for (;;) {
        struct store_batch *batch;

        CHECK(store_index_read(store, user, &batch) == OK);
        if (!batch)
            return batches;
        CHECK(store_index_put(store, batch) == OK);
        store_index_free(batch);
        batches++;
    }
}

struct found {
    unsigned count;
    char subjects[400]; /* separated by spaces */
    char preview[300];
    int64_t thread;
    unsigned messages, unseen; /* of the first one's conversation */
    bool attachments;
};

static enum err take(void *context, const struct store_row *row)
{
    struct found *found = context;

    if (found->count == 0) {
        found->thread = row->thread_id;
        found->messages = row->thread_messages;
        found->unseen = row->thread_unseen;
        found->attachments = row->attachments;
        snprintf(found->preview, sizeof found->preview, "%s", row->preview);
    }
    if (strlen(found->subjects) + strlen(row->subject) + 2 <
        sizeof found->subjects) {
        strcat(found->subjects, row->subject);
        strcat(found->subjects, " ");
    }
    found->count++;
    return OK;
}

static struct found search_in(struct store *store, int64_t user,
                              int64_t mailbox, const char *words)
{
    struct store_search search = {
        .words = words, .limit = 100, .mailbox_id = mailbox};
    struct found found = {0};

    CHECK(store_search(store, user, &search, take, &found) == OK);
    CHECK(search.count == found.count);
    return found;
}

static struct found search(struct store *store, int64_t user, const char *words)
{
    return search_in(store, user, 0, words);
}

#define MAIL(subject, text)                                                    \
    "From: Eve Jones <eve@x.test>\r\nTo: Anna "                                \
    "<anna@here>\r\nSubject: " subject "\r\n\r\n" text "\r\n"

/* ---- Search ------------------------------------------------------------- */

static void test_search(void)
{
    struct store *store = frame_open();
    struct store_search none = {.words = "", .limit = 10};
    struct found found;
    bool wanted = true;

    (void)deliver(store, MAIL("one", "A quick brown fox"), anna);
    (void)deliver(store, MAIL("two", "slow brown cat's \"tail\""), anna);
    (void)deliver(store,
                  MAIL("three", "F\xc3\xbc\xc3\x9f"
                                "e wie Cr\xc3\xa8me"),
                  anna);
    (void)deliver(store, MAIL("fox", "nothing"), bert);
    CHECK(store_index_wanted(store, anna, &wanted) == OK && !wanted);
    CHECK(search(store, anna, "brown").count == 0);
    CHECK(store_index_want(store, anna) == OK);
    CHECK(catch_up(store, anna) > 0);
    CHECK(catch_up(store, anna) == 0);
    found = search(store, anna, "brown");
    CHECK(found.count == 2 && strcmp(found.subjects, "two one ") == 0);
    CHECK(strcmp(found.preview, "slow brown cat's \"tail\"") == 0);
    CHECK(search(store, anna, "brown fox").count == 1);
    CHECK(search(store, anna, "brown \xe2\x80\x93 fox").count == 1);
    CHECK(search(store, anna, "\xc2\xbb\xc2\xab brown fox").count == 1);
    CHECK(search(store, anna, "brown -\xe2\x80\x93 fox").count == 1);
    CHECK(search(store, anna, "\xe2\x80\x93").count == 0);
    CHECK(search(store, anna, "subject:two \xe2\x80\x93 -fox").count == 1);
    CHECK(search(store, anna, "FOX brown").count == 1);
    CHECK(search(store, anna, "\"brown fox\"").count == 1);
    CHECK(search(store, anna, "\"fox brown\"").count == 0);
    CHECK(search(store, anna, "brown -fox").count == 1);
    CHECK(search(store, anna, "-fox").count == 2);
    CHECK(search(store, anna, "bro").count == 2); /* being typed */
    CHECK(search(store, anna, "bro fox").count == 0);
    CHECK(search(store, anna, "bro* fox").count == 1);
    CHECK(search(store, anna, "creme").count == 1); /* without accents */
    CHECK(search(store, anna, "from:eve").count == 3);
    CHECK(search(store, anna, "to:eve").count == 0);
    CHECK(search(store, anna, "to:anna@here").count == 3);
    CHECK(search(store, anna, "subject:two").count == 1);
    CHECK(search(store, anna, "subject:brown").count == 0);
    CHECK(search(store, anna, "jones").count == 3);
    /* What FTS5 would take for operators, and quotes of all kinds. */
    CHECK(search(store, anna, "brown AND fox").count == 0);
    CHECK(search(store, anna, "tail\"").count == 1);
    CHECK(search(store, anna, "\"tail").count == 1);
    CHECK(search(store, anna, "a\"b NEAR( x").count == 0);
    CHECK(search(store, anna, "owner:u2").count == 0);
    CHECK(search(store, anna, "{owner}:u2 ^fox").count == 0);
    CHECK(store_search(store, anna, &none, take, &found) == ERR_INVALID);
    none.words = "\" - * '";
    CHECK(store_search(store, anna, &none, take, &found) == ERR_INVALID);
    none.words = "fox";
    none.mailbox_id = folder_id(store, bert, STORE_FOLDER_INBOX);
    CHECK(store_search(store, anna, &none, take, &found) == ERR_NOT_FOUND);
    none.mailbox_id = 0;
    none.cursor = "x";
    CHECK(store_search(store, anna, &none, take, &found) == ERR_INVALID);
    frame_close(store);
}

/* Users find their own only, also of a message that both have. */
static void test_search_of_others(void)
{
    struct store *store = frame_open();
    int64_t both[] = {anna, bert};

    (void)deliver_to(store, MAIL("shared", "common word"), both, 2);
    (void)deliver(store, MAIL("hers", "common word"), anna);
    (void)deliver(store, MAIL("his", "common word"), bert);
    CHECK(store_index_want(store, anna) == OK);
    CHECK(store_index_want(store, bert) == OK);
    (void)catch_up(store, 0);
    CHECK(strcmp(search(store, anna, "common").subjects, "hers shared ") == 0);
    CHECK(strcmp(search(store, bert, "common").subjects, "his shared ") == 0);
    CHECK(search(store, 4711, "common").count == 0);
    /* She deletes it: he still finds it, she does not. */
    CHECK(store_remove(store, anna,
                       &(struct store_key){
                           folder_id(store, anna, STORE_FOLDER_INBOX), 1},
                       1, NULL) == OK);
    CHECK(strcmp(search(store, anna, "common").subjects, "hers ") == 0);
    CHECK(strcmp(search(store, bert, "common").subjects, "his shared ") == 0);
    frame_close(store);
}

/* What is deleted leaves the index; what is moved stays in it. */
static void test_forget(void)
{
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t trash = folder_id(store, anna, STORE_FOLDER_TRASH), rows;
    struct store_key keys[60];
    uint64_t behind;
    bool more = true;
    unsigned calls = 0;

    CHECK(store_index_want(store, anna) == OK);
    for (uint32_t i = 0; i < 60; i++) {
        (void)deliver(store, MAIL("x", "secretword"), anna);
        keys[i] = (struct store_key){inbox, i + 1};
    }
    CHECK(store_index_behind(store, anna, 50, &behind) == OK && behind == 50);
    CHECK(catch_up(store, 0) >= 4);
    CHECK(store_index_behind(store, 0, 50, &behind) == OK && behind == 0);
    CHECK(store_remove(store, anna, keys, 40, NULL) == OK);
    CHECK(store_trash(store, anna, keys + 40, 10, NULL) == OK);
    CHECK(search(store, anna, "secretword").count == 10);
    CHECK(search_in(store, anna, trash, "secretword").count == 10);
    frame_check(store);
    CHECK(store_collect(store, 100) == OK);
    CHECK(store_index_behind(store, 0, 100, &behind) == OK && behind == 50);
    while (more && calls++ < 20)
        CHECK(store_index_forget(store, 8, &more) == OK);
    CHECK(calls == 5 || calls == 6);
    (void)catch_up(store, 0);
    CHECK(store_index_behind(store, 0, 100, &behind) == OK && behind == 0);
    CHECK(store_number(store, "SELECT count(*) FROM find", &rows) == OK);
    CHECK(rows == 20);
    CHECK(store_exec(store, "INSERT INTO find(find) VALUES"
                            "('integrity-check')") == OK);
    frame_close(store);
}

static void test_search_pages(void)
{
    struct store *store = frame_open();
    struct store_search page = {.words = "word", .limit = 7};
    char cursor[STORE_CURSOR_BYTES] = "";
    unsigned total = 0, pages = 0;
    struct found found = {0};

    CHECK(store_index_want(store, anna) == OK);
    for (uint32_t i = 0; i < 40; i++)
        (void)deliver(store, MAIL("x", "word"), anna);
    (void)catch_up(store, anna);
    do {
        page.cursor = cursor;
        found.subjects[0] = '\0';
        CHECK(store_search(store, anna, &page, take, &found) == OK);
        total += page.count;
        strcpy(cursor, page.last);
    } while (page.more && ++pages < 20);
    CHECK(total == 40 && pages == 5);
    /* And back to the newest. */
    page.backwards = true;
    for (pages = 0, total = 0, page.more = true; page.more; pages++) {
        strcpy(cursor, page.first);
        found.subjects[0] = '\0';
        CHECK(store_search(store, anna, &page, take, &found) == OK);
        total += page.count;
        CHECK(strtoll(page.first, NULL, 10) > strtoll(page.last, NULL, 10) ||
              page.count == 1);
    }
    CHECK(total == 35 && pages == 5);
    frame_close(store);
}

/* Multipart, HTML, charsets, attachments: what is in them is found. */
static void test_content(void)
{
    static const char mail[] =
        "From: a@b\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=q\r\n\r\n"
        "--q\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<p>Sch=F6ne <b>Gr=FC=DFe</b><script>hidden()</script></p>\r\n"
        "--q\r\nContent-Type: application/pdf; name=\"offer.pdf\"\r\n"
        "Content-Disposition: attachment\r\n\r\nxyzzy\r\n--q--\r\n";
    struct store *store = frame_open();
    struct found found;

    CHECK(store_index_want(store, anna) == OK);
    (void)deliver(store, mail, anna);
    (void)catch_up(store, 0);
    found = search(store, anna,
                   "sch\xc3\xb6ne gr\xc3\xbc\xc3\x9f"
                   "e");
    CHECK(found.count == 1 && found.attachments);
    CHECK(strcmp(found.preview, "Sch\xc3\xb6ne Gr\xc3\xbc\xc3\x9f"
                                "e") == 0);
    CHECK(search(store, anna, "offer.pdf").count == 1);
    CHECK(search(store, anna, "hidden").count == 0);
    CHECK(search(store, anna, "xyzzy").count == 0);
    frame_close(store);
}

/* ---- Conversations ------------------------------------------------------ */

#define THREAD_MAIL(subject, fields)                                           \
    "From: a@b\r\nSubject: " subject "\r\n" fields "\r\nx\r\n"

static struct found threads(struct store *store, int64_t user,
                            struct store_page *page)
{
    struct found found = {0};

    CHECK(store_list_threads(store, user, page, take, &found) == OK);
    return found;
}

static void test_threads(void)
{
    struct store *store = frame_open();
    struct store_page page = {
        .mailbox_id = folder_id(store, anna, STORE_FOLDER_INBOX), .limit = 10};
    struct found found, all = {0};

    CHECK(store_index_want(store, anna) == OK);
    CHECK(store_index_want(store, bert) == OK);
    (void)deliver(store, THREAD_MAIL("A", "Message-ID: <a@x>\r\n"), anna);
    (void)deliver(store, THREAD_MAIL("B", "Message-ID: <b@x>\r\n"), anna);
    (void)deliver(store,
                  THREAD_MAIL("Re:A", "Message-ID: <a1@x>\r\n"
                                      "References: <a@x>\r\n"),
                  anna);
    /* Names its parent only, which is not the first. */
    (void)deliver(store,
                  THREAD_MAIL("A2", "Message-ID: <a2@x>\r\n"
                                    "In-Reply-To: <a1@x>\r\n"),
                  anna);
    /* Nothing but the subject. */
    (void)deliver(store, THREAD_MAIL("Re:B", "Message-ID: <b1@x>\r\n"), anna);
    (void)deliver(store, THREAD_MAIL("Re:B", "Message-ID: <b2@x>\r\n"), bert);
    (void)deliver(store, THREAD_MAIL("B", "Message-ID: <b3@x>\r\n"), anna);
    (void)deliver(store, THREAD_MAIL("C", ""), anna);
    (void)deliver(store, THREAD_MAIL("C", ""), anna);
    (void)catch_up(store, 0);
    found = threads(store, anna, &page);
    CHECK(found.count == 5);
    CHECK(strcmp(found.subjects, "C C B Re:B A2 ") == 0);
    page.limit = 4;
    (void)threads(store, anna, &page);
    CHECK(page.more && page.count == 4);
    page.cursor = page.last;
    found = threads(store, anna, &page);
    CHECK(!page.more && found.count == 1 && found.messages == 3);
    CHECK(found.unseen == 3 && strcmp(found.subjects, "A2 ") == 0);
    page.cursor = "";
    page.backwards = true;
    page.limit = 2;
    found = threads(store, anna, &page);
    CHECK(strcmp(found.subjects, "Re:B A2 ") == 0 && page.more);
    CHECK(store_thread(store, anna, threads(store, anna, &page).thread, 10,
                       take, &all) == OK);
    CHECK(strcmp(all.subjects, "B Re:B ") == 0);
    all = (struct found){0};
    CHECK(store_thread(store, bert, threads(store, anna, &page).thread, 10,
                       take, &all) == OK);
    CHECK(all.count == 0);
    CHECK(store_list_threads(store, bert, &page, take, &all) == ERR_NOT_FOUND);
    frame_close(store);
}

/* The parent comes behind its answers. */
static void test_threads_in_disorder(void)
{
    struct store *store = frame_open();
    struct store_page page = {
        .mailbox_id = folder_id(store, anna, STORE_FOLDER_INBOX), .limit = 10};
    struct found found;

    CHECK(store_index_want(store, anna) == OK);
    (void)deliver(store,
                  THREAD_MAIL("2", "Message-ID: <2@x>\r\n"
                                   "References: <0@x> <1@x>\r\n"),
                  anna);
    (void)catch_up(store, 0);
    (void)deliver(store,
                  THREAD_MAIL("1", "Message-ID: <1@x>\r\n"
                                   "References: <0@x>\r\n"),
                  anna);
    (void)deliver(store, THREAD_MAIL("0", "Message-ID: <0@x>\r\n"), anna);
    (void)catch_up(store, 0);
    found = threads(store, anna, &page);
    CHECK(found.count == 1 && found.messages == 3);
    frame_close(store);
}

/* ---- Contacts ----------------------------------------------------------- */

static enum err take_contact(void *context, const struct store_contact *contact)
{
    strcat(context, contact->address);
    strcat(context, ";");
    return OK;
}

static void complete(struct store *store, int64_t user, const char *typed,
                     char *found)
{
    found[0] = '\0';
    CHECK(store_complete(store, user, typed, 10, take_contact, found) == OK);
}

static void test_contacts(void)
{
    static const char sent[] =
        "From: anna@here\r\nTo: Zoe Mayer <zoe@x.test>, max@x.test\r\n"
        "Cc: \"Meyer, Pat\" <pat@y.test>\r\nSubject: s\r\n\r\n";
    struct store *store = frame_open();
    struct store_append append = {.user_id = anna,
                                  .mailbox_id =
                                      folder_id(store, anna, STORE_FOLDER_SENT),
                                  .received_ms = 1,
                                  .sender = "anna@here",
                                  .tail = sent,
                                  .tail_bytes = sizeof sent - 1};
    char found[400];

    CHECK(store_index_want(store, anna) == OK);
    (void)deliver(store, MAIL("a", "a"), anna);
    (void)deliver(store, "From: Max Power <max@z.test>\r\n\r\n", anna);
    CHECK(store_append(store, &append) == OK);
    (void)catch_up(store, 0);
    complete(store, anna, "m", found);
    CHECK(strcmp(found, "max@x.test;pat@y.test;zoe@x.test;max@z.test;") == 0 ||
          strstr(found, "max@z.test;") == found + strlen(found) - 11);
    complete(store, anna, "ma", found);
    CHECK(strstr(found, "zoe@x.test;") && strstr(found, "max@x.test;"));
    complete(store, anna, "pow", found);
    CHECK(strcmp(found, "max@z.test;") == 0);
    complete(store, anna, "EVE@", found);
    CHECK(strcmp(found, "eve@x.test;") == 0);
    complete(store, anna, "%", found);
    CHECK(found[0] == '\0');
    complete(store, bert, "m", found);
    CHECK(found[0] == '\0');
    frame_close(store);
}

/* Long, deep and broken messages neither fail nor stop the index. */
static void test_odd_messages(void)
{
    static char text[60000], chunk[STORE_CHUNK_BYTES];
    struct store *store = frame_open();
    struct store_delivery delivery = {.sender = "", .received_ms = 7};
    uint64_t behind;

    CHECK(store_index_want(store, anna) == OK);
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = (char)(i % 7 ? 'a' + i % 13 : i % 91 ? ' ' : '\n');
    memcpy(text, "Subject: x\n\n", 12);
    for (int i = 0; i < 5; i++)
        (void)deliver(store, text, anna);
    memset(text, 0xff, sizeof text - 1);
    (void)deliver(store, text, anna);
    (void)deliver(store, "", anna);
    memset(chunk, 'z', sizeof chunk);
    memcpy(chunk, "Subject: long one\r\n\r\n", 21);
    delivery.message_id = store_reserve_id(store);
    delivery.users = &anna;
    delivery.user_count = 1;
    for (uint32_t i = 0; i < 20; i++)
        CHECK(store_put_chunk(store, delivery.message_id, i, chunk,
                              sizeof chunk) == OK);
    delivery.chunks = 20;
    delivery.chunk_bytes = 20 * sizeof chunk;
    CHECK(store_deliver(store, &delivery) == OK);
    (void)catch_up(store, 0);
    CHECK(store_index_behind(store, 0, 100, &behind) == OK && behind == 0);
    CHECK(search(store, anna, "long").count == 1);
    frame_close(store);
}

/* One message that the stick does not give back any more hides no other. */
static void test_damaged(void)
{
    struct store *store = frame_open();
    struct store_page page = {.limit = 10};
    struct found found = {0};
    char sql[80];
    int64_t id;

    CHECK(store_index_want(store, anna) == OK);
    (void)deliver(store, MAIL("one", "whole"), anna);
    id = deliver(store, MAIL("two", "lost"), anna);
    (void)deliver(store, MAIL("three", "whole"), anna);
    snprintf(sql, sizeof sql, "DELETE FROM body WHERE BodyID>>12=%lld",
             (long long)id);
    CHECK(store_exec(store, sql) == OK);
    CHECK(catch_up(store, 0) > 0);
    CHECK(search(store, anna, "whole").count == 2);
    page.mailbox_id = folder_id(store, anna, STORE_FOLDER_INBOX);
    CHECK(store_list_page(store, anna, &page, take, &found) == OK);
    CHECK(strcmp(found.subjects, "three two one ") == 0);
    store_close(store);
    ram_medium_free(&medium);
}

int main(void)
{
    void *heap = frame_heap();

    test_search();
    test_search_of_others();
    test_forget();
    test_search_pages();
    test_content();
    test_threads();
    test_threads_in_disorder();
    test_contacts();
    test_odd_messages();
    test_damaged();
    free(heap);
    return check_report();
}
