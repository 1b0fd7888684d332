/* The database of version 3 (PRAGMA user_version), readable with any sqlite3.
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
 *   elsewhere that it has not reached yet. With neither it does not exist, or
 *   is named in garbage until its room is given back.
 * - outgoing holds what its queue rows have in common: one row for each message
 *   that has any. queue.NextMs is when it is tried next (Unix time); State 0
 *   waits, 1 is held by the administrator, 2 is given up by him and goes back
 *   to its sender. ExpiresMs ends the trying.
 * - alias: Alias is a local part, a whole address, or "@domain" for whatever
 *   else comes to a domain. Each row gives it one target: a user, or an
 *   Address anywhere.
 * - Every user has the mailboxes Inbox, Sent, Drafts, Junk and Trash, and those
 *   that he makes. entry.Flags: see store_mailbox.h.
 * - mailbox counts its entries with a UID below CountedUID (Messages, those not
 *   seen, Bytes); whoever wants to know all of them counts the rest, which are
 *   fewer than a block of UIDs. So a delivery changes no counter, and nobody
 *   scans; triggers keep the sums equal to what is deleted or flagged. UIDs up
 * to IndexedUID were looked at by the index.
 * - summary is what lists show of a message, taken from its header; a message
 *   may lack it, and whoever needs it then looks into the message. find holds
 *   its words (rowid is MailID) while summary.Indexed is 1; what is to be
 *   taken out of find stands in unfind. Column owner of find has a word "u17"
 *   for each user whose mailboxes hold the message.
 * - ThreadID is a hash of the Message-ID that a conversation began with, or, of
 *   a message without one, its MailID with the sign bit. The indexes hold what
 *   is looked up: by id those that began none, by subject those that did.
 * - blind: whom a sent message went to unseen by the others, for its sender.
 * - contact: whom a user has had mail from, or sent mail to.
 * - rule and vacation are asked when a message is delivered; vacation remembers
 *   who has been answered. preference holds what users have chosen.
 * - file, file_part: shared files, in parts of at most 64 KiB; the key of a
 * part is FileID << 16 | its index. Ready is 1 once the file is complete.
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

/* What version 3 has brought. */
#define TABLES_OF_VERSION_3                                                    \
    "CREATE TRIGGER entry_gone AFTER DELETE ON entry BEGIN UPDATE mailbox SET" \
    " Messages=Messages-1,Unseen=Unseen-(old.Flags&1=0),Bytes=Bytes-old.Bytes" \
    " WHERE MailboxID=old.MailboxID AND CountedUID>old.UID; END;"              \
    "CREATE TRIGGER entry_flags AFTER UPDATE OF Flags ON entry"                \
    " WHEN old.Flags&1<>new.Flags&1 BEGIN UPDATE mailbox SET"                  \
    " Unseen=Unseen+(old.Flags&1)-(new.Flags&1) WHERE MailboxID=new.MailboxID" \
    " AND CountedUID>new.UID; END;"                                            \
    "CREATE TABLE summary("                                                    \
    " MailID INTEGER PRIMARY KEY REFERENCES message ON DELETE CASCADE,"        \
    " DateMs INTEGER NOT NULL,"                                                \
    " FromName TEXT NOT NULL,"                                                 \
    " FromAddress TEXT NOT NULL,"                                              \
    " ToText TEXT NOT NULL,"                                                   \
    " Preview TEXT NOT NULL,"                                                  \
    " Attachments INTEGER NOT NULL,"                                           \
    " ThreadID INTEGER NOT NULL,"                                              \
    " IdHash INTEGER NOT NULL,"                                                \
    " SubjectHash INTEGER NOT NULL,"                                           \
    " Indexed INTEGER NOT NULL);"                                              \
    "CREATE INDEX summary_thread ON summary(ThreadID);"                        \
    "CREATE INDEX summary_id ON summary(IdHash) WHERE ThreadID<>IdHash;"       \
    "CREATE INDEX summary_subject ON summary(SubjectHash)"                     \
    " WHERE IdHash IN(0,ThreadID);"                                            \
    "CREATE VIRTUAL TABLE find USING fts5(owner,subject,sender,people,"        \
    "text,tokenize='unicode61 remove_diacritics 2');"                          \
    "CREATE TABLE unfind(MailID INTEGER PRIMARY KEY);"                         \
    "CREATE TRIGGER summary_gone AFTER DELETE ON summary WHEN old.Indexed"     \
    " BEGIN INSERT OR IGNORE INTO unfind VALUES(old.MailID); END;"             \
    "CREATE TABLE garbage(MailID INTEGER PRIMARY KEY);"                        \
    "CREATE TABLE blind("                                                      \
    " MailID INTEGER REFERENCES message ON DELETE CASCADE,"                    \
    " UserID INTEGER REFERENCES user ON DELETE CASCADE,"                       \
    " Addresses TEXT NOT NULL,"                                                \
    " PRIMARY KEY(MailID, UserID)) WITHOUT ROWID;"                             \
    "CREATE INDEX blind_user ON blind(UserID);"                                \
    "CREATE TABLE contact("                                                    \
    " UserID INTEGER REFERENCES user ON DELETE CASCADE,"                       \
    " Address TEXT COLLATE NOCASE,"                                            \
    " Name TEXT NOT NULL,"                                                     \
    " Sent INTEGER NOT NULL,"                                                  \
    " Received INTEGER NOT NULL,"                                              \
    " LastMs INTEGER NOT NULL,"                                                \
    " PRIMARY KEY(UserID, Address)) WITHOUT ROWID;"                            \
    "CREATE TABLE rule("                                                       \
    " RuleID INTEGER PRIMARY KEY,"                                             \
    " UserID INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"              \
    " Place INTEGER NOT NULL,"                                                 \
    " Field INTEGER NOT NULL,"                                                 \
    " Header TEXT NOT NULL,"                                                   \
    " Pattern TEXT NOT NULL,"                                                  \
    " Actions INTEGER NOT NULL,"                                               \
    " MailboxID INTEGER REFERENCES mailbox ON DELETE SET NULL,"                \
    " Forward TEXT NOT NULL);"                                                 \
    "CREATE INDEX rule_user ON rule(UserID, Place);"                           \
    "CREATE INDEX rule_mailbox ON rule(MailboxID);"                            \
    "CREATE TABLE vacation("                                                   \
    " UserID INTEGER REFERENCES user ON DELETE CASCADE,"                       \
    " Address TEXT COLLATE NOCASE,"                                            \
    " TimeMs INTEGER NOT NULL,"                                                \
    " PRIMARY KEY(UserID, Address)) WITHOUT ROWID;"                            \
    "CREATE TABLE preference("                                                 \
    " UserID INTEGER REFERENCES user ON DELETE CASCADE,"                       \
    " Key TEXT,"                                                               \
    " Value TEXT NOT NULL,"                                                    \
    " PRIMARY KEY(UserID, Key)) WITHOUT ROWID;"                                \
    "CREATE TABLE file("                                                       \
    " FileID INTEGER PRIMARY KEY,"                                             \
    " Name TEXT NOT NULL COLLATE NOCASE,"                                      \
    " Type TEXT NOT NULL,"                                                     \
    " Bytes INTEGER NOT NULL,"                                                 \
    " TimeMs INTEGER NOT NULL,"                                                \
    " UserID INTEGER NOT NULL,"                                                \
    " Ready INTEGER NOT NULL);"                                                \
    "CREATE UNIQUE INDEX file_name ON file(Name) WHERE Ready;"                 \
    "CREATE TABLE file_part("                                                  \
    " PartID INTEGER PRIMARY KEY,"                                             \
    " Bytes BLOB NOT NULL);"

const char schema_sql[] =
    "PRAGMA application_id=0x42504d53;"
    "PRAGMA user_version=3;"
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
    " Messages INTEGER NOT NULL DEFAULT 0,"
    " Unseen INTEGER NOT NULL DEFAULT 0,"
    " Bytes INTEGER NOT NULL DEFAULT 0,"
    " CountedUID INTEGER NOT NULL DEFAULT 1,"
    " IndexedUID INTEGER NOT NULL DEFAULT 0,"
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
    "CREATE TABLE alias("
    " AliasID INTEGER PRIMARY KEY,"
    " Alias TEXT NOT NULL COLLATE NOCASE,"
    " UserID INTEGER REFERENCES user ON DELETE CASCADE,"
    " Address TEXT COLLATE NOCASE,"
    " CHECK((UserID IS NULL)<>(Address IS NULL)));"
    "CREATE UNIQUE INDEX alias_target"
    " ON alias(Alias, ifnull(UserID,0), ifnull(Address,''));"
    "CREATE INDEX alias_user ON alias(UserID);"
    "CREATE TABLE login("
    " UserID INTEGER PRIMARY KEY REFERENCES user ON DELETE CASCADE,"
    " TimeMs INTEGER NOT NULL,"
    " Address TEXT NOT NULL,"
    " Service TEXT NOT NULL);"
    "CREATE TABLE outgoing("
    " MailID INTEGER PRIMARY KEY REFERENCES message,"
    " Submitter INTEGER NOT NULL,"
    " EnvID TEXT NOT NULL,"
    " Ret INTEGER NOT NULL,"
    " SMTPUTF8 INTEGER NOT NULL,"
    " EightBit INTEGER NOT NULL,"
    " ExpiresMs INTEGER NOT NULL);"
    "CREATE TABLE queue("
    " QueueID INTEGER PRIMARY KEY,"
    " MailID INTEGER NOT NULL REFERENCES outgoing,"
    " Recipient TEXT NOT NULL,"
    " ORcpt TEXT NOT NULL,"
    " Notify INTEGER NOT NULL,"
    " State INTEGER NOT NULL DEFAULT 0,"
    " Attempts INTEGER NOT NULL DEFAULT 0,"
    " NextMs INTEGER NOT NULL,"
    " Delayed INTEGER NOT NULL DEFAULT 0,"
    " Reply TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX queue_mail ON queue(MailID);"
    "CREATE INDEX queue_next ON queue(State, NextMs);"
    "CREATE TABLE route("
    " Domain TEXT PRIMARY KEY COLLATE NOCASE,"
    " Host TEXT NOT NULL,"
    " Port INTEGER NOT NULL DEFAULT 25,"
    " Login TEXT NOT NULL DEFAULT '',"
    " Password TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"
    "CREATE TABLE peer("
    " Peer TEXT PRIMARY KEY,"
    " FirstMs INTEGER NOT NULL,"
    " LastMs INTEGER NOT NULL,"
    " Messages INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE log("
    " LogID INTEGER PRIMARY KEY,"
    " TimeMs INTEGER NOT NULL,"
    " MailID INTEGER,"
    " Module TEXT NOT NULL,"
    " Text TEXT NOT NULL);"
    "CREATE INDEX log_mail ON log(MailID) WHERE MailID IS NOT "
    "NULL;" TABLES_OF_VERSION_3 "CREATE VIEW mail AS SELECT"
    " message.MailID AS MailID,"
    " message.Sender AS Sender,"
    " user.Name AS Receiver,"
    " message.Subject AS Subject,"
    " (SELECT group_concat(CAST(Bytes AS TEXT), '') FROM"
    "   (SELECT Bytes FROM body WHERE BodyID BETWEEN message.MailID << 12"
    "    AND message.MailID << 12 | 4095 ORDER BY BodyID)) AS Message"
    " FROM message JOIN entry USING(MailID) JOIN mailbox USING(MailboxID)"
    " JOIN user USING(UserID);";

const char schema_upgrade_sql[] =
    "ALTER TABLE mailbox ADD COLUMN Messages INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN Unseen INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN Bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN CountedUID INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE mailbox ADD COLUMN IndexedUID INTEGER NOT NULL DEFAULT 0;"
    "UPDATE mailbox SET Messages=a,Unseen=b,Bytes=c,CountedUID=UIDNext FROM"
    " (SELECT MailboxID AS m,count(*) AS a,sum(Flags&1=0) AS b,sum(Bytes) AS c"
    "  FROM entry GROUP BY MailboxID) WHERE MailboxID=m;" TABLES_OF_VERSION_3
    "PRAGMA user_version=3;";
