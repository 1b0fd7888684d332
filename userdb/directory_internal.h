/* What directory.c keeps and directory_expand.c looks through. */
#ifndef USERDB_DIRECTORY_INTERNAL_H
#define USERDB_DIRECTORY_INTERNAL_H

#include "userdb/directory.h"

enum directory_kind { DIRECTORY_USER, DIRECTORY_ALIAS, DIRECTORY_DOMAIN };

struct directory_record {
    struct user user;
    struct directory_record *next; /* in the bucket of its id */
};

/* One of those that an alias means: a user, or else an address. */
struct directory_meaning {
    struct directory_meaning *next;
    struct directory_record *record; /* NULL: an address */
    char address[];
};

struct directory_limits {
    uint64_t max_bytes;
    bool closed;
};

/* A text that can be found, and what it stands for by its kind. */
struct directory_text {
    struct directory_text *next;
    union {
        struct directory_record *record;
        struct directory_meaning *meanings;
        struct directory_limits *limits;
    };
    uint32_t hash;
    uint32_t seen; /* an alias: in which expansion last */
    uint16_t len;
    uint8_t kind; /* enum directory_kind */
    bool open;    /* an alias: its meanings are being followed */
    char bytes[];
};

/* directory_find - in the directory that is asked: "a", or "a@b" when b is
 * given. NULL: there is none of that kind. */
struct directory_text *directory_find(enum directory_kind kind, const char *a,
                                      size_t a_len, const char *b,
                                      size_t b_len);

/* directory_bucket_bytes - of so much memory, what the hash tables take. */
size_t directory_bucket_bytes(size_t bytes);

/* directory_tags - the characters that begin a tag. */
const char *directory_tags(void);

/* directory_same - caseless in ASCII. */
bool directory_same(const char *a, const char *b, size_t len);

#endif
