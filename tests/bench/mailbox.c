/* What pages of a big mailbox cost, at native speed and without a stick: a
 * mailbox of 100,000 messages among others.
 *
 *   mailbox [MESSAGES]
 *
 * Prints times of processor a call, as the best of several, and what the index
 * costs: bytes in the database, bytes written, time a message. */
#include "core/machine.h"
#include "mailstore/store_find.h"
#include "mailstore/store_internal.h"
#include "tests/unit/ram_medium.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAP_BYTES     (32u << 20)
#define DATABASE_BYTES (1024ull << 20)
#define WAL_BYTES      (128ull << 20)
#define TIMES          20
#define ROWS           50
#define WORDS          5000

static struct ram_medium medium;
static struct store_place place;
static int64_t user, inbox;
static struct store *writer, *reader;

void machine_entropy(void *buffer, size_t bytes)
{
    memset(buffer, 0x5c, bytes);
}

static int64_t wall_clock(void)
{
    return 1700000000000;
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void must(enum err err, const char *what)
{
    if (err == OK)
        return;
    printf("%s: %s %s\n", what, err_text(err),
           writer ? store_message(writer) : "");
    exit(1);
}

/* ---- The store ---------------------------------------------------------- */

static uint32_t next_random(void)
{
    static uint64_t random = 88172645463325252u;

    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return (uint32_t)(random >> 16);
}

/* Some words are common, most are rare. */
static size_t put_word(char *text)
{
    uint32_t word = next_random() % WORDS;

    word = (uint32_t)((uint64_t)word * word / WORDS * word / WORDS);
    return (size_t)sprintf(text, "%c%c%c%u ", 'a' + (int)(word % 23),
                           'e' + (int)(word / 23 % 5),
                           'a' + (int)(word / 115 % 26), word);
}

static void deliver(unsigned number)
{
    char text[4096];
    struct store_delivery delivery = {.sender = "a@b.example",
                                      .received_ms =
                                          1600000000000 + number * 60000ll,
                                      .users = &user,
                                      .user_count = 1,
                                      .envid = "",
                                      .tail = text};
    size_t len = (size_t)sprintf(
        text,
        "From: Person %u <p%u@x.example>\r\nTo: user@here.example\r\n"
        "Subject: %ssubject %u\r\nMessage-ID: <%u@x.example>\r\n%s%u%s"
        "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\n",
        next_random() % 2000, number % 2000, number % 4 ? "Re: " : "",
        number / 4, number,
        number % 4 ? "References: <" : "X-Number: ", number / 4 * 4,
        number % 4 ? "@x.example>\r\n" : "\r\n");

    while (len < 1500)
        len += put_word(text + len);
    memcpy(text + len, "\r\n", 2);
    delivery.tail_bytes = len + 2;
    must(store_deliver(writer, &delivery), "store_deliver");
}

static void make_store(unsigned messages)
{
    struct user anna = {.name = "anna", .hash = "x", .enabled = true};

    ram_medium_init(&medium, (DATABASE_BYTES + WAL_BYTES) / 512 + 8, false);
    place.media = &medium.media;
    place.wal_sector = 8;
    place.wal_bytes = WAL_BYTES;
    place.database_sector = 8 + WAL_BYTES / 512;
    place.database_bytes = DATABASE_BYTES;
    must(store_create(&place), "store_create");
    must(store_open(&place, true, &writer), "store_open");
    must(store_user_add(writer, &anna), "store_user_add");
    user = anna.id;
    must(store_folder_of(writer, user, STORE_FOLDER_INBOX, &inbox), "Inbox");
    for (unsigned i = 0; i < messages; i++) {
        if (i % 500 == 0)
            must(store_begin(writer), "store_begin");
        deliver(i);
        if (i % 500 == 499 || i + 1 == messages) {
            must(store_commit(writer), "store_commit");
            must(store_checkpoint(writer), "store_checkpoint");
        }
    }
    must(store_open(&place, false, &reader), "store_open");
}

/* ---- Measuring ---------------------------------------------------------- */

static unsigned rows;

static enum err count_row(void *context, const struct store_row *row)
{
    (void)context;
    rows += row->subject[0] != '\0';
    return OK;
}

static enum err count_folder(void *context, const struct store_folder *folder)
{
    (void)context;
    rows += folder->name[0] != '\0';
    return OK;
}

static struct store_page page;
static struct store_search words;
static char cursor[STORE_CURSOR_BYTES];

static enum err list(void)
{
    return store_list_page(reader, user, &page, count_row, NULL);
}

static enum err list_threads(void)
{
    return store_list_threads(reader, user, &page, count_row, NULL);
}

static enum err list_folders(void)
{
    return store_list_folders(reader, user, count_folder, NULL);
}

static enum err find(void)
{
    return store_search(reader, user, &words, count_row, NULL);
}

static void measure(const char *what, enum err (*work)(void))
{
    double best = 1e12, first = 0;

    for (int i = 0; i < TIMES; i++) {
        double start = now_us(), took;

        rows = 0;
        must(work(), what);
        took = now_us() - start;
        if (i == 0)
            first = took;
        best = took < best ? took : best;
    }
    printf("%-44s %9.1f us, first %9.1f us, %3u rows\n", what, best, first,
           rows);
}

static void measure_lists(unsigned messages)
{
    page = (struct store_page){.mailbox_id = inbox, .limit = ROWS};
    measure("folders with their counts", list_folders);
    measure("newest page", list);
    page.cursor = cursor;
    sprintf(cursor, "%u:", messages / 2);
    measure("page in the middle", list);
    page.backwards = true;
    measure("page in the middle, backwards", list);
    page.cursor = "";
    measure("oldest page", list);
    page.backwards = false;
    page.order = STORE_BY_DATE;
    measure("by date", list);
    page.order = STORE_BY_FROM;
    measure("by sender", list);
    page.order = STORE_BY_SUBJECT;
    measure("by subject", list);
    page.order = STORE_BY_SIZE;
    measure("by size", list);
    page.order = STORE_BY_ARRIVAL;
    page.with = STORE_FLAGGED;
    measure("flagged ones, of which there is none", list);
    page.with = 0;
}

static void measure_finding(unsigned messages)
{
    measure("newest page of conversations", list_threads);
    page.cursor = cursor;
    sprintf(cursor, "%u:", messages / 2);
    measure("conversations in the middle", list_threads);
    words = (struct store_search){.words = "aea0", .limit = ROWS};
    measure("search: a word in most messages", find);
    words.words = "aea0 subject:25";
    measure("search: common word, and one of a subject", find);
    words.words = "p1999*";
    measure("search: one sender", find);
    words.words = "nowhere";
    measure("search: a word that is not there", find);
}

static void measure_index(unsigned messages)
{
    struct store_figures before, after;
    uint64_t written = medium.bytes_written;
    double reading = 0, writing = 0, longest = 0;
    struct store_batch *batch;
    unsigned batches = 0;

    must(store_figures(writer, &before), "store_figures");
    must(store_index_want(writer, user), "store_index_want");
    for (;;) {
        double start = now_us(), between;

        must(store_index_read(reader, user, &batch), "store_index_read");
        between = now_us();
        reading += between - start;
        if (batch == NULL)
            break;
        must(store_index_put(writer, batch), "store_index_put");
        store_index_free(batch);
        if (++batches % 200 == 0)
            must(store_checkpoint(writer), "store_checkpoint");
        start = now_us() - between;
        writing += start;
        longest = start > longest ? start : longest;
    }
    must(store_checkpoint(writer), "store_checkpoint");
    must(store_figures(writer, &after), "store_figures");
    printf("index: %u batches; a message: reading %.1f us, writing %.1f us; "
           "longest batch %.1f ms; %.0f bytes in the database, %.0f written\n",
           batches, reading / messages, writing / messages, longest / 1e3,
           (double)(after.used_bytes - before.used_bytes) / messages,
           (double)(medium.bytes_written - written) / messages);
}

int main(int argc, char **argv)
{
    unsigned messages = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
    void *heap = malloc(HEAP_BYTES);

    must(store_module_init(heap, HEAP_BYTES, wall_clock), "SQLite");
    make_store(messages);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%u messages in one mailbox\n", messages);
    measure_lists(messages);
    measure_index(messages);
    printf("with the index\n");
    measure_lists(messages);
    measure_finding(messages);
    return 0;
}
