/* The store on a medium in memory, and its file in the hands of sqlite3. */
#include "check.h"
#include "core/machine.h"
#include "core/random.h"
#include "mailstore/store.h"
#include "mailstore/store_mailbox.h"
#include "mailstore/store_usage.h"
#include "ram_medium.h"
#include "store_downgrade.h"
#include "mailstore/store_internal.h"
#include "userdb/directory.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAP_BYTES (12u << 20)

/* The same in each run. */
void machine_entropy(void *buffer, size_t bytes)
{
    memset(buffer, 0x5c, bytes);
}

static int64_t now_ms(void)
{
    return 1700000000000;
}

static struct ram_medium medium;
static struct store_place place;
static int64_t users[100];

static void make_place(uint64_t database_bytes, uint64_t wal_bytes)
{
    uint64_t sectors = (database_bytes + wal_bytes) / MEDIA_SECTOR_BYTES + 3000;

    ram_medium_init(&medium, sectors, false);
    place.media = &medium.media;
    place.wal_sector = 1001;
    place.wal_bytes = wal_bytes;
    place.database_sector = 1001 + wal_bytes / MEDIA_SECTOR_BYTES + 17;
    place.database_bytes = database_bytes;
    medium.allowed[0][0] = place.wal_sector;
    medium.allowed[0][1] = place.wal_sector + wal_bytes / MEDIA_SECTOR_BYTES;
    medium.allowed[1][0] = place.database_sector;
    medium.allowed[1][1] =
        place.database_sector + database_bytes / MEDIA_SECTOR_BYTES;
}

static struct store *open_writer(void)
{
    struct store *store = NULL;

    CHECK(store_open(&place, true, &store) == OK);
    return store;
}

static void add_users(struct store *store, unsigned count)
{
    CHECK(store_begin(store) == OK);
    for (unsigned i = 0; i < count; i++) {
        struct user user = {.enabled = true};

        snprintf(user.name, sizeof user.name, "user%u", i);
        strcpy(user.hash, "x");
        CHECK(store_user_add(store, &user) == OK);
        users[i] = user.id;
    }
    CHECK(store_commit(store) == OK);
}

static enum err deliver(struct store *store, const char *text,
                        const int64_t *to, unsigned count)
{
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = 1,
                                      .users = to,
                                      .user_count = count,
                                      .tail = text,
                                      .tail_bytes = strlen(text)};

    return store_deliver(store, &delivery);
}

static void test_round(void)
{
    struct store *writer, *reader;
    struct store_maildrop drop;
    char buffer[200], finding[200];
    static const char mail[] = "Subject: =?utf-8?q?H=C3=A9?=\r\n =?UTF-8?B?"
                               "bGxv?= you\r\n\r\nBody\r\n";

    make_place(8 << 20, 4 << 20);
    CHECK(store_open(&place, true, &writer) == ERR_NOT_FOUND);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 3);
    CHECK(deliver(writer, mail, users, 2) == OK);
    CHECK(store_open(&place, false, &reader) == OK);
    CHECK(store_maildrop_load(reader, users[1], &drop) == OK);
    CHECK(drop.count == 1 && drop.bytes == sizeof mail - 1);
    CHECK(store_entry_at(&drop, 0)->uid == 1);
    CHECK(store_message_read(reader, store_entry_at(&drop, 0)->message_id, 3,
                             buffer, sizeof buffer) == (int)sizeof mail - 4);
    CHECK(memcmp(buffer, mail + 3, sizeof mail - 4) == 0);
    store_maildrop_free(&drop);
    CHECK(store_maildrop_load(reader, 99, &drop) == ERR_NOT_FOUND);
    CHECK(store_check(reader, finding, sizeof finding) == OK);
    store_close(reader);
    store_close(writer);
    CHECK(medium.outside == 0 && medium.unaligned == 0);
    ram_medium_free(&medium);
}

static double microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void measure(unsigned batch, unsigned spread)
{
    unsigned total = 2000;
    struct store *writer;
    char text[1400];
    double start;

    make_place(64 << 20, 32 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 100);
    CHECK(store_checkpoint(writer) == OK);
    memset(text, 'x', sizeof text);
    memcpy(text, "Subject: test\r\n\r\n", 17);
    text[1290] = '\0';
    medium.writes = medium.flushes = medium.bytes_written = medium.reads = 0;
    start = microseconds();
    for (unsigned i = 0; i < total; i += batch) {
        CHECK(store_begin(writer) == OK);
        for (unsigned j = 0; j < batch; j++) {
            int64_t to = users[(i + j) * 7919u % spread];

            if (deliver(writer, text, &to, 1))
                CHECK(!"delivered");
        }
        CHECK(store_commit(writer) == OK);
        if (store_wal_pages(writer) > 2000)
            CHECK(store_checkpoint(writer) == OK);
    }
    CHECK(store_checkpoint(writer) == OK);
    start = microseconds() - start;
    printf("batch %3u to %3u users: %.0f bytes, %.3f flushes, %.3f writes, "
           "%.3f reads, %.1f us a message\n",
           batch, spread, (double)medium.bytes_written / total,
           (double)medium.flushes / total, (double)medium.writes / total,
           (double)medium.reads / total, start / total);
    if (batch == 100)
        CHECK(medium.bytes_written / total <= 8192);
    store_close(writer);
    ram_medium_free(&medium);
}

/* ---- In the hands of sqlite3 --------------------------------------------- */

static char folder[] = "/tmp/test_store.XXXXXX";

static int shell(const char *line)
{
    char command[900];

    snprintf(command, sizeof command, "cd %s && %s", folder, line);
    return system(command);
}

static void save_file(const char *name, uint64_t sector, uint64_t bytes)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    CHECK(file && fwrite(medium.content + sector * MEDIA_SECTOR_BYTES, 1, bytes,
                         file) == bytes);
    if (file)
        fclose(file);
}

/* Both files as a workstation would see them now. */
static void save_files(void)
{
    save_file("mail.db", place.database_sector, place.database_bytes);
    save_file("mail.db-wal", place.wal_sector, place.wal_bytes);
}

/* mail.db back from the workstation, which has removed the WAL; what the file
 * lost in length is whatever lies there. */
static void take_back(void)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/mail.db", folder);
    file = fopen(path, "rb");
    memset(medium.content + place.wal_sector * MEDIA_SECTOR_BYTES, 0, 4096);
    CHECK(file &&
          fread(medium.content + place.database_sector * MEDIA_SECTOR_BYTES, 1,
                place.database_bytes, file) > 0);
    if (file)
        fclose(file);
}

static void test_workstation(void)
{
    static const char mail[] = "Subject: from here\r\n\r\nwith text\r\n";
    struct store *writer;
    struct store_maildrop drop;
    char finding[200] = "", buffer[100];

    make_place(8 << 20, 4 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 3);
    for (unsigned i = 0; i < 50; i++)
        CHECK(deliver(writer, mail, users, 2) == OK);
    /* Everything still in the WAL, stale bytes behind it. */
    save_files();
    CHECK(shell("test \"$(sqlite3 mail.db 'pragma integrity_check')\" = ok") ==
          0);
    save_files();
    CHECK(shell("test \"$(sqlite3 mail.db \"select count(*),max(MailID),"
                "min(Receiver),max(Receiver),Subject,Sender,length(Message) "
                "from mail\")\" = '100|50|user0|user1|from here|a@b.c|33'") ==
          0);
    /* The workstation writes, moves the WAL itself and packs the file. */
    save_files();
    CHECK(shell("sqlite3 mail.db \"pragma foreign_keys=on; delete from entry "
                "where MailboxID=1 and UID=1; insert into setting "
                "values('note','x'); vacuum;\"") == 0);
    CHECK(shell("test $(stat -c %s mail.db) -lt 1000000 && "
                "test ! -e mail.db-wal") == 0);
    store_close(writer);
    take_back();
    writer = open_writer();
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    CHECK(store_setting_get(writer, "note", buffer, sizeof buffer) == OK);
    CHECK(store_maildrop_load(writer, users[0], &drop) == OK);
    CHECK(drop.count == 49 && store_entry_at(&drop, 0)->uid == 2);
    store_maildrop_free(&drop);
    CHECK(deliver(writer, mail, users, 1) == OK);
    store_close(writer);
    /* A rollback journal instead of a WAL: it is given its WAL again. */
    save_files();
    CHECK(shell("rm -f mail.db-wal; sqlite3 mail.db 'pragma journal_mode="
                "delete' > /dev/null") == 0);
    take_back();
    writer = open_writer();
    CHECK(deliver(writer, mail, users, 1) == OK);
    CHECK(store_wal_pages(writer) > 0);
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    store_close(writer);
    CHECK(medium.outside == 0 && medium.unaligned == 0);
    ram_medium_free(&medium);
}

static void test_versions(void)
{
    struct store *store;

    make_place(8 << 20, 4 << 20);
    CHECK(store_create(&place) == OK);
    save_files();
    CHECK(shell("rm -f mail.db-wal; sqlite3 mail.db 'pragma user_version=7'") ==
          0);
    take_back();
    CHECK(store_open(&place, true, &store) == ERR_VERSION);
    CHECK(strstr(store_open_message(), "version 7") != NULL);
    CHECK(shell("rm -f mail.db*; sqlite3 mail.db 'create table t(a)'") == 0);
    take_back();
    CHECK(store_open(&place, true, &store) == ERR_NOT_FOUND);
    memset(medium.content + place.database_sector * MEDIA_SECTOR_BYTES + 100,
           0x5a, 4000);
    CHECK(store_open(&place, true, &store) != OK);
    ram_medium_free(&medium);
}

/* A store of the version before keeps all and gets what it lacks, once. */
static void test_upgrade(void)
{
    struct store_folder box;
    struct store *store;
    char finding[128];
    int64_t inbox = 0;
    uint64_t bytes;

    make_place(8 << 20, 4 << 20);
    CHECK(store_create(&place) == OK);
    CHECK(store_open(&place, true, &store) == OK);
    add_users(store, 2);
    for (int i = 0; i < 40; i++)
        CHECK(deliver(store, "Subject: x\r\n\r\n", users, 1) == OK);
    store_close(store);
    save_files();
    CHECK(shell("sqlite3 mail.db \"" STORE_DOWNGRADE "\"") == 0);
    take_back();
    CHECK(store_open(&place, false, &store) == ERR_VERSION);
    CHECK(strstr(store_open_message(), "version 2") != NULL);
    for (int i = 0; i < 2; i++) {
        CHECK(store_open(&place, true, &store) == OK);
        CHECK(store_check(store, finding, sizeof finding) == OK);
        CHECK(store_folder_of(store, users[0], STORE_FOLDER_INBOX, &inbox) ==
              OK);
        CHECK(store_folder(store, users[0], inbox, &box) == OK);
        CHECK(box.messages == 40u + (unsigned)i);
        CHECK(store_usage(store, users[0], &bytes) == OK);
        CHECK(bytes == box.bytes && bytes == box.messages * 14);
        CHECK(deliver(store, "Subject: x\r\n\r\n", users, 2) == OK);
        CHECK(store_check(store, finding, sizeof finding) == OK);
        store_close(store);
    }
    ram_medium_free(&medium);
}

/* ---- Full, large, deleted ------------------------------------------------ */

/* Fills the store to the last page that a delivery may take, and empties it. */
/* How many get mail for an address; -1: nobody. */
static int targets_of(const char *local, const char *domain)
{
    const struct directory_expansion *expansion;

    if (directory_expand(local, strlen(local), domain, strlen(domain),
                         &expansion) != OK)
        return -1;
    return (int)expansion->count;
}

/* Aliases, domains and tags of the store are those of the directory; rows that
 * nobody understands do no harm. */
static void test_directory(void)
{
    static uint8_t directory_memory[65536];
    const struct directory_expansion *expansion;
    struct store *store;

    make_place(8 << 20, 4 << 20);
    CHECK(store_create(&place) == OK);
    store = open_writer();
    add_users(store, 2);
    CHECK(store_alias_add(store, "both", users[0]) == OK);
    CHECK(store_alias_add(store, "BOTH", users[0]) == ERR_EXISTS);
    CHECK(store_alias_add(store, "both", users[1]) == OK);
    CHECK(store_alias_add(store, "both", 4711) == ERR_NOT_FOUND);
    CHECK(store_alias_add(store, "b@@oth", users[1]) == ERR_INVALID);
    CHECK(store_forward_add(store, "both", "x@far.test") == OK);
    CHECK(store_forward_add(store, "both", "x@far.test") == ERR_EXISTS);
    /* Found to be the same by the directory only. */
    CHECK(store_forward_add(store, "both", "x@FAR.test") == OK);
    CHECK(store_forward_add(store, "both", "@far.test") == ERR_INVALID);
    CHECK(store_forward_add(store, "@a.example", "user1") == OK);
    CHECK(store_setting_put(store, "domains", "a.example b.example") == OK);
    CHECK(store_setting_put(store, "domain:b.example", "size=3K  closed x") ==
          OK);
    CHECK(store_setting_put(store, "domain:a.example", "size=x") == OK);
    CHECK(store_setting_put(store, "domain:none.example", "closed") == OK);
    CHECK(store_setting_put(store, "tag_separator", "-") == OK);
    CHECK(store_exec(store, "INSERT INTO alias(Alias,Address) VALUES"
                            "('a b','x@y'),('x','y@'),('x',x'00')") == OK);
    directory_init(directory_memory, sizeof directory_memory);
    CHECK(store_load_directory(store) == OK);
    CHECK(targets_of("both", "a.example") == 3);
    CHECK(targets_of("both-tag", "b.example") == 3);
    CHECK(targets_of("both+tag", "b.example") == -1);
    CHECK(targets_of("whatever", "a.example") == 1);
    CHECK(targets_of("whatever", "b.example") == -1);
    CHECK(targets_of("x", "b.example") == -1);
    CHECK(directory_expand("both", 4, "b.example", 9, &expansion) == OK);
    CHECK(expansion->max_bytes == 3072 && expansion->closed);
    CHECK(directory_expand("both", 4, "a.example", 9, &expansion) == OK);
    CHECK(expansion->max_bytes == 0 && !expansion->closed);
    CHECK(store_setting_put(store, "tag_separator", "none") == OK);
    directory_init(directory_memory, sizeof directory_memory);
    CHECK(store_load_directory(store) == OK);
    CHECK(targets_of("both-tag", "b.example") == -1);
    store_close(store);
    ram_medium_free(&medium);
}

static void test_full(void)
{
    static char text[50000];
    static uint32_t uids[2000];
    struct store_maildrop drop;
    struct store *writer;
    char finding[200] = "";
    unsigned stored = 0;
    enum err err = OK;

    make_place(4 << 20, 2 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 1);
    memset(text, 'x', sizeof text - 1);
    while (!err && stored < 2000) {
        text[1000 + stored % 40 * 1000] = '\0';
        err = deliver(writer, text, users, 1);
        text[1000 + stored % 40 * 1000] = 'x';
        stored += !err;
    }
    CHECK(err == ERR_FULL && stored > 100);
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    CHECK(store_maildrop_load(writer, users[0], &drop) == OK);
    CHECK(drop.count == stored);
    for (uint32_t i = 0; i < drop.count; i++)
        uids[i] = store_entry_at(&drop, i)->uid;
    CHECK(store_delete(writer, drop.mailbox_id, uids, drop.count) == OK);
    store_maildrop_free(&drop);
    /* They are gone; their room comes back when somebody sees to it. */
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    CHECK(store_room_low(writer) && store_garbage(writer));
    for (unsigned i = 0; store_garbage(writer) && i < stored; i++)
        CHECK(store_collect(writer, 64) == OK);
    CHECK(!store_room_low(writer) && !store_garbage(writer));
    CHECK(store_room(writer) > 3u << 20);
    CHECK(deliver(writer, "again", users, 1) == OK);
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    CHECK(store_maildrop_load(writer, users[0], &drop) == OK);
    CHECK(drop.count == 1 && store_entry_at(&drop, 0)->uid == stored + 1);
    store_maildrop_free(&drop);
    store_close(writer);
    CHECK(medium.outside == 0 && medium.unaligned == 0);
    ram_medium_free(&medium);
}

/* A transaction that the WAL has no room for is refused and undone. */
static void test_wal_full(void)
{
    static char chunk[STORE_CHUNK_BYTES];
    struct store *writer;
    char finding[200] = "";
    uint32_t index = 0;
    int64_t id;
    enum err err = OK;

    make_place(32 << 20, 1 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 1);
    CHECK(deliver(writer, "before", users, 1) == OK);
    id = store_reserve_id(writer);
    CHECK(store_begin(writer) == OK);
    while (!err && index < 200)
        err = store_put_chunk(writer, id, index++, chunk, sizeof chunk);
    /* A large cache may hold back the failure until the commit. */
    if (!err)
        err = store_commit(writer);
    CHECK(err == ERR_FULL);
    store_rollback(writer);
    CHECK(deliver(writer, "after", users, 1) == OK);
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    store_close(writer);
    CHECK(medium.outside == 0 && medium.unaligned == 0);
    ram_medium_free(&medium);
}

/* Parts of an unfinished message go with the next opening; a finished one made
 * of parts of any size comes back byte for byte. */
static void test_chunks(void)
{
    static uint8_t sent[300000], got[300000];
    static const size_t sizes[] = {65536, 1000, 65536, 1, 40000};
    struct store_delivery delivery = {
        .sender = "", .users = users, .user_count = 1};
    struct store *writer;
    char finding[200] = "";
    size_t at = 0;
    int64_t id;

    make_place(8 << 20, 4 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 1);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 31 + i / 997);
    id = store_reserve_id(writer);
    CHECK(store_put_chunk(writer, id, 0, sent, 5000) == OK);
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    store_close(writer);
    writer = open_writer();
    CHECK(store_message_read(writer, id, 0, got, 10) == ERR_NOT_FOUND);
    delivery.message_id = store_reserve_id(writer);
    CHECK(delivery.message_id > id);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK(store_put_chunk(writer, delivery.message_id, i, sent + at,
                              sizes[i]) == OK);
        at += sizes[i];
    }
    delivery.chunks = 5;
    delivery.chunk_bytes = at;
    delivery.tail = sent + at;
    delivery.tail_bytes = 60000;
    CHECK(store_deliver(writer, &delivery) == OK);
    at += 60000;
    for (size_t from = 0; from < at; from += 33333) {
        int count = store_message_read(writer, delivery.message_id, from, got,
                                       sizeof got);

        CHECK(count == (int)(at - from));
        CHECK(memcmp(got, sent + from, at - from) == 0);
    }
    CHECK(store_message_read(writer, delivery.message_id, at, got, 1) == 0);
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    delivery.message_id = store_reserve_id(writer);
    CHECK(store_deliver(writer, &delivery) == ERR_INVALID);
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    store_close(writer);
    ram_medium_free(&medium);
}

/* store_check finds what is wrong: a test of the test. */
static void test_check_finds(void)
{
    static const char *const damages[] = {
        "delete from body where BodyID>>12=1",
        "delete from message where MailID=1",
        "update mailbox set UIDNext=1",
        "delete from entry",
        "update message set Bytes=7",
    };
    struct store *writer;
    char finding[200], command[300];

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        make_place(8 << 20, 4 << 20);
        CHECK(store_create(&place) == OK);
        writer = open_writer();
        add_users(writer, 1);
        CHECK(deliver(writer, "x", users, 1) == OK);
        store_close(writer);
        save_files();
        snprintf(command, sizeof command,
                 "rm -f mail.db-wal; sqlite3 mail.db \"%s\"", damages[i]);
        CHECK(shell(command) == 0);
        take_back();
        writer = open_writer();
        finding[0] = '\0';
        CHECK(store_check(writer, finding, sizeof finding) == ERR_CORRUPT);
        CHECK(finding[0] != '\0');
        store_close(writer);
        ram_medium_free(&medium);
    }
}

/* The head of mail.db is damaged while its WAL is live: whoever opens it
 * changes nothing, so that what the WAL holds can still be rescued. */
static void test_damaged_head(void)
{
    static const uint8_t garbage[2] = {0xa5, 0};
    struct store *writer, *reader;

    for (size_t i = 0; i < sizeof garbage; i++) {
        uint8_t *head, *before;
        size_t size;

        make_place(8 << 20, 4 << 20);
        size = (size_t)medium.media.sectors * MEDIA_SECTOR_BYTES;
        CHECK(store_create(&place) == OK);
        writer = open_writer();
        add_users(writer, 1);
        CHECK(deliver(writer, "one", users, 1) == OK);
        medium.fail = ERR_GONE; /* no orderly end: the WAL stays */
        store_close(writer);
        medium.fail = OK;
        head = medium.content + place.database_sector * MEDIA_SECTOR_BYTES;
        memset(head, garbage[i], 4096);
        before = malloc(size);
        memcpy(before, medium.content, size);
        if (store_open(&place, false, &reader) == OK)
            store_close(reader);
        CHECK(memcmp(before, medium.content, size) == 0);
        free(before);
        ram_medium_free(&medium);
    }
}

/* The medium fails: nothing that was committed is lost, and it goes on. */
static void test_failing(void)
{
    struct store *writer, *reader;
    struct store_maildrop drop;
    char finding[200] = "";

    make_place(8 << 20, 4 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 1);
    CHECK(deliver(writer, "one", users, 1) == OK);
    medium.fail = ERR_IO;
    CHECK(deliver(writer, "two", users, 1) == ERR_IO);
    medium.fail = ERR_GONE;
    CHECK(deliver(writer, "three", users, 1) == ERR_GONE);
    medium.fail = OK;
    CHECK(deliver(writer, "four", users, 1) == OK);
    CHECK(store_open(&place, false, &reader) == OK);
    CHECK(store_maildrop_load(reader, users[0], &drop) == OK);
    CHECK(drop.count == 2);
    store_maildrop_free(&drop);
    CHECK(store_check(reader, finding, sizeof finding) == OK);
    medium.fail = ERR_GONE;
    store_close(writer);
    store_close(reader);
    medium.fail = OK;
    writer = open_writer();
    CHECK(store_check(writer, finding, sizeof finding) == OK);
    store_close(writer);
    ram_medium_free(&medium);
}

/* The highest UID in the first user's maildrop. */
static uint32_t last_uid(struct store *store)
{
    struct store_maildrop drop;
    uint32_t uid = 0;

    CHECK(store_maildrop_load(store, users[0], &drop) == OK);
    for (uint32_t i = 0; i < drop.count; i++) {
        CHECK(store_entry_at(&drop, i)->uid > uid);
        uid = store_entry_at(&drop, i)->uid;
    }
    store_maildrop_free(&drop);
    return uid;
}

/* UIDs only rise: over deletions, blocks' ends, rollbacks and restarts. */
static void test_uids(void)
{
    struct store_maildrop drop;
    struct store *writer;
    uint32_t given = 0, uid;

    make_place(8 << 20, 4 << 20);
    CHECK(store_create(&place) == OK);
    writer = open_writer();
    add_users(writer, 2);
    for (unsigned i = 0; i < 100; i++) {
        if (i % 10 == 7) {
            CHECK(store_begin(writer) == OK);
            CHECK(deliver(writer, "undone", users, 2) == OK);
            store_rollback(writer);
        }
        if (i % 33 == 32) {
            store_close(writer);
            writer = open_writer();
        }
        CHECK(deliver(writer, "x", users, 2) == OK);
        uid = last_uid(writer);
        CHECK(uid > given);
        given = uid;
        if (i % 5 == 4) {
            CHECK(store_maildrop_load(writer, users[0], &drop) == OK);
            CHECK(store_delete(writer, drop.mailbox_id, &uid, 1) == OK);
            store_maildrop_free(&drop);
        }
    }
    CHECK(given < 300);
    store_close(writer);
    save_files();
    CHECK(shell("rm -f mail.db-wal; sqlite3 mail.db "
                "'update mailbox set UIDNext=5000'") == 0);
    take_back();
    writer = open_writer();
    CHECK(deliver(writer, "x", users, 1) == OK && last_uid(writer) == 5000);
    store_close(writer);
    ram_medium_free(&medium);
}

int main(void)
{
    void *heap = malloc(HEAP_BYTES);

    random_module_init();
    CHECK(store_module_init(heap, HEAP_BYTES, now_ms) == OK);
    if (!mkdtemp(folder))
        return 1;
    test_round();
    test_uids();
    test_workstation();
    test_versions();
    test_upgrade();
    test_directory();
    test_full();
    test_wal_full();
    test_chunks();
    test_check_finds();
    test_damaged_head();
    test_failing();
    measure(1, 1);
    measure(10, 1);
    measure(100, 1);
    measure(1, 100);
    measure(10, 100);
    measure(100, 100);
    (void)!shell("rm -rf \"$PWD\"");
    free(heap);
    return check_report();
}
