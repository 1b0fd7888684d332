/* The database's shape; see schema.c. */
#ifndef MAILSTORE_SCHEMA_H
#define MAILSTORE_SCHEMA_H

#define SCHEMA_APPLICATION_ID 0x42504d53 /* "BPMS" */
#define SCHEMA_CHUNK_BITS     12

/* A new database. */
extern const char schema_sql[];
/* One of the version before becomes one of SCHEMA's version. */
extern const char schema_upgrade_sql[];

#endif
