/* Shared files: a folder in the store that the web server shows.
 *
 * A file comes in parts, each a change of its own, and is there for readers
 * once it is complete; what was never completed is removed when the store is
 * opened. Names are compared caselessly; a new file takes the place of an older
 * one of its name. */
#ifndef MAILSTORE_STORE_FILE_H
#define MAILSTORE_STORE_FILE_H

#include "mailstore/store.h"

#define STORE_FILE_NAME_BYTES 256
#define STORE_FILE_TYPE_BYTES 96
/* What store_file_put_part() takes at a time: always so much, but for the last.
 */
#define STORE_FILE_PART_BYTES 65536
#define STORE_FILE_PARTS_MAX  65536

struct store_file {
    int64_t id;
    char name[STORE_FILE_NAME_BYTES]; /* UTF-8, without slashes */
    char type[STORE_FILE_TYPE_BYTES]; /* media type, as it was told */
    uint64_t bytes;
    int64_t time_ms; /* Unix time, of its completion */
    int64_t user_id; /* who has brought it */
};

/* store_file_name_valid - whether a file may have that name: UTF-8 without
 * control characters, slashes, and dots in front. */
bool store_file_name_valid(const char *name);

/* store_file_begin - a file that is not complete yet; fills id. The writer, as
 * all that changes things. ERR_INVALID (name), ERR_FULL.
 * store_file_put_part - part `index`, from 0 on. ERR_FULL, ERR_TOO_BIG.
 * store_file_finish - it is there from now on, with so many bytes.
 * store_file_discard - or never. */
enum err store_file_begin(struct store *store,
                          struct store_file *file) MUST_CHECK;
enum err store_file_put_part(struct store *store, int64_t id, uint32_t index,
                             const void *bytes, size_t len) MUST_CHECK;
enum err store_file_finish(struct store *store, int64_t id, uint64_t bytes,
                           int64_t now_ms) MUST_CHECK;
enum err store_file_discard(struct store *store, int64_t id) MUST_CHECK;

/* store_file_delete - one that is complete. ERR_NOT_FOUND. */
enum err store_file_delete(struct store *store, const char *name) MUST_CHECK;

/* store_file_find - by its name. ERR_NOT_FOUND.
 * store_file_list - those behind a name, "" for all, in order of it, at most
 * so many; a callback's error ends the listing and is returned.
 * store_file_read - bytes from an offset on, of one part at most: how many, 0
 * at the end, or a negative enum err. */
enum err store_file_find(struct store *store, const char *name,
                         struct store_file *file) MUST_CHECK;
enum err store_file_list(struct store *store, const char *behind, unsigned most,
                         enum err (*each)(void *context,
                                          const struct store_file *file),
                         void *context) MUST_CHECK;
int store_file_read(struct store *store, int64_t id, uint64_t offset,
                    void *buffer, size_t bytes) MUST_CHECK;

#endif
