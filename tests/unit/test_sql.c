/* SQL for people: what the fence lets through, what it answers, what is left of
 * it after a power cut. */
#include "check.h"
#include "core/machine.h"
#include "core/random.h"
#include "core/zone.h"
#include "mailstore/sql_heap.h"
#include "mailstore/sql_script.h"
#include "mailstore/store_internal.h"
#include "ram_medium.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAP_BYTES  (12u << 20)
#define QUERY_BYTES (2u << 20)
#define OUT_BYTES   (1u << 20)

void machine_entropy(void *buffer, size_t bytes)
{
    memset(buffer, 0x5c, bytes);
}

static int64_t now_ms(void)
{
    return 1700000000000;
}

static struct ram_medium medium;
static struct store_place mail, data;
static void *heap, *query_heap;
static char out[OUT_BYTES];
static size_t out_len;
static unsigned pauses, pauses_left;
static bool may_write, refuse_output;
static struct sql_session session;
static struct sql_result result;
static struct sql *sql;

/* ---- The host of scripts ------------------------------------------------- */

static enum err write_out(void *context, const char *bytes, size_t len)
{
    (void)context;
    if (refuse_output)
        return ERR_GONE;
    if (len > OUT_BYTES - 1 - out_len)
        len = OUT_BYTES - 1 - out_len;
    memcpy(out + out_len, bytes, len);
    out_len += len;
    out[out_len] = '\0';
    return OK;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Mail that comes while a query runs. */
static struct store *writer;
static int64_t receiver;
static unsigned delivered;

static void deliver_one(void)
{
    static char body[60000];
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = 1,
                                      .tail = body,
                                      .tail_bytes = sizeof body,
                                      .users = &receiver,
                                      .user_count = 1};

    memset(body, 'x', sizeof body);
    sql_heap_use(SQL_NONE, NULL);
    if (delivered < 90 && store_deliver(writer, &delivery) == OK)
        delivered++;
    sql_heap_use(0, NULL);
}

static bool on_pause(void *context, bool waiting)
{
    (void)context;
    pauses++;
    if (writer != NULL && pauses % 64 == 0)
        deliver_one();
    return waiting || (pauses_left != 0 && --pauses_left == 0);
}

static enum err open_it(void *context, const struct sql_session *wanted,
                        struct sql **opened, char message[SQL_MESSAGE_BYTES])
{
    bool is_mail = strcmp(wanted->database, "mail") == 0;
    struct sql_options options = {.place = is_mail ? &mail : &data,
                                  .mail = is_mail,
                                  .write = wanted->write,
                                  .pause = on_pause};

    (void)context;
    return sql_open(&options, opened, message);
}

static enum err read_it(void *context, const char *name, char **text,
                        size_t *len)
{
    static const char script[] = "CREATE TABLE t1(a);\n.tables\nbad one;";

    (void)context;
    if (strcmp(name, "t1.sql") != 0)
        return ERR_NOT_FOUND;
    *len = sizeof script - 1;
    *text = sql_text_alloc(*len);
    if (*text == NULL)
        return ERR_MEMORY;
    memcpy(*text, script, *len);
    return OK;
}

static const struct sql_host host = {
    .write = write_out, .now_us = now_us, .open = open_it, .read = read_it};

static enum err run(const char *text)
{
    enum err err;

    out_len = 0;
    out[0] = '\0';
    sql_heap_use(0, NULL);
    err = sql_script(&sql, &session, &host, text, strlen(text), &result);
    sql_heap_use(SQL_NONE, NULL);
    return err;
}

static void leave(void)
{
    sql_heap_use(0, NULL);
    sql_close(sql);
    sql_heap_use(SQL_NONE, NULL);
    sql = NULL;
}

static void use(const char *database, bool write, enum sql_mode mode)
{
    leave();
    sql_session_init(&session);
    strcpy(session.database, database);
    session.write = write;
    session.mode = mode;
}

/* ---- A medium with a store and a database -------------------------------- */

static void set_place(struct store_place *place, uint64_t sector,
                      uint64_t bytes, uint64_t wal_bytes)
{
    place->media = &medium.media;
    place->wal_sector = sector;
    place->wal_bytes = wal_bytes;
    place->database_sector = sector + wal_bytes / MEDIA_SECTOR_BYTES;
    place->database_bytes = bytes;
}

static void restart(void)
{
    if (store_module_init(heap, HEAP_BYTES, now_ms) != OK ||
        sql_heap_init(0, query_heap, QUERY_BYTES) != OK) {
        printf("no SQLite\n");
        exit(1);
    }
}

static void make_media(void)
{
    struct store *store;
    struct user user = {.enabled = true, .name = "anna"};
    struct store_delivery delivery = {.sender = "a@b.c",
                                      .received_ms = 1,
                                      .tail = "Subject: s\r\n\r\nsecret\r\n",
                                      .tail_bytes = 22,
                                      .users = &user.id,
                                      .user_count = 1};

    heap = malloc(HEAP_BYTES);
    query_heap = malloc(QUERY_BYTES);
    ram_medium_init(&medium, 60000, true);
    set_place(&mail, 100, 8 << 20, 4 << 20);
    set_place(&data, 30000, 4 << 20, 1 << 20);
    data.data = true;
    restart();
    CHECK(store_create(&mail) == OK);
    CHECK(store_open(&mail, true, &store) == OK);
    strcpy(user.hash, "$argon2id$hash-of-anna");
    CHECK(store_user_add(store, &user) == OK);
    receiver = user.id;
    CHECK(store_setting_put(store, "hostname", "h.example") == OK);
    CHECK(store_deliver(store, &delivery) == OK);
    store_close(store);
}

static void make_data(void)
{
    use("data", true, SQL_MODE_LIST);
    session.headers = false;
    CHECK(run("SELECT 1") == OK && strcmp(out, "1\n") == 0);
}

/* ---- Where statements end ------------------------------------------------ */

static void test_scan(void)
{
    static const struct {
        const char *text;
        size_t end;
    } cases[] = {
        {"SELECT 1;", 9},
        {"SELECT 1", 0},
        {"", 0},
        {";", 1},
        {"SELECT ';';x", 11},
        {"SELECT 'a''b;';", 15},
        {"SELECT \";\" , [;], `;`;", 22},
        {"SELECT 1 -- ;\n;", 15},
        {"SELECT /* ; */ 1;", 17},
        {"SELECT /* ;", 0},
        {"SELECT ';", 0},
        {"CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END;", 60},
        {"CREATE TEMP TRIGGER t BEGIN SELECT 1; SELECT end; END ; x", 55},
        {"create temporary trigger t begin select 1;", 0},
        {"CREATE TABLE trigger_x(a); SELECT 1;", 26},
        {"EXPLAIN QUERY PLAN SELECT 1;", 28},
        {"BEGIN; INSERT;", 6},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(sql_statement_end(cases[i].text, strlen(cases[i].text)) ==
              cases[i].end);
    CHECK(sql_text_complete(".tables", 7));
    CHECK(sql_text_complete("SELECT 1; SELECT 2;", 19));
    CHECK(!sql_text_complete("SELECT 1; SELECT 2", 18));
    CHECK(sql_text_complete("  -- only this\n", 15));
}

/* ---- Forms ----------------------------------------------------------------
 */

static void expect(const char *text, const char *want)
{
    enum err err = run(text);

    CHECK(err == OK && strcmp(out, want) == 0);
    if (err != OK || strcmp(out, want) != 0)
        printf("%s\n -> %s %s\n", text, result.message, out);
}

static void test_forms(void)
{
    static const char rows[] =
        "SELECT 1 AS a, 'x,\"<y>' AS \"b&\", NULL AS c, x'00ff' AS d;";

    use("data", false, SQL_MODE_LIST);
    expect("SELECT 1 AS a, 'x' AS b;", "a|b\n1|x\n");
    use("data", false, SQL_MODE_CSV);
    expect(rows, "a,b&,c,d\r\n1,\"x,\"\"<y>\",,00ff\r\n");
    use("data", false, SQL_MODE_JSON);
    expect(rows, "[{\"a\":1,\"b&\":\"x,\\\"<y>\",\"c\":null,\"d\":"
                 "\"00ff\"}]\n");
    expect("SELECT 1e999 AS a, char(9) AS b UNION ALL SELECT 2.5, CAST(x'ff41'"
           " AS TEXT);",
           "[{\"a\":1e999,\"b\":\"\\u0009\"},\n"
           "{\"a\":2.5,\"b\":\"\xef\xbf\xbd"
           "A\"}]\n");
    use("data", false, SQL_MODE_ARRAYS);
    expect("SELECT 1 AS a; SELECT 2 AS b WHERE 0;",
           "{\"columns\":[\"a\"],\n\"rows\":[[1]]},\n"
           "{\"columns\":[\"b\"],\n\"rows\":[]}");
    use("data", false, SQL_MODE_HTML);
    session.cut = 4;
    expect("SELECT '<b>' AS \"<i>\", 'abcdef', NULL;",
           "<div class=\"scroll\"><table class=\"rows\"><thead><tr>"
           "<th scope=\"col\">&lt;i&gt;</th><th scope=\"col\">&#39;abcdef&#39;"
           "</th><th scope=\"col\">NULL</th></tr></thead><tbody>\n"
           "<tr><td>&lt;b&gt;</td><td>abcd ... (6 bytes)</td>"
           "<td class=\"null\"></td></tr>\n</tbody></table></div>\n");
    use("data", false, SQL_MODE_LINE);
    expect("SELECT 1 AS a, 2 AS longer;", "     a = 1\nlonger = 2\n");
    use("data", false, SQL_MODE_COLUMN);
    expect("VALUES(1,'x'),(100,'yy');", "column1  column2\n-------  -------\n"
                                        "1        x\n100      yy\n");
    session.headers = false;
    expect(".print hello\n.nullvalue nil\nSELECT NULL, 3;", "hello\nnil  3\n");
    use("data", false, SQL_MODE_LIST);
    session.rows_max = 2;
    expect("VALUES(1),(2),(3); SELECT 4 AS z;", "column1\n1\n2\nz\n4\n");
    CHECK(result.cut && result.rows == 3 && result.statements == 2);
}

/* ---- Errors and commands --------------------------------------------------
 */

static void test_errors(void)
{
    use("data", true, SQL_MODE_LIST);
    CHECK(run("SELECT 1;\n SELECT a FROM\n nowhere;") == ERR_INVALID);
    CHECK(strstr(result.message, "no such table: nowhere") != NULL);
    CHECK(run("SELECT 1;\n SELEKT 2;") == ERR_INVALID);
    CHECK(result.line == 2 && result.column == 2);
    CHECK(run("SELECT 1,\n  oops('x');") == ERR_INVALID);
    CHECK(result.line == 2 && result.column == 3);
    sql_heap_use(0, NULL);
    CHECK(sql_script(&sql, &session, &host, "SELECT 1;\0SELECT 2;", 19,
                     &result) == ERR_INVALID);
    sql_heap_use(SQL_NONE, NULL);
    CHECK(result.line == 1 && result.column == 10);
    CHECK(run(".bogus") == ERR_INVALID);
    CHECK(run(".read nothing.sql") == ERR_INVALID || result.message[0]);
    CHECK(run(".read t1.sql") == ERR_INVALID);
    CHECK(strstr(result.message, "t1.sql: near \"bad\"") != NULL);
    CHECK(result.line == 3 && strcmp(out, "t1\n") == 0);
    expect(".tab", "t1\n");
    expect("SELECT 1 AS a; -- said\n /* so */ .tab", "a\n1\nt1\n");
    expect("DROP TABLE t1; SELECT changes() AS c;", "c\n0\n");
    CHECK(run(".quit\nSELECT nonsense;") == OK && result.quit);
    CHECK(run(".dbr") == OK && result.quit && result.serve);
    CHECK(run(".use mail") == OK);
    CHECK(run(".write on") == ERR_INVALID);
    expect(".databases", "mail: may be written\n");
    CHECK(run("INSERT INTO setting VALUES('a','b');") == ERR_INVALID);
    CHECK(run(".use nothing") == OK);
    session.shell = false;
    CHECK(run(".read t1.sql") == ERR_INVALID);
    CHECK(run(".mode csv\n.headers off\n.help") == OK && out_len == 0);
    CHECK(session.mode == SQL_MODE_LIST && session.headers);
    use("data", false, SQL_MODE_LIST);
    refuse_output = true;
    CHECK(run("SELECT 1;") != OK);
    refuse_output = false;
}

static void test_dump(void)
{
    use("data", true, SQL_MODE_LIST);
    CHECK(run("CREATE TABLE \"a b\"(x, \"y\"\"z\");"
              "INSERT INTO \"a b\" VALUES(1,'it''s'),(NULL,x'01');"
              "CREATE INDEX i ON \"a b\"(x);") == OK);
    CHECK(result.changes == 2);
    expect(".dump", "PRAGMA foreign_keys=OFF;\nBEGIN;\n"
                    "CREATE TABLE \"a b\"(x, \"y\"\"z\");\n"
                    "INSERT INTO \"a b\" VALUES(1,'it''s');\n"
                    "INSERT INTO \"a b\" VALUES(NULL,X'01');\n"
                    "CREATE INDEX i ON \"a b\"(x);\nCOMMIT;\n");
    CHECK(run("DROP TABLE \"a b\";") == OK);
}

/* ---- The fence ------------------------------------------------------------
 */

/* Refused wherever they are tried, and whoever may write. */
static const char *const hostile[] = {
    "ATTACH '0/mail.db' AS m;",
    "ATTACH 'mail.db' AS m;",
    "ATTACH '' AS m;",
    "ATTACH ':memory:' AS m;",
    "ATTACH 'file:0/mail.db?mode=ro' AS m;",
    "DETACH main;",
    "VACUUM;",
    "VACUUM INTO '0/mail.db';",
    "SELECT load_extension('x');",
    "SELECT fts3_tokenizer('simple');",
    "PRAGMA journal_mode=DELETE;",
    "PRAGMA journal_mode=OFF;",
    "PRAGMA synchronous=OFF;",
    "PRAGMA locking_mode=EXCLUSIVE;",
    "PRAGMA writable_schema=1;",
    "PRAGMA writable_schema=RESET;",
    "PRAGMA trusted_schema=ON;",
    "PRAGMA cache_size=100000;",
    "PRAGMA page_size=512;",
    "PRAGMA max_page_count=100000000;",
    "PRAGMA mmap_size=1000000;",
    "PRAGMA temp_store=1;",
    "PRAGMA temp_store_directory='/';",
    "PRAGMA wal_checkpoint(TRUNCATE);",
    "PRAGMA wal_autocheckpoint=0;",
    "PRAGMA query_only=0;",
    "PRAGMA hard_heap_limit=1;",
    "PRAGMA soft_heap_limit=1;",
    "PRAGMA threads=4;",
    "PRAGMA busy_timeout=1000000;",
    "PRAGMA secure_delete=ON;",
    "PRAGMA cell_size_check=0;",
    "PRAGMA ignore_check_constraints=1;",
    "PRAGMA schema_version=7;",
    "PRAGMA legacy_alter_table=1;",
    "PRAGMA optimize;",
    "PRAGMA shrink_memory;",
    "PRAGMA auto_vacuum=1;",
    "PRAGMA incremental_vacuum;",
    "PRAGMA encoding='UTF-16';",
    "PRAGMA data_store_directory='/';",
    "PRAGMA no_such_pragma=1;",
    "CREATE VIRTUAL TABLE temp.x USING dbstat;",
    "CREATE VIRTUAL TABLE x USING sqlite_dbpage;",
    "CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd');",
    "SELECT * FROM sqlite_dbpage;",
    "SELECT * FROM dbstat;",
    "SELECT * FROM m.user;",
    "SELECT readfile('/etc/passwd');",
    "SELECT writefile('x','y');",
    "SELECT edit('x');",
    "UPDATE sqlite_schema SET sql='x';",
    "DELETE FROM sqlite_schema;",
    "INSERT INTO sqlite_schema VALUES(1,2,3,4,5);",
};

/* What only the switch for writing allows, and mail.db never. */
static const char *const writing[] = {
    "INSERT INTO setting VALUES('x','y');",
    "REPLACE INTO setting VALUES('hostname','evil');",
    "UPDATE user SET Admin=1;",
    "UPDATE user SET Password='x' WHERE 1;",
    "DELETE FROM message;",
    "DROP TABLE user;",
    "DROP VIEW mail;",
    "DROP INDEX entry_mail;",
    "ALTER TABLE user RENAME TO x;",
    "ALTER TABLE user ADD COLUMN x;",
    "ALTER TABLE user DROP COLUMN Admin;",
    "CREATE TABLE x(a);",
    "CREATE TABLE x AS SELECT * FROM user;",
    "CREATE INDEX x ON user(Name);",
    "CREATE VIEW x AS SELECT 1;",
    "CREATE TRIGGER x AFTER INSERT ON user BEGIN DELETE FROM user; END;",
    ("CREATE TEMP TRIGGER x AFTER INSERT ON main.user BEGIN DELETE FROM "
     "main.user; END; INSERT INTO main.user(Name) VALUES('z');"),
    "ANALYZE;",
    "REINDEX;",
    "PRAGMA user_version=9;",
    "PRAGMA application_id=9;",
    "PRAGMA foreign_keys=0;",
    "BEGIN;",
    "BEGIN IMMEDIATE;",
    "BEGIN EXCLUSIVE;",
    "SAVEPOINT x;",
    "PRAGMA integrity_check;",
    "WITH x AS (SELECT 1) INSERT INTO setting SELECT 'a','b' FROM x;",
    "INSERT INTO user(Name,Password) VALUES('a','b') RETURNING *;",
};

/* Ways to a secret; each answers without it. */
static const char *const prying[] = {
    "SELECT Password FROM user;",
    "SELECT * FROM user;",
    "SELECT u.* FROM user AS u;",
    "SELECT \"Password\" FROM main.user;",
    "SELECT group_concat(Password) FROM user;",
    "SELECT max(Password), hex(Password), quote(Password) FROM user;",
    "SELECT substr(Password,1,5) FROM user ORDER BY Password;",
    "SELECT Name FROM user WHERE Password LIKE '$argon%';",
    "SELECT count(*) FROM user WHERE Password='$argon2id$hash-of-anna';",
    "WITH w AS (SELECT * FROM user) SELECT * FROM w;",
    "SELECT * FROM (SELECT Password AS p FROM user);",
    "SELECT (SELECT Password FROM user) AS p;",
    "CREATE TEMP TABLE t AS SELECT * FROM user; SELECT * FROM t;",
    ("CREATE TEMP VIEW v AS SELECT Password AS p FROM main.user; SELECT * FROM "
     "v;"),
    "SELECT row_number() OVER (ORDER BY Password), Password FROM user;",
    "SELECT * FROM user NATURAL JOIN (SELECT UserID FROM user);",
    "SELECT Password FROM user GROUP BY Password HAVING Password>'';",
    "SELECT Password FROM user UNION SELECT Password FROM route;",
    ("SELECT CASE WHEN Password>'$' THEN char(97)||'rgon' ELSE 'no' END FROM "
     "user;"),
};

static void test_fence(void)
{
    for (unsigned mode = 0; mode < 3; mode++) {
        use(mode == 0 ? "mail" : "data", mode != 1, SQL_MODE_LIST);
        for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
            enum err err = run(hostile[i]);

            CHECK(err == ERR_INVALID);
            if (err == OK)
                printf("passed: %s\n%s\n", hostile[i], out);
        }
    }
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++) {
        use("mail", true, SQL_MODE_LIST);
        CHECK(run(writing[i]) == ERR_INVALID);
        if (result.message[0] == '\0')
            printf("passed: %s\n%s\n", writing[i], out);
    }
    for (size_t i = 0; i < sizeof prying / sizeof prying[0]; i++) {
        use("mail", false, SQL_MODE_LIST);
        CHECK(run(prying[i]) == OK);
        CHECK(strstr(out, "argon") == NULL);
        if (strstr(out, "argon") != NULL || result.message[0] != '\0')
            printf("%s\n%s%s\n", prying[i], result.message, out);
    }
    use("mail", false, SQL_MODE_LIST);
    session.headers = false;
    expect("SELECT Name, Password IS NULL FROM user;", "anna|1\n");
    expect("SELECT Receiver, Subject FROM mail;", "anna|s\n");
    expect("SELECT count(*) FROM user WHERE Password='$argon2id$hash-of-anna';",
           "0\n");
    use("data", true, SQL_MODE_LIST);
    CHECK(run("SELECT * FROM user;") == ERR_INVALID);
    CHECK(run("PRAGMA database_list;") == OK && strstr(out, "mail") == NULL);
}

static void test_read_only(void)
{
    use("data", true, SQL_MODE_LIST);
    CHECK(run("CREATE TABLE t(a); INSERT INTO t VALUES(5);") == OK);
    use("data", false, SQL_MODE_LIST);
    session.headers = false;
    CHECK(run("INSERT INTO t VALUES(6);") == ERR_INVALID);
    CHECK(strstr(result.message, "read-only") != NULL);
    CHECK(run("CREATE TABLE u(a);") == ERR_INVALID);
    CHECK(run("CREATE TEMP TABLE u AS SELECT a+1 AS b FROM t;") == OK);
    expect("SELECT b FROM u;", "6\n");
    expect("SELECT a FROM t;", "5\n");
    CHECK(run(".write on") == OK);
    CHECK(run("BEGIN; INSERT INTO t VALUES(6);") == OK);
    CHECK(sql_in_transaction(sql));
    CHECK(run("ROLLBACK; DROP TABLE t;") == OK);
    CHECK(!sql_in_transaction(sql));
}

/* ---- What a query may use up ----------------------------------------------
 */

static void make_views(unsigned count)
{
    char text[80];

    CHECK(run("CREATE VIEW v0 AS SELECT 1 AS a;") == OK);
    for (unsigned i = 1; i <= count; i++) {
        snprintf(text, sizeof text, "CREATE VIEW v%u AS SELECT a FROM v%u;", i,
                 i - 1);
        CHECK(run(text) == OK);
    }
}

/* The stack's end is where this says: SQLite turns back before it. */
static void test_stack(void)
{
    char low[1];
    const char *stack = low - 128 * 1024;

    use("data", true, SQL_MODE_LIST);
    make_views(400);
    sql_heap_use(0, stack);
    out_len = 0;
    CHECK(sql_script(&sql, &session, &host, "SELECT a FROM v400;", 19,
                     &result) == ERR_MEMORY);
    CHECK(sql_script(&sql, &session, &host, "SELECT a FROM v3;", 17, &result) ==
          OK);
    sql_heap_use(SQL_NONE, NULL);
    for (unsigned i = 0; i <= 400; i++) {
        char text[32];

        snprintf(text, sizeof text, "DROP VIEW v%u;", i);
        CHECK(run(text) == OK);
    }
}

static void test_limits(void)
{
    struct store *store;
    uint64_t start;
    int64_t id;

    use("data", true, SQL_MODE_LIST);
    session.rows_max = 5;
    CHECK(run("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n"
              " LIMIT 1000000) SELECT group_concat(i) FROM n;") != OK);
    CHECK(run("WITH RECURSIVE n(i) AS (VALUES(1) UNION SELECT i+1 FROM n)"
              " SELECT count(*) FROM n;") == ERR_MEMORY);
    CHECK(run("SELECT zeroblob(1000000000);") != OK);
    CHECK(run("SELECT replace(hex(zeroblob(100000)),'0',hex(zeroblob(9)));") !=
          OK);
    CHECK(run("CREATE TEMP TABLE big AS WITH RECURSIVE n(i) AS (VALUES(1)"
              " UNION ALL SELECT i+1 FROM n) SELECT hex(randomblob(400))"
              " FROM n;") == ERR_MEMORY);
    /* Mail has all of its memory meanwhile. */
    CHECK(store_open(&mail, true, &store) == OK);
    CHECK(store_setting_put(store, "x", "y") == OK);
    store_close(store);
    CHECK(run("CREATE TABLE f(a); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL"
              " SELECT i+1 FROM n) INSERT INTO f SELECT randomblob(4000)"
              " FROM n;") == ERR_FULL);
    CHECK(run("DROP TABLE f;") == OK);
    /* Interrupted from outside, also within one function. */
    pauses_left = 3;
    CHECK(run("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n)"
              " SELECT count(*) FROM n;") == ERR_TIMEOUT);
    pauses_left = 3;
    start = now_us();
    CHECK(run("SELECT instr(printf('%.*c',200000,'a'),"
              "printf('%.*c',100000,'a')||'b');") == ERR_TIMEOUT);
    pauses_left = 3;
    CHECK(run("SELECT printf('%.*c',200000,'a') LIKE '%a%a%a%a%a%a%a%a%b';") ==
          ERR_TIMEOUT);
    CHECK(now_us() - start < 2000000);
    pauses_left = 0;
    CHECK(run("SELECT trim('a',printf('%.*c',1000,'a'));") == ERR_INVALID);
    (void)id;
}

static void test_functions(void)
{
    use("data", false, SQL_MODE_LIST);
    session.headers = false;
    expect("SELECT 'aBc' LIKE 'AbC', 'abc' LIKE 'a%', 'abc' LIKE '%b%',"
           " 'abc' LIKE 'a_c', 'abc' LIKE 'b%', 'a%c' LIKE 'a\\%c' ESCAPE '\\',"
           " 'abc' LIKE 'a\\%c' ESCAPE '\\', '' LIKE '', '' LIKE '%',"
           " '\xc3\xa4x' LIKE '_x', NULL LIKE 'a', 'aab' LIKE '%ab',"
           " x'61' LIKE 'a';",
           "1|1|1|1|0|1|0|1|1|1||1|0\n");
    expect("SELECT 'abc' GLOB 'a*', 'abc' GLOB 'A*', 'abc' GLOB 'a?c',"
           " 'abc' GLOB '[a-c]bc', 'abc' GLOB '[^a]bc', 'a]c' GLOB 'a[]]c',"
           " 'a-c' GLOB 'a[x-]c', 'abc' GLOB '[abc', '*' GLOB '[*]';",
           "1|0|1|1|0|1|1|0|1\n");
    expect("SELECT instr('abcabc','c'), instr('abc','x'), instr('\xc3\xa4yx',"
           "'x'), instr(x'0102',x'02'), instr('abc',''), instr(NULL,'a'),"
           " instr('aab','ab');",
           "3|0|3|2|1||2\n");
    expect("SELECT replace('abcabc','b','XY'), replace('aaa','a',''),"
           " replace('abc','','x'), replace(NULL,'a','b'),"
           " replace('ab','b','b');",
           "aXYcaXYc||abc||ab\n");
    expect("SELECT trim('xxaxx','x'), ltrim('xyab','yx'), rtrim('ab\xc3\xa4',"
           "'\xc3\xa4'), '['||trim('  a ')||']', trim('abc','');",
           "a|ab|ab|[a]|abc\n");
}

/* Those that SQLite has for JSON, arithmetic and local time. */
static void test_more_functions(void)
{
    use("data", false, SQL_MODE_LIST);
    session.headers = false;
    expect("SELECT json_extract('{\"a\":[1,{\"b\":\"x\"}]}','$.a[1].b'),"
           " '{\"a\":2}' ->> 'a', json_array(1,'x',NULL),"
           " json_object('k',json('[1, 2]')), json_remove('[1,2]','$[0]'),"
           " json_valid('{');",
           "x|2|[1,\"x\",null]|{\"k\":[1,2]}|[2]|0\n");
    expect("SELECT group_concat(fullkey||'='||atom,' ') FROM"
           " json_tree('{\"a\":[1,2]}') WHERE atom IS NOT NULL;",
           "$.a[0]=1 $.a[1]=2\n");
    expect("SELECT sum(value) FROM json_each('[1,2,3.5]');", "6.5\n");
    expect("SELECT json_group_array(column1) FROM (VALUES(1),('a'));",
           "[1,\"a\"]\n");
    expect("SELECT ceil(1.2), floor(-1.2), trunc(-1.7), sqrt(2), pow(2,0.5),"
           " round(sin(1),6), round(log2(10),6), mod(7,3), round(tanh(1),6),"
           " sqrt(-1), round(degrees(atan2(1,1)),6), round(exp(1),6);",
           "2.0|-2.0|-1.0|1.4142135623731|1.4142135623731|0.841471|3.321928|"
           "1.0|0.761594||45.0|2.718282\n");
    CHECK(zone_set("Europe/Berlin"));
    expect("SELECT datetime(1700000000,'unixepoch','localtime'),"
           " datetime(1690000000,'unixepoch','localtime'),"
           " datetime('2023-07-22 06:26:40','utc');",
           "2023-11-14 23:13:20|2023-07-22 06:26:40|2023-07-22 04:26:40\n");
    CHECK(zone_set(""));
    expect("SELECT datetime(1700000000,'unixepoch','localtime');",
           "2023-11-14 22:13:20\n");
}

/* No JSON takes more of a query's stack than there is. */
static void test_json_depth(void)
{
    use("data", false, SQL_MODE_LIST);
    session.headers = false;
    expect("WITH t(z) AS (VALUES(hex(zeroblob(50))),(hex(zeroblob(50))||'0'))"
           " SELECT json_valid(replace(z,'0','[')||replace(z,'0',']')) FROM t;",
           "1\n0\n");
    CHECK(run("SELECT json_set('{}','$.a',1);") == ERR_INVALID);
    CHECK(run("SELECT json_insert('{}','$.a',1);") == ERR_INVALID);
    CHECK(run("SELECT json_patch('{}','{}');") == ERR_INVALID);
    CHECK(strstr(result.message, "json_patch") != NULL);
    expect("SELECT json_replace('{\"a\":1}','$.a',2);", "{\"a\":2}\n");
}

/* The WAL of mail.db cannot begin anew while a query reads in it: before mail
 * has no room there any more the query is ended. */
static void test_snapshot(void)
{
    use("mail", false, SQL_MODE_LIST);
    session.headers = false;
    CHECK(store_open(&mail, true, &writer) == OK);
    delivered = 0;
    CHECK(run("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n)"
              " SELECT count(*) FROM message, n;") == ERR_TIMEOUT);
    CHECK(strstr(result.message, "mail needs the room") != NULL);
    CHECK(delivered > 10 && delivered < 90);
    delivered = 0;
    for (unsigned i = 0; i < 30; i++)
        deliver_one();
    sql_heap_use(SQL_NONE, NULL);
    CHECK(delivered == 30);
    CHECK(store_checkpoint(writer) == OK);
    store_close(writer);
    writer = NULL;
    expect("SELECT count(*)>40 FROM message;", "1\n");
    leave();
}

/* Full text search: made in a database where writing is on, and searched in
 * mail.db, where it changes nothing. */
static void test_full_text(void)
{
    use("data", true, SQL_MODE_LIST);
    session.headers = false;
    CHECK(run("CREATE VIRTUAL TABLE f USING fts5(a);"
              "INSERT INTO f VALUES('one two'),('three');") == OK);
    if (result.message[0] != '\0')
        printf("%s\n", result.message);
    expect("SELECT a FROM f WHERE f MATCH 'two';", "one two\n");
    use("data", false, SQL_MODE_LIST);
    session.headers = false;
    expect("SELECT a FROM f WHERE f MATCH 'three';", "three\n");
    CHECK(run("INSERT INTO f VALUES('x');") == ERR_INVALID);
    CHECK(run(".write on\nDROP TABLE f;") == OK);
    use("data", false, SQL_MODE_LIST);
    CHECK(run("CREATE VIRTUAL TABLE f USING fts5(a);") == ERR_INVALID);
    use("mail", true, SQL_MODE_LIST);
    session.headers = false;
    expect("SELECT count(*) FROM find WHERE find MATCH 'nowhere';", "0\n");
    CHECK(run("INSERT INTO find(find) VALUES('rebuild');") == ERR_INVALID);
    CHECK(run("INSERT INTO find(find) VALUES('optimize');") == ERR_INVALID);
    CHECK(run("DELETE FROM find_data;") == ERR_INVALID);
}

/* Two at once, each with its heap: one waits for the other's transaction. */
static void test_two(void)
{
    struct sql_session other_session;
    struct sql_result other_result;
    struct sql *other = NULL;
    void *memory = malloc(QUERY_BYTES);

    CHECK(sql_heap_init(1, memory, QUERY_BYTES) == OK);
    use("data", true, SQL_MODE_LIST);
    sql_session_init(&other_session);
    other_session.write = true;
    CHECK(run("CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES(1);") == OK);
    sql_heap_use(1, NULL);
    CHECK(sql_script(&other, &other_session, &host, "INSERT INTO t VALUES(2);",
                     24, &other_result) != OK);
    CHECK(sql_script(&other, &other_session, &host, "SELECT count(*) FROM t;",
                     23, &other_result) == OK);
    sql_heap_use(SQL_NONE, NULL);
    CHECK(run("COMMIT;") == OK);
    sql_heap_use(1, NULL);
    CHECK(sql_script(&other, &other_session, &host, "INSERT INTO t VALUES(2);",
                     24, &other_result) == OK);
    sql_close(other);
    sql_heap_use(SQL_NONE, NULL);
    session.headers = false;
    expect("SELECT sum(a) FROM t; DROP TABLE t;", "3\n");
    leave();
    sql_heap_use(SQL_NONE, NULL);
    free(memory);
}

/* The paper's Fig. 9, as it stands there but for its .quit. */
static void test_paper(void)
{
    use("data", true, SQL_MODE_LIST);
    session.shell = false;
    expect("CREATE TABLE mail (MailID varchar(4),\nSender varchar(255),\n"
           "Receiver varchar(255) default NULL ,\n"
           "Subject varchar(255) default NULL ,\n"
           "Message varchar(1000) default NULL );\n"
           "insert into mail values ('0001', 'bpc0002', 'bpc0001', 'DS mail',"
           " 'this is to\nuser 2 to 1');\n"
           ".tables\nselect Sender from mail;\n.quit\nselect * from nothing;",
           "name\nmail\nSender\nbpc0002\n");
    CHECK(result.quit && result.changes == 1);
    CHECK(run("DROP TABLE mail;") == OK);
}

/* ---- Power cuts -----------------------------------------------------------
 */

static uint64_t cut_random = 77;
static jmp_buf power_off;

static unsigned chance(unsigned limit)
{
    cut_random ^= cut_random << 13;
    cut_random ^= cut_random >> 7;
    cut_random ^= cut_random << 17;
    return (unsigned)(cut_random >> 20) % limit;
}

static volatile int confirmed;

/* Row n says n; what was answered stays, nothing else comes. */
static void work(void)
{
    for (;;) {
        char text[120];

        use("data", true, SQL_MODE_LIST);
        for (unsigned i = chance(20) + 1; i > 0; i--) {
            snprintf(text, sizeof text,
                     "INSERT INTO t VALUES(%d,randomblob(%u));", confirmed + 1,
                     chance(9000));
            if (run(text) != OK) {
                printf("%s\n", result.message);
                return;
            }
            confirmed++;
            if (confirmed % 60 == 0)
                CHECK(run("DELETE FROM t WHERE n%2;"
                          "INSERT INTO t SELECT value,NULL FROM"
                          " (WITH RECURSIVE s(value) AS (VALUES(1) UNION ALL"
                          " SELECT value+2 FROM s WHERE value<"
                          "(SELECT max(n) FROM t)-1) SELECT value FROM s);"
                          "UPDATE t SET b=NULL;") == OK);
        }
    }
}

static void verify(void)
{
    int count = -1, most = -1;
    char sound[8] = "";

    sql = NULL;
    restart();
    use("data", chance(2), SQL_MODE_LIST);
    session.headers = false;
    CHECK(run("SELECT count(*),coalesce(max(n),0) FROM t;"
              "PRAGMA integrity_check;") == OK);
    CHECK(sscanf(out, "%d|%d\n%7s", &count, &most, sound) == 3);
    /* The deletion's own statements are several transactions. */
    CHECK(most == confirmed || most == confirmed + 1);
    CHECK(strcmp(sound, "ok") == 0);
    if (most > confirmed)
        confirmed = most;
    leave();
}

static void test_cuts(unsigned cuts)
{
    use("data", true, SQL_MODE_LIST);
    CHECK(run("CREATE TABLE t(n INTEGER PRIMARY KEY,b);") == OK);
    leave();
    CHECK(medium.media.flush(&medium.media) == OK);
    medium.power_off = &power_off;
    for (unsigned i = 0; i < cuts; i++) {
        if (setjmp(power_off) == 0) {
            medium.countdown = 1 + (long)chance(chance(3) ? 40 : 600);
            work();
            break;
        }
        sql_heap_use(SQL_NONE, NULL);
        ram_medium_cut(&medium);
        verify();
        CHECK(medium.media.flush(&medium.media) == OK);
    }
    printf("%u cuts, %d rows\n", cuts, confirmed);
}

int main(int argc, char **argv)
{
    random_module_init();
    may_write = true;
    make_media();
    make_data();
    test_scan();
    test_forms();
    test_errors();
    test_dump();
    test_fence();
    test_read_only();
    test_stack();
    test_limits();
    test_functions();
    test_more_functions();
    test_json_depth();
    test_full_text();
    test_snapshot();
    test_two();
    test_paper();
    leave();
    test_cuts(argc > 1 ? (unsigned)atoi(argv[1]) : 100);
    ram_medium_free(&medium);
    free(heap);
    free(query_heap);
    return check_report();
}
