/* Opens a stick or an image for reading. The store gets a cover in RAM over
 * it (media_file.h), since it recovers its WAL when it is opened. */
#include "mkusb/read_stick.h"
#include "mkusb/say.h"
#include <string.h>

enum err read_stick_open(struct read_stick *stick, const char *path)
{
    char message[TARGET_MESSAGE_BYTES];
    enum err err;

    memset(stick, 0, sizeof(*stick));
    stick->file.fd = -1;
    err = target_examine(path, &stick->target, message);
    if (err != OK)
        return say_refused("%s", message);
    if (stick->target.kind == TARGET_NEW_FILE)
        return say_refused("there is no %s", path);
    err = target_file_open_read(&stick->file, &stick->target);
    if (err != OK)
        return err;
    media_file_init(&stick->media, stick->file.fd, stick->file.bytes, false);
    if (media_overlay_init(&stick->overlay, &stick->media.media) != OK)
        return say_refused("out of memory");
    return OK;
}

static enum err say_no_store(const struct read_stick *stick, enum err err)
{
    const char *path = stick->target.path;

    switch ((int)err) {
    case ERR_NOT_FOUND:
        return say_refused("%s is not a Barepost stick: no FAT32 file system "
                           "with a %s on it",
                           path, STORE_FILE);
    case ERR_VERSION:
        return say_refused("%s holds a store of another version of Barepost; "
                           "use the mkusb it came with",
                           path);
    case ERR_CORRUPT:
        return say_refused("%s is damaged: the file system or %s on it "
                           "contradicts itself",
                           path, STORE_FILE);
    default:
        return say_refused("%s cannot be read: %s", path, err_text(err));
    }
}

enum err read_stick_open_store(struct read_stick *stick, bool rescue)
{
    enum err err = store_locate(&stick->overlay.media, 0, &stick->place);

    if (err == OK) {
        err = store_open(&stick->place, true, &stick->store);
        /* A reader does not need what writing begins with. */
        if (err_unreadable(err) && rescue)
            err = store_open(&stick->place, false, &stick->store);
    }
    if (err == OK)
        return OK;
    stick->store = NULL;
    return say_no_store(stick, err);
}

void read_stick_close(struct read_stick *stick)
{
    if (stick->store != NULL)
        store_close(stick->store);
    stick->store = NULL;
    if (stick->overlay.table != NULL)
        media_overlay_free(&stick->overlay);
    target_file_close(&stick->file);
}
