/* Looking at a stick without changing it: --inspect and --check. */
#ifndef MKUSB_READ_STICK_H
#define MKUSB_READ_STICK_H

#include "core/err.h"
#include "mailstore/store.h"
#include "mkusb/media_file.h"
#include "mkusb/options.h"
#include "mkusb/target.h"
#include "mkusb/target_file.h"

struct read_stick {
    struct target target;
    struct target_file file;
    struct media_file media;
    struct media_overlay overlay; /* takes what the store's recovery writes */
    struct store_place place;
    struct store *store;
};

/* read_stick_open - opens the target for reading.
 * read_stick_open_store - finds the store on it and recovers it, in memory.
 * rescue: also one that no server would start with, to read what there is.
 * Both: OK, or ERR_REFUSED after having said why. read_stick_close ends what
 * was begun, at any point. */
enum err read_stick_open(struct read_stick *stick, const char *path) MUST_CHECK;
enum err read_stick_open_store(struct read_stick *stick,
                               bool rescue) MUST_CHECK;
void read_stick_close(struct read_stick *stick);

/* inspect_stick, check_stick - the modes; results go to stdout. */
enum err inspect_stick(const struct options *options) MUST_CHECK;
enum err check_stick(const struct options *options) MUST_CHECK;

/* inspect_log - --log: the log's lines, to stdout. OK, or ERR_REFUSED after
 * having said why. inspect_print_plain - text of others, to stdout, without
 * what could drive a terminal. inspect_print_column - the same, filled up to so
 * many bytes. */
enum err inspect_log(struct store *store,
                     const struct options *options) MUST_CHECK;
void inspect_print_plain(const char *text);
void inspect_print_column(const char *text, size_t bytes);

/* export_messages - writes messages into the folder, which must be new or
 * empty; user_id 0: of all users. OK, or ERR_REFUSED after having said why. */
enum err export_messages(struct store *store, const char *folder, bool maildir,
                         int64_t user_id) MUST_CHECK;

#endif
