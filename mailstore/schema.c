/* The database of version 1 (PRAGMA user_version), readable with any sqlite3.
 *
 *   user --- alias                      what a message is, once:
 *     |                                   message --- body (parts of its bytes)
 *   mailbox --- entry ------------------> /
 *               (which message is where)
 *
 * - A message for many recipients is one row of message, and one row of entry
 *   for each mailbox that holds it. Without entry it does not exist.
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

const char schema_sql[] =
    "PRAGMA application_id=0x42504d53;"
    "PRAGMA user_version=1;"
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
    "CREATE TABLE alias("
    " Alias TEXT PRIMARY KEY COLLATE NOCASE,"
    " UserID INTEGER NOT NULL REFERENCES user ON DELETE CASCADE"
    ") WITHOUT ROWID;"
    "CREATE INDEX alias_user ON alias(UserID);"
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
    " MailID INTEGER PRIMARY KEY);"
    "CREATE TABLE log("
    " LogID INTEGER PRIMARY KEY,"
    " TimeMs INTEGER NOT NULL,"
    " Module TEXT NOT NULL,"
    " Text TEXT NOT NULL);"
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
