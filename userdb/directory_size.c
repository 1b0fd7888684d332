/* How much memory a directory takes, and how much a PC must have to give it
 * that: for whoever makes a stick, and for the screen of a PC that is too
 * small. */
#include "userdb/directory_internal.h"

/* Of what is free when the store is set up, for each of two directories: one is
 * filled while the other one is asked. */
#define SHARE     128
#define SHARE_MIN ((size_t)256 * 1024)
#define SHARE_MAX ((size_t)16 * 1024 * 1024)

/* What is lost where the memory begins and ends; less than the other is none.
 */
#define EDGES     32
#define BYTES_MIN 1024

/* Of a PC's memory at least so much is free then. */
#define FREE_PERCENT 40
#define PC_MB_MIN    32u
#define PC_MB_MAX    65536u

/* As directory.c takes it. */
static size_t piece(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

size_t directory_alias_bytes(size_t len)
{
    return piece(sizeof(struct directory_text) + len + 1);
}

size_t directory_user_bytes(size_t len)
{
    return directory_alias_bytes(len) + piece(sizeof(struct directory_record)) +
           sizeof(struct directory_record *);
}

size_t directory_meaning_bytes(size_t len)
{
    return piece(sizeof(struct directory_meaning) + len + 1);
}

size_t directory_domain_bytes(size_t len)
{
    return directory_alias_bytes(len) + piece(sizeof(struct directory_limits));
}

size_t directory_bytes_for(uint64_t content)
{
    uint64_t least = content + EDGES, bytes = least;

    while (bytes < least + directory_bucket_bytes((size_t)bytes))
        bytes = least + directory_bucket_bytes((size_t)bytes);
    return (size_t)(bytes < BYTES_MIN ? BYTES_MIN : bytes);
}

size_t directory_share(size_t left)
{
    size_t bytes = left / SHARE;

    bytes = bytes < SHARE_MIN ? SHARE_MIN : bytes;
    return (bytes > SHARE_MAX ? SHARE_MAX : bytes) & ~(size_t)4095;
}

unsigned directory_pc_mb(size_t bytes)
{
    for (unsigned mb = PC_MB_MIN; mb <= PC_MB_MAX; mb *= 2)
        if (directory_share((size_t)mb * 1024 * 1024 / 100 * FREE_PERCENT) >=
            bytes)
            return mb;
    return 0;
}
