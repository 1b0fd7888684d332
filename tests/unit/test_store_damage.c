/* Messages whose pages the stick has damaged: they cannot be removed, and hold
 * up nothing else. */
#include "mailbox_frame.h"
#include "mailstore/store_file.h"
#include "mailstore/store_queue.h"
#include <stdio.h>

#define TEXT_BYTES 40000

static const char *text_of(char letter)
{
    static char text[TEXT_BYTES + 1];
    int header = snprintf(text, sizeof text, "Subject: x\r\n\r\n");

    memset(text + header, letter, TEXT_BYTES - (size_t)header);
    return text;
}

/* Lets a page of a row that is full of one letter go on nowhere. */
static void damage(char letter)
{
    uint8_t *page = medium.content + place.database_sector * MEDIA_SECTOR_BYTES;
    uint8_t *end = page + place.database_bytes;
    char full[4000];

    memset(full, letter, sizeof full);
    for (; page < end; page += VOLUME_PAGE_BYTES) {
        if (memcmp(page + 8, full, sizeof full) == 0 &&
            memcmp(page, "\0\0\0\0", 4) != 0) {
            memset(page, 0x7f, 4);
            return;
        }
    }
    CHECK(!"a page of it");
}

/* As after a start of the PC. */
static struct store *reopen(struct store *store, const char *letters)
{
    CHECK(store_checkpoint(store) == OK);
    store_close(store);
    for (; *letters; letters++)
        damage(*letters);
    CHECK(store_open(&place, true, &store) == OK);
    return store;
}

static void test_garbage(void)
{
    static const uint32_t uids[] = {1, 2, 3, 4, 5};
    struct store *store = frame_open();
    int64_t inbox = folder_id(store, anna, STORE_FOLDER_INBOX);
    int64_t ids[5], count;
    unsigned rounds = 0;
    char byte;

    for (unsigned i = 0; i < 5; i++)
        ids[i] = deliver(store, text_of((char)('a' + i)), anna);
    store = reopen(store, "bd");
    CHECK(store_delete(store, inbox, uids, 5) == OK);
    while (store_garbage(store) && rounds++ < 100)
        (void)!store_collect(store, 1);
    CHECK(!store_garbage(store));
    for (unsigned i = 0; i < 5; i++) {
        bool gone = i != 1 && i != 3;

        CHECK((store_message_read(store, ids[i], 0, &byte, 1) ==
               ERR_NOT_FOUND) == gone);
    }
    /* What comes behind it goes, too. */
    ids[0] = deliver(store, text_of('f'), anna);
    CHECK(store_number(store, "SELECT max(UID) FROM entry", &count) == OK);
    CHECK(store_delete(store, inbox, &(uint32_t){(uint32_t)count}, 1) == OK);
    CHECK(store_collect(store, 64) == OK);
    CHECK(!store_garbage(store));
    CHECK(store_message_read(store, ids[0], 0, &byte, 1) == ERR_NOT_FOUND);
    store_close(store);
    ram_medium_free(&medium);
}

/* What never became complete is no reason not to start. */
static void test_parts(void)
{
    struct store *store = frame_open();
    struct store_file file = {.name = "x", .type = "text/plain"};
    int64_t count;

    CHECK(store_put_chunk(store, store_reserve_id(store), 0, text_of('g'),
                          TEXT_BYTES) == OK);
    CHECK(store_put_chunk(store, store_reserve_id(store), 0, text_of('h'),
                          TEXT_BYTES) == OK);
    CHECK(store_file_begin(store, &file) == OK);
    CHECK(store_file_put_part(store, file.id, 0, text_of('i'), TEXT_BYTES) ==
          OK);
    store = reopen(store, "gi");
    CHECK(store_number(store, "SELECT count(*) FROM part", &count) == OK);
    CHECK(count == 1);
    (void)deliver(store, text_of('k'), anna);
    store_close(store);
    ram_medium_free(&medium);
}

/* Sixty messages into her Inbox, or the queue, and the row of the 30th and some
 * others is not to be read any more. */
static struct store *damaged_rows(bool elsewhere)
{
    struct store *store = frame_open();
    const struct store_remote remote = {"x@far.example", "", 0};
    uint8_t *page = medium.content + place.database_sector * MEDIA_SECTOR_BYTES;
    char sender[200];

    for (int i = 0; i < 60; i++) {
        struct store_delivery delivery = {.sender = sender,
                                          .received_ms = frame_now_ms,
                                          .users = &anna,
                                          .user_count = !elsewhere,
                                          .remotes = &remote,
                                          .remote_count = elsewhere,
                                          .tail = "x",
                                          .tail_bytes = 1};

        snprintf(sender, sizeof sender, "%0150d@%02d.example", 0, i);
        CHECK(store_deliver(store, &delivery) == OK);
    }
    CHECK(store_checkpoint(store) == OK);
    store_close(store);
    while (!memmem(page, VOLUME_PAGE_BYTES, "@30.example", 11))
        page += VOLUME_PAGE_BYTES;
    page[0] = 0x55;
    CHECK(store_open(&place, true, &store) == OK);
    return store;
}

static enum err count_waiting(void *context,
                              const struct store_queue_info *info)
{
    unsigned *counts = context;

    counts[info->sender[0] == '\0']++;
    CHECK(strcmp(info->recipient, "x@far.example") == 0);
    return OK;
}

/* Of the messages that wait to be sent, those that can be read are. */
static void test_queue(void)
{
    static struct store_due rows[STORE_RECIPIENTS_MAX];
    struct store *store = damaged_rows(true);
    struct store_due_list list = {
        .now_ms = frame_now_ms + 1000, .rows = rows, .room = 100};
    unsigned counts[2] = {0, 0};
    enum err err = ERR_IO;

    for (int i = 0; err && i < 30; i++)
        err = store_queue_due(store, &list);
    CHECK(err == OK);
    CHECK(list.count > 30 && list.count < 60);
    CHECK(strcmp(rows[0].sender + 150, "@00.example") == 0);
    CHECK(strcmp(rows[list.count - 1].sender + 150, "@59.example") == 0);
    CHECK(store_list_queue(store, 0, count_waiting, counts) == OK);
    CHECK(counts[0] == list.count && counts[0] + counts[1] == 60);
    store_close(store);
    ram_medium_free(&medium);
}

static enum err count_row(void *context, const struct store_row *row)
{
    unsigned *counts = context;

    counts[row->sender[0] == '\0']++;
    CHECK(row->subject[0] == '\0' && row->from_name[0] == '\0');
    return OK;
}

static enum err count_info(void *context, const struct store_message_info *info)
{
    unsigned *counts = context;

    counts[info->sender[0] == '\0']++;
    CHECK(info->bytes == 1 && strcmp(info->mailbox, "Inbox") == 0);
    return OK;
}

/* They stand in their folder's list, as do the others. */
static void test_list(void)
{
    struct store *store = damaged_rows(false);
    struct store_page page = {
        .mailbox_id = folder_id(store, anna, STORE_FOLDER_INBOX), .limit = 100};
    unsigned counts[2] = {0, 0};

    CHECK(store_list_page(store, anna, &page, count_row, counts) == OK);
    CHECK(page.count == 60 && counts[0] > 30 && counts[1] > 0);
    CHECK(counts[0] + counts[1] == 60);
    counts[0] = counts[1] = 0;
    CHECK(store_list_messages(store, anna, count_info, counts) == OK);
    CHECK(counts[0] + counts[1] == 60 && counts[0] > 30 && counts[1] > 0);
    store_close(store);
    ram_medium_free(&medium);
}

int main(void)
{
    void *heap = frame_heap();

    test_garbage();
    test_parts();
    test_queue();
    test_list();
    free(heap);
    return check_report();
}
