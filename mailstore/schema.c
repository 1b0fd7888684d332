/* The database of version 2 (PRAGMA user_version), readable with any sqlite3.
 *
 *   user --- alias                      what a message is, once:
 *     |                                   message --- body (parts of its bytes)
 *   mailbox --- entry ------------------> / /
 *               (which message is where)   /
 *   outgoing --- queue ------------------>
 *               (whom elsewhere it is still for)
 *
 * - A message for many recipients is one row of message, one row of entry for
 *   each mailbox that holds it, and one row of queue for each recipient
 *   elsewhere that it has not reached yet. With neither it does not exist.
 * - outgoing holds what its queue rows have in common: one row for each message
 *   that has any. queue.NextMs is when it is tried next (Unix time); State 0
 *   waits, 1 is held by the administrator, 2 is given up by him and goes back
 *   to its sender. ExpiresMs ends the trying.
 * - alias: Alias is a local part, a whole address, or "@domain" for whatever
 *   else comes to a domain. Each row gives it one target: a user, or an
 *   Address anywhere.
 * - Every user has the mailboxes Inbox, Sent, Drafts, Junk and Trash.
 * - log is what happened, as key=value text; MailID where it is about a
 *   message. The oldest rows go when there are too many.
 * - route: the server that takes mail for a recipient domain instead of its
 *   MX; '' stands for every domain without a row of its own.
 * - peer: who has sent mail before, so that strangers can be told from friends.
 * - body holds a message's bytes in parts of at most 64 KiB; the key is
 *   MailID << 12 | index of the part. Nobody but this folder relies on that
 *   table lying in this file.
 *   Where a part but the last one is shorter than 64 KiB, message.Layout holds
 *   the end of each part as 32-bit little-endian numbers.
 * - part names the messages whose first parts are in body while the rest is
 *   still on its way; what is left of them after a power cut is removed.
 * - UIDs are never given twice (RFC 9051 2.3.1.1): all that were given lie
 * below mailbox.UIDNext, which is raised by the block before the first of them
 * is.
 * - MailIDs are not either: all that were given lie below the setting
 *   mail_id_limit.
 * - Rows are laid out so that a delivery touches few pages: message, body and
 *   the index of entry grow at their end, and the counter of mailbox is raised
 *   once for many. Bytes stands in entry again so that a maildrop's list is
 * read from that table alone.
 * - mail is the view for people: one row per message and recipient. */
#include "mailstore/schema.h"

/* What version 2 has brought or changed. */
#define TABLES_OF_VERSION_2                                                    \
    "CREATE TABLE alias("                                                      \
    " AliasID INTEGER PRIMARY KEY,"                                            \
    " Alias TEXT NOT NULL COLLATE NOCASE,"                                     \
    " UserID INTEGER REFERENCES user ON DELETE CASCADE,"                       \
    " Address TEXT COLLATE NOCASE,"                                            \
    " CHECK((UserID IS NULL)<>(Address IS NULL)));"                            \
    "CREATE UNIQUE INDEX alias_target"                                         \
    " ON alias(Alias, ifnull(UserID,0), ifnull(Address,''));"                  \
    "CREATE INDEX alias_user ON alias(UserID);"                                \
    "CREATE TABLE login("                                                      \
    " UserID INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,"           \
    " TimeMs INTEGER NOT NULL,"                                                \
    " Address TEXT NOT NULL,"                                                  \
    " Service TEXT NOT NULL);"                                                 \
    "CREATE TABLE outgoing("                                                   \
    " MailID INTEGER PRIMARY KEY REFERENCES message,"                          \
    " Submitter INTEGER NOT NULL,"                                             \
    " EnvID TEXT NOT NULL,"                                                    \
    " Ret INTEGER NOT NULL,"                                                   \
    " SMTPUTF8 INTEGER NOT NULL,"                                              \
    " EightBit INTEGER NOT NULL,"                                              \
    " ExpiresMs INTEGER NOT NULL);"                                            \
    "CREATE TABLE queue("                                                      \
    " QueueID INTEGER PRIMARY KEY,"                                            \
    " MailID INTEGER NOT NULL REFERENCES outgoing,"                            \
    " Recipient TEXT NOT NULL,"                                                \
    " ORcpt TEXT NOT NULL,"                                                    \
    " Notify INTEGER NOT NULL,"                                                \
    " State INTEGER NOT NULL DEFAULT 0,"                                       \
    " Attempts INTEGER NOT NULL DEFAULT 0,"                                    \
    " NextMs INTEGER NOT NULL,"                                                \
    " Delayed INTEGER NOT NULL DEFAULT 0,"                                     \
    " Reply TEXT NOT NULL DEFAULT '');"                                        \
    "CREATE INDEX queue_mail ON queue(MailID);"                                \
    "CREATE INDEX queue_next ON queue(State, NextMs);"                         \
    "CREATE TABLE route("                                                      \
    " Domain TEXT PRIMARY KEY COLLATE NOCASE,"                                 \
    " Host TEXT NOT NULL,"                                                     \
    " Port INTEGER NOT NULL DEFAULT 25,"                                       \
    " Login TEXT NOT NULL DEFAULT '',"                                         \
    " Password TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"                       \
    "CREATE TABLE peer("                                                       \
    " Peer TEXT PRIMARY KEY,"                                                  \
    " FirstMs INTEGER NOT NULL,"                                               \
    " LastMs INTEGER NOT NULL,"                                                \
    " Messages INTEGER NOT NULL) WITHOUT ROWID;"                               \
    "CREATE TABLE log("                                                        \
    " LogID INTEGER PRIMARY KEY,"                                              \
    " TimeMs INTEGER NOT NULL,"                                                \
    " MailID INTEGER,"                                                         \
    " Module TEXT NOT NULL,"                                                   \
    " Text TEXT NOT NULL);"                                                    \
    "CREATE INDEX log_mail ON log(MailID) WHERE MailID IS NOT NULL;"

const char schema_sql[] =
    "PRAGMA application_id=0x42504d53;"
    "PRAGMA user_version=2;"
    "CREATE TABLE setting("
    " Key TEXT PRIMARY KEY, Value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE user("
    " UserID INTEGER PRIMARY KEY,"
    " Name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    " FullName TEXT NOT NULL DEFAULT '',"
    " Password TEXT NOT NULL,"
    " QuotaBytes INTEGER NOT NULL DEFAULT 0,"
    " Admin INTEGER NOT NULL DEFAULT 0,"
    " Enabled INTEGER NOT NULL DEFAULT 1);"
    "CREATE TABLE mailbox("
    " MailboxID INTEGER PRIMARY KEY,"
    " UserID INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
    " Name TEXT NOT NULL,"
    " UIDValidity INTEGER NOT NULL,"
    " UIDNext INTEGER NOT NULL DEFAULT 1,"
    " UNIQUE(UserID, Name));"
    "CREATE TABLE message("
    " MailID INTEGER PRIMARY KEY,"
    " Sender TEXT NOT NULL,"
    " Subject TEXT NOT NULL,"
    " ReceivedMs INTEGER NOT NULL,"
    " Bytes INTEGER NOT NULL,"
    " Parts INTEGER NOT NULL,"
    " Layout BLOB);"
    "CREATE TABLE entry("
    " MailboxID INTEGER NOT NULL REFERENCES mailbox ON DELETE CASCADE,"
    " UID INTEGER NOT NULL,"
    " MailID INTEGER NOT NULL REFERENCES message,"
    " Bytes INTEGER NOT NULL,"
    " Flags INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(MailboxID, UID)) WITHOUT ROWID;"
    "CREATE INDEX entry_mail ON entry(MailID);"
    "CREATE TABLE body("
    " BodyID INTEGER PRIMARY KEY,"
    " Bytes BLOB NOT NULL);"
    "CREATE TABLE part("
    " MailID INTEGER PRIMARY KEY);" TABLES_OF_VERSION_2
    "CREATE VIEW mail AS SELECT"
    " message.MailID AS MailID,"
    " message.Sender AS Sender,"
    " user.Name AS Receiver,"
    " message.Subject AS Subject,"
    " (SELECT group_concat(CAST(Bytes AS TEXT), '') FROM"
    "   (SELECT Bytes FROM body WHERE BodyID BETWEEN message.MailID << 12"
    "    AND message.MailID << 12 | 4095 ORDER BY BodyID)) AS Message"
    " FROM message JOIN entry USING(MailID) JOIN mailbox USING(MailboxID)"
    " JOIN user USING(UserID);";

const char schema_folders_sql[] =
    "INSERT OR IGNORE INTO mailbox(UserID,Name,UIDValidity)"
    " SELECT UserID,column1,CAST(strftime('%s','now') AS INTEGER)"
    " FROM user,(VALUES('Sent'),('Drafts'),('Junk'),('Trash'));";

const char schema_upgrade_sql[] =
    "ALTER TABLE alias RENAME TO alias_old;"
    "DROP INDEX alias_user;"
    "DROP TABLE log;" TABLES_OF_VERSION_2
    "INSERT INTO alias(Alias,UserID) SELECT Alias,UserID FROM alias_old;"
    "DROP TABLE alias_old;"
    "PRAGMA user_version=2;";
