/* What makes of a store one of the version before, for sqlite3. */
#ifndef TESTS_UNIT_STORE_DOWNGRADE_H
#define TESTS_UNIT_STORE_DOWNGRADE_H

/* As far as version 3 differs from version 2. */
#define STORE_DOWNGRADE                                                        \
    "DROP TRIGGER entry_gone; DROP TRIGGER entry_flags;"                       \
    "DROP TABLE find; DROP TABLE unfind; DROP TABLE summary;"                  \
    "DROP TABLE garbage; DROP TABLE blind; DROP TABLE contact; DROP TABLE "    \
    "rule; DROP TABLE vacation; DROP TABLE preference; DROP TABLE file;"       \
    "DROP TABLE file_part; ALTER TABLE mailbox DROP COLUMN Messages;"          \
    "ALTER TABLE mailbox DROP COLUMN Unseen;"                                  \
    "ALTER TABLE mailbox DROP COLUMN Bytes;"                                   \
    "ALTER TABLE mailbox DROP COLUMN CountedUID;"                              \
    "ALTER TABLE mailbox DROP COLUMN IndexedUID;"                              \
    "PRAGMA user_version=2"

#endif
