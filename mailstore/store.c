/* Connections and transactions. */
#include "mailstore/store_internal.h"
#include "core/random.h"
#include "mailstore/schema.h"
#include "mailstore/sql_cache.h"
#include "mailstore/sql_heap.h"
#include <stdio.h>
#include <string.h>

/* Page cache: two thirds of the heap, shared by all connections: of these the
 * writer may hold so much, which is where deliveries to many mailboxes find
 * their pages again, and each reader so much. */
#define HEAP_MIN            (5 * 1024 * 1024)
#define HEAP_ALLOC_MIN      64
#define CACHE_SHARE(bytes)  ((bytes) / 3 * 2)
#define WRITER_SHARE(slots) ((slots) / 3 * 2)
#define READER_SHARE(slots) ((slots) / 10)
#define LOOKASIDE_BYTES     512
#define LOOKASIDE_COUNT     64
/* Pages that deliveries leave free so that messages can still be deleted. */
#define RESERVE_PAGES_MIN 64
#define RESERVE_SHARE     256
/* The WAL is moved, whoever else may not have done it, before it is so full. */
#define WAL_FULL_PART 2
/* Instructions of SQLite's machine between two pauses: below a millisecond. */
#define PAUSE_STEPS 4000

#define RUN "MailboxID=?1 AND UID BETWEEN ?2 AND ?3"

static const char *const texts[STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_PAGE_COUNT] = "PRAGMA page_count",
    [SQL_FREE_COUNT] = "PRAGMA freelist_count",
    [SQL_SETTING_GET] = "SELECT Value FROM setting WHERE Key=?1",
    [SQL_SETTING_PUT] = "INSERT INTO setting VALUES(?1,?2)"
                        " ON CONFLICT(Key) DO UPDATE SET Value=?2",
    [SQL_LOG_PUT] = "INSERT INTO log VALUES(?1,?2,?3,?4,?5)",
    [SQL_LOG_PRUNE] = "DELETE FROM log WHERE LogID<?1",
    [SQL_PEER_FIND] = "SELECT LastMs FROM peer WHERE Peer=?1",
    [SQL_PEER_NOTE] = "INSERT INTO peer VALUES(?1,?2,?2,1) ON CONFLICT(Peer)"
                      " DO UPDATE SET LastMs=?2,Messages=Messages+1",
    [SQL_PEER_SWEEP] = "DELETE FROM peer WHERE LastMs<?1 OR Peer IN (SELECT"
                       " Peer FROM peer ORDER BY LastMs DESC LIMIT -1"
                       " OFFSET ?2)",
    [SQL_USER_ADD] = "INSERT INTO user(Name,FullName,Password,QuotaBytes,Admin,"
                     "Enabled) VALUES(?1,?2,?3,?4,?5,?6)",
    [SQL_ALIAS_ADD] = "INSERT INTO alias(Alias,UserID,Address)"
                      " VALUES(?1,?2,?3)",
    [SQL_MAILBOX_ADD] =
        "INSERT INTO mailbox(MailboxID,UserID,Name,UIDValidity) VALUES(max("
        "ifnull((SELECT max(MailboxID) FROM mailbox),0)+1,"
        "ifnull((SELECT CAST(Value AS INTEGER) FROM setting"
        " WHERE Key='mailbox_id_limit'),1)),?1,?2,?3)",
    [SQL_BODY_PUT] = "INSERT INTO body VALUES(?1,?2)",
    [SQL_BODY_DISCARD] =
        "DELETE FROM body WHERE BodyID BETWEEN ?1<<12 AND ?1<<12|4095",
    [SQL_PART_PUT] = "INSERT OR IGNORE INTO part VALUES(?1)",
    [SQL_PART_DROP] = "DELETE FROM part WHERE MailID=?1",
    [SQL_MESSAGE_PUT] = "INSERT INTO message VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [SQL_UID_LIMIT] = "SELECT MailboxID,UIDNext FROM mailbox WHERE UserID=?1"
                      " AND Name='Inbox'",
    [SQL_UID_TAKE] =
        "UPDATE mailbox SET UIDNext=?3,CountedUID=?2,Messages=Messages+m,"
        "Unseen=Unseen+u,Bytes=Bytes+b FROM (SELECT count(*) AS m,"
        "ifnull(sum(Flags&1=0),0) AS u,ifnull(sum(Bytes),0) AS b FROM entry"
        " WHERE MailboxID=?1 AND UID>=(SELECT CountedUID FROM mailbox"
        " WHERE MailboxID=?1) AND UID<?2) WHERE MailboxID=?1",
    [SQL_ENTRY_PUT] = "INSERT INTO entry VALUES(?1,?2,?3,?4,?5)",
    [SQL_INBOX_FIND] = "SELECT MailboxID,UIDValidity FROM mailbox"
                       " WHERE UserID=?1 AND Name='Inbox'",
    [SQL_ENTRY_LIST] = "SELECT UID,MailID,Bytes FROM entry WHERE MailboxID=?1"
                       " ORDER BY UID",
    [SQL_BODY_FIND] = "SELECT Bytes,Parts,Layout FROM message WHERE MailID=?1",
    [SQL_BODY_GET] = "SELECT Bytes FROM body WHERE BodyID=?1",
    [SQL_BODY_SIZES] = "SELECT length(Bytes) FROM body WHERE BodyID"
                       " BETWEEN ?1<<12 AND ?1<<12|4095 ORDER BY BodyID",
    [SQL_ENTRY_MAIL] = "SELECT MailID,Bytes,Flags FROM entry WHERE"
                       " MailboxID=?1 AND UID=?2",
    [SQL_ENTRY_DROP] = "DELETE FROM entry WHERE MailboxID=?1 AND UID=?2",
    [SQL_RUN_BYTES] = "SELECT ifnull(sum(Bytes),0) FROM entry WHERE " RUN,
    /* What nobody holds but the run itself. */
    [SQL_RUN_GARBAGE] =
        "INSERT OR IGNORE INTO garbage SELECT MailID FROM entry AS gone"
        " WHERE " RUN " AND NOT EXISTS (SELECT 1 FROM entry"
        " WHERE MailID=gone.MailID AND NOT(" RUN ")) AND NOT EXISTS"
        " (SELECT 1 FROM outgoing WHERE MailID=gone.MailID)",
    [SQL_RUN_DROP] = "DELETE FROM entry WHERE " RUN,
    [SQL_MESSAGE_HELD] = "SELECT 1 FROM entry WHERE MailID=?1 UNION ALL"
                         " SELECT 1 FROM outgoing WHERE MailID=?1 LIMIT 1",
    [SQL_GARBAGE_PUT] =
        "INSERT OR IGNORE INTO garbage SELECT ?1 WHERE NOT EXISTS"
        " (SELECT 1 FROM entry WHERE MailID=?1) AND NOT EXISTS"
        " (SELECT 1 FROM outgoing WHERE MailID=?1)",
    [SQL_GARBAGE_NEXT] = "SELECT min(MailID) FROM garbage WHERE MailID>?1",
    [SQL_GARBAGE_DROP] = "DELETE FROM garbage WHERE MailID=?1",
    [SQL_MESSAGE_DROP] = "DELETE FROM message WHERE MailID=?1",
    [SQL_OUTGOING_PUT] = "INSERT INTO outgoing VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [SQL_QUEUE_PUT] = "INSERT INTO queue(MailID,Recipient,ORcpt,Notify,NextMs,"
                      "QueueID) VALUES(?1,?2,?3,?4,?5,?6)",
    [SQL_QUEUE_DUE] = "SELECT QueueID FROM queue WHERE State=?1 AND NextMs<=?2"
                      " ORDER BY NextMs",
    [SQL_QUEUE_MAIL] = "SELECT MailID FROM queue WHERE QueueID=?1",
    [SQL_QUEUE_ROWS] =
        "SELECT QueueID,queue.MailID,Recipient,ORcpt,Notify,State,Attempts,"
        "NextMs,Delayed,Reply,Submitter,EnvID,Ret,SMTPUTF8,EightBit,ExpiresMs,"
        "Sender,ReceivedMs,Bytes FROM queue JOIN outgoing USING(MailID)"
        " JOIN message USING(MailID) WHERE queue.MailID=?1"
        " AND State IN(0,2) AND NextMs<=?2 ORDER BY QueueID",
    [SQL_QUEUE_MEND] = "UPDATE queue SET NextMs=?1 WHERE State=0 AND NextMs>?2",
    [SQL_QUEUE_NEXT] = "SELECT min(NextMs) FROM queue WHERE State=0"
                       " AND NextMs>?1",
    [SQL_QUEUE_DROP] = "DELETE FROM queue WHERE QueueID=?1 AND MailID=?2",
    /* What the administrator has given up meanwhile stays due. */
    [SQL_QUEUE_DEFER] =
        "UPDATE queue SET Attempts=Attempts+1,Delayed=?4,Reply=?5,"
        "NextMs=CASE State WHEN 2 THEN NextMs ELSE ?3 END"
        " WHERE QueueID=?1 AND MailID=?2",
    [SQL_QUEUE_STATE] = "UPDATE queue SET State=?2,"
                        "NextMs=CASE ?3 WHEN 1 THEN 0 ELSE NextMs END"
                        " WHERE QueueID=?1",
    [SQL_QUEUE_LIST] =
        "SELECT QueueID,queue.MailID,State,Attempts,NextMs,Recipient,Reply,"
        "ExpiresMs FROM queue JOIN outgoing USING(MailID) WHERE QueueID>?1"
        " ORDER BY QueueID LIMIT 1 OFFSET ?2",
    [SQL_QUEUE_TELL] =
        "SELECT Sender,ReceivedMs,Bytes FROM message WHERE MailID=?1",
    [SQL_OUTGOING_MEND] = "UPDATE outgoing SET ExpiresMs=?1 WHERE ExpiresMs>?2",
    [SQL_OUTGOING_LENGTHEN] =
        "UPDATE outgoing SET ExpiresMs=ReceivedMs+?1 FROM message WHERE"
        " message.MailID=outgoing.MailID AND ExpiresMs<?2 AND"
        " ExpiresMs<ReceivedMs"
        " AND ReceivedMs<=?2",
    [SQL_OUTGOING_DROP] = "DELETE FROM outgoing WHERE MailID=?1 AND NOT EXISTS"
                          "(SELECT 1 FROM queue WHERE queue.MailID=?1)",
    [SQL_ROUTE_FIND] = "SELECT Host,Port,Login,Password FROM route"
                       " WHERE Domain IN(?1,'') ORDER BY length(Domain) DESC"
                       " LIMIT 1",
    [SQL_ROUTE_PUT] = "INSERT OR REPLACE INTO route VALUES(?1,?2,?3,?4,?5)",
    [SQL_ROUTE_DROP] = "DELETE FROM route WHERE Domain=?1",
    [SQL_ROUTE_LIST] = "SELECT Host,Port,Login,Password,Domain FROM route"
                       " ORDER BY Domain",
    [SQL_USAGE] = "SELECT CAST(total(Bytes+ifnull((SELECT sum(entry.Bytes) FROM"
                  " entry WHERE entry.MailboxID=mailbox.MailboxID"
                  " AND UID>=CountedUID),0)) AS INTEGER) FROM mailbox"
                  " WHERE UserID=?1",
    [SQL_LOGIN_PUT] = "INSERT OR REPLACE INTO login SELECT UserID,?2,?3,?4"
                      " FROM user WHERE UserID=?1",
    /* Bits of ?7 are STORE_USER_... */
    [SQL_USER_CHANGE] =
        "UPDATE user SET FullName=iif(?7&1,?2,FullName),"
        "Password=iif(?7&2,?3,Password),QuotaBytes=iif(?7&4,?4,QuotaBytes),"
        "Admin=iif(?7&8,?5,Admin),Enabled=iif(?7&16,?6,Enabled)"
        " WHERE UserID=?1",
    [SQL_MAILBOX_USER] = "SELECT UserID FROM mailbox WHERE MailboxID=?1",
    [SQL_MAILBOX_NEXT] = "SELECT UIDNext FROM mailbox WHERE MailboxID=?1"
                         " AND UserID=?2",
    [SQL_ENTRY_FLAGS] = "UPDATE entry SET Flags=?3 WHERE MailboxID=?1"
                        " AND UID=?2",
    [SQL_FOLDER_KIND] = "SELECT MailboxID FROM mailbox WHERE UserID=?1"
                        " AND Name=?2",
    [SQL_FOLDER_ENTRIES] = "SELECT UID FROM entry WHERE MailboxID=?1"
                           " AND UID>?2 ORDER BY UID LIMIT ?3",
    [SQL_BLIND_GET] = "SELECT Addresses FROM blind WHERE MailID=?1"
                      " AND UserID=?2",
    [SQL_ROW] =
        "SELECT MailID,Flags,message.Bytes,ReceivedMs,Sender,Subject,DateMs,"
        "FromName,FromAddress,ToText,Preview,Attachments,ThreadID FROM mailbox"
        " JOIN entry USING(MailboxID) JOIN message USING(MailID) LEFT JOIN"
        " summary USING(MailID) WHERE MailboxID=?1 AND UID=?2 AND UserID=?3",
    /* In a mailbox of somebody who has both. */
    [SQL_THREAD_OF_SUBJECT] =
        "SELECT ThreadID FROM summary s JOIN message USING(MailID)"
        " WHERE SubjectHash=?1 AND IdHash IN(0,ThreadID) AND s.MailID<?2"
        " AND ReceivedMs>?3 AND EXISTS"
        "(SELECT 1 FROM entry a JOIN mailbox b USING(MailboxID) JOIN mailbox c"
        " USING(UserID) JOIN entry d ON d.MailboxID=c.MailboxID"
        " WHERE a.MailID=s.MailID AND d.MailID=?2)"
        " ORDER BY s.MailID DESC LIMIT 1",
    /* One that began it needs no look: its ThreadID is that hash. */
    [SQL_THREAD_OF_ID] = "SELECT ThreadID FROM summary WHERE IdHash=?1"
                         " AND ThreadID<>IdHash LIMIT 1",
    [SQL_OUTGOING_FIND] = "SELECT MailID FROM outgoing WHERE MailID=?1",
    [SQL_BLIND_PUT] = "INSERT INTO blind VALUES(?1,?2,?3)",
    [SQL_PREFERENCE_GET] = "SELECT Value FROM preference WHERE UserID=?1"
                           " AND Key=?2",
    [SQL_PREFERENCE_PUT] = "INSERT INTO preference VALUES(?1,?2,?3)"
                           " ON CONFLICT(UserID,Key) DO UPDATE SET Value=?3",
    [SQL_PREFERENCE_DROP] = "DELETE FROM preference WHERE UserID=?1 AND Key=?2",
    /* Their keys grow with time. */
    [SQL_COMPOSITION_PRUNE] =
        "DELETE FROM preference WHERE UserID=?1 AND Key IN (SELECT Key FROM"
        " preference WHERE UserID=?1 AND Key BETWEEN 'draft-' AND 'draft.'"
        " ORDER BY Key DESC LIMIT -1 OFFSET ?2)",
    [SQL_TYPED_DROP] = "DELETE FROM preference WHERE UserID=?1 AND Key BETWEEN"
                       " 'typed-'||?2||'-' AND 'typed-'||?2||'.'",
    [SQL_TYPED_SUBJECT] = "UPDATE message SET Subject=?2 WHERE MailID=?1",
    [SQL_TYPED_SUMMARY] =
        "UPDATE summary SET ToText=?2,Preview=?3 WHERE MailID=?1",
    [SQL_VACATION_FORGET] = "DELETE FROM vacation WHERE UserID=?1"
                            " AND TimeMs<=?2",
    [SQL_VACATION_COUNT] = "SELECT count(*) FROM vacation WHERE UserID=?1",
    [SQL_VACATION_NOTE] = "INSERT OR IGNORE INTO vacation VALUES(?1,?2,?3)",
    [SQL_RULED] = "SELECT UserID FROM rule UNION SELECT UserID FROM preference"
                  " WHERE Key='vacation' AND Value LIKE '1%' ORDER BY 1",
    [SQL_RULE_LIST] = "SELECT RuleID,Field,Header,Pattern,Actions,MailboxID,"
                      "Forward FROM rule WHERE UserID=?1 ORDER BY Place,RuleID",
    [SQL_RULE_COUNT] = "SELECT count(*) FROM rule WHERE UserID=?1",
    [SQL_RULE_PUT] =
        "INSERT INTO rule(UserID,Place,Field,Header,Pattern,Actions,MailboxID,"
        "Forward) VALUES(?1,ifnull((SELECT max(Place) FROM rule WHERE"
        " UserID=?1),0)+1,?2,?3,?4,?5,?6,?7)",
    [SQL_RULE_CHANGE] = "UPDATE rule SET Field=?2,Header=?3,Pattern=?4,"
                        "Actions=?5,MailboxID=?6,Forward=?7"
                        " WHERE RuleID=?8 AND UserID=?1",
    [SQL_RULE_DROP] = "DELETE FROM rule WHERE RuleID=?2 AND UserID=?1",
    /* The place of the one before it, and that one gets its own. */
    [SQL_RULE_RAISE] =
        "UPDATE rule SET Place=p FROM (SELECT a.RuleID AS r,b.Place AS p FROM"
        " rule a,rule b WHERE a.UserID=?1 AND b.UserID=?1 AND ((a.RuleID=?2"
        " AND b.RuleID=(SELECT c.RuleID FROM rule c,rule d WHERE d.RuleID=?2"
        " AND d.UserID=?1 AND c.UserID=?1 AND c.Place<d.Place ORDER BY c.Place"
        " DESC LIMIT 1)) OR (b.RuleID=?2 AND a.RuleID=(SELECT c.RuleID FROM"
        " rule c,rule d WHERE d.RuleID=?2 AND d.UserID=?1 AND c.UserID=?1 AND"
        " c.Place<d.Place ORDER BY c.Place DESC LIMIT 1)))) WHERE RuleID=r",
    [SQL_USER_HOLDS] = "SELECT 1 FROM entry JOIN mailbox USING(MailboxID)"
                       " WHERE MailID=?1 AND UserID=?2",
    [SQL_QUEUE_HOLDS] = "SELECT 1 FROM queue WHERE MailID=?1"
                        " AND Recipient=?2 COLLATE NOCASE",
    /* Mailboxes of one user, or of all who want the index (?1=0). */
    [SQL_INDEX_BEHIND] =
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM mailbox CROSS JOIN entry"
        " USING(MailboxID) WHERE UID>IndexedUID AND (UserID=?1 OR (?1=0 AND"
        " UserID IN (SELECT UserID FROM preference WHERE Key='index')))"
        " LIMIT ?2))+(SELECT count(*) FROM (SELECT 1 FROM unfind LIMIT ?2))",
    /* Of the first mailbox that has any: without sorting them all. */
    [SQL_INDEX_NEXT] =
        "SELECT MailboxID,UserID,mailbox.Name='Sent',UID,MailID,ReceivedMs,"
        "message.Bytes,summary.MailID IS NOT NULL,Subject FROM mailbox"
        " CROSS JOIN entry USING(MailboxID) JOIN message USING(MailID)"
        " LEFT JOIN summary USING(MailID) WHERE MailboxID=(SELECT b.MailboxID"
        " FROM mailbox b WHERE (b.UserID=?1 OR (?1=0 AND b.UserID IN (SELECT"
        " UserID FROM preference WHERE Key='index'))) AND EXISTS(SELECT 1 FROM"
        " entry e WHERE e.MailboxID=b.MailboxID AND e.UID>b.IndexedUID)"
        " LIMIT 1) AND UID>IndexedUID ORDER BY UID LIMIT ?2",
    [SQL_INDEX_NOTE] = "UPDATE mailbox SET IndexedUID=max(IndexedUID,?2)"
                       " WHERE MailboxID=?1",
    [SQL_SUMMARY_FIND] = "SELECT MailID FROM summary WHERE MailID=?1",
    [SQL_SUMMARY_PUT] =
        "INSERT INTO summary VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,1)",
    [SQL_FIND_PUT] =
        "INSERT INTO find(rowid,owner,subject,sender,people,text) VALUES(?1,"
        "(SELECT group_concat(DISTINCT 'u'||UserID) FROM entry JOIN mailbox"
        " USING(MailboxID) WHERE MailID=?1),?2,?3,?4,?5)",
    [SQL_FIND_DROP] = "DELETE FROM find WHERE rowid=?1",
    [SQL_UNFIND_NEXT] = "SELECT min(MailID) FROM unfind WHERE MailID>?1",
    [SQL_UNFIND_DROP] = "DELETE FROM unfind WHERE MailID=?1",
#define FIND(way, order)                                                       \
    "SELECT find.rowid,entry.MailboxID,UID FROM find CROSS JOIN"               \
    " entry ON entry.MailID=find.rowid CROSS JOIN mailbox"                     \
    " USING(MailboxID) WHERE find MATCH ?1 AND find.rowid" way "?2"            \
    " AND UserID=?3 AND CASE ?4 WHEN 0 THEN mailbox.Name NOT"                  \
    " IN('Trash','Junk') ELSE MailboxID=?4 END ORDER BY find.rowid" order
    [SQL_FIND] = FIND("<", " DESC"),
    [SQL_FIND_BACK] = FIND(">", ""),
    [SQL_CONTACT_PUT] =
        "INSERT INTO contact VALUES(?1,?2,?3,?4,1-?4,?5) ON CONFLICT(UserID,"
        "Address) DO UPDATE SET Sent=Sent+?4,Received=Received+1-?4,"
        "Name=CASE WHEN ?3<>'' AND ?5>=LastMs THEN ?3 ELSE Name END,"
        "LastMs=max(LastMs,?5)",
    [SQL_CONTACT_PRUNE] =
        "DELETE FROM contact WHERE UserID=?1 AND Address IN (SELECT Address"
        " FROM contact WHERE UserID=?1 ORDER BY Sent,LastMs LIMIT max(0,"
        "(SELECT count(*) FROM contact WHERE UserID=?1)-?2))",
    [SQL_CONTACT_FIND] =
        "SELECT Address,Name FROM contact WHERE UserID=?1 AND (Address LIKE ?2"
        " ESCAPE '\\' OR Name LIKE ?2 ESCAPE '\\' OR Name LIKE ?3 ESCAPE"
        " '\\') ORDER BY Sent DESC,Received DESC,LastMs DESC LIMIT ?4",
#define THREAD_HEADS(way, order)                                               \
    "SELECT UID FROM entry e LEFT JOIN summary s USING(MailID)"                \
    " WHERE MailboxID=?1 AND UID" way "?2 AND Flags&?3=?3 AND Flags&?4=0"      \
    " AND (SELECT f.UID FROM summary t CROSS JOIN entry f ON "                 \
    "f.MailID=t.MailID"                                                        \
    " AND f.MailboxID=?1 WHERE t.ThreadID=s.ThreadID AND f.UID>e.UID"          \
    " ORDER BY t.MailID DESC LIMIT 1) IS NULL ORDER BY UID" order
    [SQL_THREADS] = THREAD_HEADS("<", " DESC"),
    [SQL_THREADS_BACK] = THREAD_HEADS(">", ""),
    [SQL_THREAD_COUNT] =
        "SELECT count(*),total(Flags&1=0) FROM summary CROSS JOIN entry"
        " USING(MailID) WHERE ThreadID=?1 AND MailboxID=?2",
    [SQL_THREAD_ALL] =
        "SELECT MailboxID,min(UID) FROM summary CROSS JOIN entry USING(MailID)"
        " JOIN mailbox USING(MailboxID) WHERE ThreadID=?1 AND UserID=?2"
        " AND mailbox.Name NOT IN('Trash','Junk') GROUP BY MailID"
        " ORDER BY MailID",
};

static struct {
    char open_message[128];
    size_t cache_slots; /* pages */
} state;

enum err store_module_init(void *heap, size_t bytes,
                           int64_t (*wall_clock_ms)(void))
{
    uint8_t *at = heap;
    int taken, header = 0;
    size_t slot, slots;

    (void)sqlite3_shutdown();
    taken = volume_module_init(heap, bytes, wall_clock_ms);
    if (bytes < HEAP_MIN || taken < 0)
        return ERR_MEMORY;
    volume_set_heap(heap, bytes);
    at += taken;
    bytes -= (size_t)taken;
    if (sqlite3_config(SQLITE_CONFIG_PCACHE_HDRSZ, &header) != SQLITE_OK)
        return ERR_INVALID;
    slot = (VOLUME_PAGE_BYTES + (size_t)header + 7) & ~(size_t)7;
    slots = CACHE_SHARE(bytes) / slot;
    state.cache_slots = slots;
    if (sqlite3_config(SQLITE_CONFIG_PAGECACHE, at, (int)slot, (int)slots) !=
            SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_HEAP, at + slot * slots,
                       (int)(bytes - slot * slots),
                       HEAP_ALLOC_MIN) != SQLITE_OK ||
        sql_heap_install() != OK || sql_cache_install() != OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, LOOKASIDE_BYTES,
                       LOOKASIDE_COUNT) != SQLITE_OK ||
        /* Statement journals stay in memory. */
        sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        return ERR_INVALID;
    return OK;
}

enum err store_error(struct store *store, int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return OK;
    snprintf(store->message, sizeof store->message, "%s",
             store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code));
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_NOMEM:
        return ERR_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_READONLY:
        return ERR_REFUSED;
    case SQLITE_CONSTRAINT:
        return ERR_EXISTS;
    case SQLITE_TOOBIG:
        return ERR_TOO_BIG;
    case SQLITE_INTERRUPT:
        return ERR_GONE;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (code == SQLITE_IOERR_NOMEM)
            return ERR_MEMORY;
        return store->volume && store->volume->error ? store->volume->error
                                                     : ERR_IO;
    default:
        return ERR_INVALID;
    }
}

const char *store_open_message(void)
{
    return state.open_message;
}

const char *store_message(struct store *store)
{
    return store->message;
}

sqlite3_stmt *store_statement(struct store *store, enum statement which)
{
    sqlite3_stmt **statement = &store->statements[which];

    if (*statement) {
        sqlite3_reset(*statement);
        return *statement;
    }
    if (sqlite3_prepare_v3(store->db, texts[which], -1,
                           SQLITE_PREPARE_PERSISTENT, statement,
                           NULL) != SQLITE_OK)
        return NULL;
    return *statement;
}

enum err store_run(struct store *store, sqlite3_stmt *statement)
{
    enum err err;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    /* After some errors SQLite has undone the whole transaction: what comes
     * behind one that was passed over must not become durable alone. */
    if (store->in_transaction && sqlite3_get_autocommit(store->db))
        return ERR_IO;
    err = store_error(store, sqlite3_step(statement));
    sqlite3_reset(statement);
    return err;
}

enum err store_run_for(struct store *store, enum statement which,
                       int64_t parameter)
{
    sqlite3_stmt *statement = store_statement(store, which);

    if (statement)
        sqlite3_bind_int64(statement, 1, parameter);
    return store_run(store, statement);
}

enum err store_exec(struct store *store, const char *sql)
{
    return store_error(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

enum err store_number(struct store *store, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

    *number = 0;
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            *number = sqlite3_column_int64(statement, 0);
    }
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        code = SQLITE_OK;
    if (code != SQLITE_OK) {
        enum err err = store_error(store, code);

        sqlite3_finalize(statement);
        return err;
    }
    sqlite3_finalize(statement);
    return OK;
}

enum err store_number_of(struct store *store, enum statement which,
                         int64_t parameter, int64_t *number)
{
    sqlite3_stmt *statement = store_statement(store, which);
    int code;

    *number = 0;
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_int64(statement, 1, parameter);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return store_error(store, code);
}

void store_copy_column(sqlite3_stmt *statement, int column, char *to,
                       size_t bytes)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    snprintf(to, bytes, "%s", text ? text : "");
}

/* ---- Transactions ------------------------------------------------------- */

enum err store_begin(struct store *store)
{
    uint32_t moved;
    enum err err;

    /* A checkpoint that readers or the medium hold up is no reason to refuse:
     * the WAL has as much room again. */
    if (volume_wal_frames(store->volume, &moved) >
        volume_wal_capacity(store->volume) / WAL_FULL_PART)
        (void)!store_checkpoint(store);
    err = store_run(store, store_statement(store, SQL_BEGIN));
    store->in_transaction = !err;
    return err;
}

enum err store_commit(struct store *store)
{
    enum err err = store_run(store, store_statement(store, SQL_COMMIT));

    store->in_transaction = !sqlite3_get_autocommit(store->db);
    if (!err)
        store_usage_end(store, false);
    return err;
}

void store_rollback(struct store *store)
{
    store->in_transaction = false;
    store_usage_end(store, true);
    store->log_known = false;
    store->ruled_known = false;
    /* The next message sets its number's limit anew. */
    store->id_limit = 0;
    /* Some errors have rolled back already. */
    if (!sqlite3_get_autocommit(store->db))
        (void)!store_run(store, store_statement(store, SQL_ROLLBACK));
}

enum err store_atomically(struct store *store,
                          enum err (*work)(struct store *store, void *context),
                          void *context)
{
    enum err err;

    if (store->in_transaction)
        return work(store, context);
    err = store_begin(store);
    if (err)
        return err;
    err = work(store, context);
    if (!err)
        err = store_commit(store);
    if (err)
        store_rollback(store);
    return err;
}

enum err store_checkpoint(struct store *store)
{
    int log, moved;
    int code = sqlite3_wal_checkpoint_v2(
        store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &moved);

    return store_error(store, code);
}

uint32_t store_wal_pages(struct store *store)
{
    uint32_t moved;
    uint32_t frames = volume_wal_frames(store->volume, &moved);

    return frames - moved;
}

/* ---- Opening ------------------------------------------------------------ */

static enum err connect(const struct store_place *place, struct store **store)
{
    struct store *made = sqlite3_malloc(sizeof *made);
    enum err err;

    *store = NULL;
    if (!made)
        return ERR_MEMORY;
    memset(made, 0, sizeof *made);
    err = volume_take(place, &made->volume);
    if (err) {
        sqlite3_free(made);
        return err;
    }
    err = store_error(
        made, sqlite3_open_v2(made->volume->name, &made->db,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                              "barepost"));
    if (err) {
        store_close(made);
        return err;
    }
    sqlite3_extended_result_codes(made->db, 1);
    *store = made;
    return OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    sqlite3_free(store->part);
    sqlite3_free(store->changes);
    sqlite3_free(store->ruled);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close_v2(store->db);
    volume_give_back(store->volume);
    sqlite3_free(store);
}

/* A workstation may have left the database with a rollback journal. */
static enum err ensure_wal(struct store *store)
{
    int64_t version;
    enum err err = store_number(store, "PRAGMA schema_version", &version);
    sqlite3_stmt *statement;
    bool wal;

    if (err)
        return err;
    if (sqlite3_prepare_v2(store->db, "PRAGMA journal_mode", -1, &statement,
                           NULL) != SQLITE_OK)
        return store_error(store, sqlite3_errcode(store->db));
    err = store_error(store, sqlite3_step(statement));
    wal = !err &&
          strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    if (err || wal)
        return err;
    return store_exec(store, "PRAGMA journal_mode=MEMORY;"
                             "PRAGMA journal_mode=WAL");
}

static enum err set_limits(struct store *store)
{
    uint64_t pages = store->volume->database.bytes / VOLUME_PAGE_BYTES;
    char sql[64];

    if (pages > UINT32_MAX - 1)
        pages = UINT32_MAX - 1;
    store->pages_max = (uint32_t)pages;
    store->pages_reserve = (uint32_t)(pages / RESERVE_SHARE);
    if (store->pages_reserve < RESERVE_PAGES_MIN)
        store->pages_reserve = RESERVE_PAGES_MIN;
    snprintf(sql, sizeof sql, "PRAGMA max_page_count=%u", store->pages_max);
    return store_exec(store, sql);
}

static int call_pause(void *context)
{
    struct store *store = context;

    return !store->pause();
}

void store_set_pause(struct store *store, bool (*pause)(void))
{
    store->pause = pause;
    sqlite3_progress_handler(store->db, PAUSE_STEPS, call_pause, store);
}

void store_limit_cache(struct store *store, unsigned part)
{
    char sql[64];

    snprintf(sql, sizeof sql, "PRAGMA cache_size=%zu",
             state.cache_slots / part);
    (void)!store_exec(store, sql);
}

static enum err set_up(struct store *store)
{
    size_t pages = store->writer ? WRITER_SHARE(state.cache_slots)
                                 : READER_SHARE(state.cache_slots);
    char sql[128];

    snprintf(sql, sizeof sql,
             "%s;PRAGMA wal_autocheckpoint=0;PRAGMA "
             "cache_size=%zu",
             store->writer ? "PRAGMA synchronous=FULL;PRAGMA foreign_keys=ON"
                           : "PRAGMA query_only=ON",
             pages);
    return store_exec(store, sql);
}

/* Whether this is a store, and one of ours; a writer may open one of the
 * version before, which it makes one of ours then. */
static enum err check_version(struct store *store)
{
    int64_t application = 0, version = 0;
    enum err err;

    if (store->volume->empty)
        return ERR_NOT_FOUND;
    err = store_number(store, "PRAGMA application_id", &application);
    if (!err)
        err = store_number(store, "PRAGMA user_version", &version);
    if (err)
        return err;
    if (application != SCHEMA_APPLICATION_ID)
        return ERR_NOT_FOUND;
    store->old_version = version == STORE_VERSION - 1;
    if (version != STORE_VERSION && !(store->old_version && store->writer)) {
        snprintf(store->message, sizeof store->message,
                 store->old_version
                     ? "store of version %d, which becomes one of version %d"
                       " when Barepost starts from the stick"
                     : "store of version %d, this Barepost reads version %d",
                 (int)version, STORE_VERSION);
        return ERR_VERSION;
    }
    return OK;
}

static enum err upgrade(struct store *store, void *context)
{
    (void)context;
    return store_exec(store, schema_upgrade_sql);
}

static enum err start_writer(struct store *store)
{
    enum err err = ensure_wal(store);

    store->garbage = true; /* as far as is known */
    if (!err && store->old_version)
        err = store_atomically(store, upgrade, NULL);
    if (!err)
        err = store_setting_number(store, "mail_id_limit", 1, &store->next_id);
    store->id_limit = store->next_id;
    if (!err)
        err = store_restore_size(store);
    if (!err)
        err = set_limits(store);
    if (!err)
        err = store_remove_parts(store);
    if (!err)
        err = store_file_remove_parts(store);
    return err;
}

static void keep_message(const struct store *store)
{
    snprintf(state.open_message, sizeof state.open_message, "%s",
             store->message);
}

enum err store_identify(const struct store_place *place, char *id, size_t bytes)
{
    struct store *store;
    enum err err = connect(place, &store);

    if (err)
        return err;
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    err = check_version(store);
    if (!err || (err == ERR_VERSION && store->old_version))
        err = store_setting_get(store, "store_id", id, bytes);
    else
        keep_message(store);
    store_close(store);
    return err;
}

enum err store_open(const struct store_place *place, bool writer,
                    struct store **store)
{
    struct store *made;
    enum err err = connect(place, &made);

    *store = NULL;
    if (err)
        return err;
    made->writer = writer;
    /* A reader changes nothing, also when it is the last to close; nor does who
     * finds that this is no store that it may open. */
    sqlite3_db_config(made->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    err = check_version(made);
    if (!err)
        err = set_up(made);
    if (!err)
        err = set_limits(made);
    if (!err && writer) {
        sqlite3_db_config(made->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        err = start_writer(made);
    }
    if (err) {
        keep_message(made);
        store_close(made);
        return err;
    }
    *store = made;
    return OK;
}

static enum err fill_new(struct store *store)
{
    char id[20];
    enum err err = store_exec(store, "PRAGMA page_size=4096;"
                                     "PRAGMA journal_mode=MEMORY;"
                                     "PRAGMA encoding='UTF-8'");

    if (!err)
        err = set_limits(store);
    if (!err)
        err = store_begin(store);
    if (!err)
        err = store_exec(store, schema_sql);
    if (err)
        return err;
    snprintf(id, sizeof id, "%016llx", (unsigned long long)random_u64());
    err = store_setting_put(store, "store_id", id);
    if (!err)
        err = store_setting_put(store, "hostname", "barepost");
    if (!err)
        err = store_setting_put(store, "address", "dhcp");
    if (!err)
        err = store_setting_put(store, "mail_id_limit", "1");
    snprintf(id, sizeof id, "%llu",
             (unsigned long long)store->volume->database.bytes);
    if (!err)
        err = store_setting_put(store, "database_bytes", id);
    if (!err)
        err = store_commit(store);
    if (!err)
        err = store_exec(store, "PRAGMA journal_mode=WAL");
    return err;
}

enum err store_create(const struct store_place *place)
{
    struct volume *volume;
    struct store *store;
    enum err err = volume_take(place, &volume);

    if (err)
        return err;
    if (volume->connections > 1)
        err = ERR_BUSY;
    if (!err)
        err = volume_erase(volume);
    volume_give_back(volume);
    if (!err)
        err = connect(place, &store);
    if (err)
        return err;
    store->writer = true;
    err = fill_new(store);
    store_close(store);
    return err;
}
