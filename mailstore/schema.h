/* The database's shape; see schema.c. */
#ifndef MAILSTORE_SCHEMA_H
#define MAILSTORE_SCHEMA_H

#define SCHEMA_APPLICATION_ID 0x42504d53 /* "BPMS" */
#define SCHEMA_CHUNK_BITS     12

/* A new database. */
extern const char schema_sql[];
/* One of version 1 becomes one of SCHEMA's version. */
extern const char schema_upgrade_sql[];
/* The mailboxes beside Inbox, for every user that lacks them. */
extern const char schema_folders_sql[];

#endif
