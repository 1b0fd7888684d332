/* A new version of Barepost comes over the network, onto the stick, and into
 * use. See load.h, mailstore/slots.h, core/program.h.
 *
 *   TFTP -> buffer -> page job: label and beginning checked, then piece by
 *   piece into the spare slot -> hash of what came, label, flush, read back,
 *   hash again -> ready.  load_install(): read once more -> slots_use()
 *
 * The file is larger than what a small PC could hold: while the stick is busy
 * with one piece the server is kept waiting. Pieces are small, so that mail,
 * whose requests wait in the same line at the stick, is not held up.
 * Until slots_use() nothing changes that anybody could start. Who made the file
 * is not known: there is no signature, and TFTP protects nothing. */
#include "core/inflate.h"
#include "core/machine.h"
#include "core/program.h"
#include "load/load_internal.h"
#include "mailstore/slots.h"
#include "mailstore/store.h"
#include "store/st_job.h"
#include "store/st_stick.h"
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES ((size_t)64 * 1024)
#define SECTOR      ((size_t)MEDIA_SECTOR_BYTES)

static struct {
    struct st_job job;
    struct tftp *tftp;
    char name[TFTP_NAME_MAX + 1];
    /* What came and is not on the stick yet. */
    char *buffer;
    size_t room, len;
    bool full; /* the server waits */
    bool over; /* no more comes */
    enum err fetched;
    struct slots slots;
    struct program_label label; /* of the file */
    struct sha256 sha;
    uint64_t written; /* of the program, into the slot */
    bool ready;       /* label: of what lies in the spare slot */
    bool back;        /* what load_install() was asked for */
    bool swapped;     /* since the start, ao and ao.old changed places */
    uint8_t head[PROGRAM_HEAD_BYTES];
} state;

/* ---- What comes -----------------------------------------------------------
 */

enum err load_program_take(struct tftp *tftp, const uint8_t *data, size_t len)
{
    if (len > state.room - state.len)
        return ERR_TOO_BIG;
    memcpy(state.buffer + state.len, data, len);
    state.len += len;
    if (state.room - state.len < (size_t)2 * TFTP_WINDOW_BYTES) {
        state.full = true;
        tftp_pause(tftp);
        st_job_wake(&state.job);
    }
    return OK;
}

void load_program_fetched(struct tftp *tftp, enum err result)
{
    (void)tftp;
    state.over = true;
    state.fetched = result;
    st_job_wake(&state.job);
}

/* What is written is no longer in the buffer. */
static void drop(size_t bytes)
{
    state.len -= bytes;
    memmove(state.buffer, state.buffer + bytes, state.len);
    if (state.full && !state.over) {
        state.full = false;
        tftp_go_on(state.tftp);
    }
}

/* ---- Sentences ------------------------------------------------------------
 */

#define AS_IT_WAS "the program is as it was"

static enum err refuse(const char *why)
{
    load_say("%.60s %s", state.name, why);
    return ERR_REFUSED;
}

static enum err say_stick(enum err err)
{
    if (err == ERR_UNSUPPORTED || err == ERR_NOT_FOUND)
        load_say("This stick has no room for a second version: mkusb --update "
                 "on a workstation");
    else if (err == ERR_GONE)
        load_say("The stick is gone; " AS_IT_WAS);
    else if (err == ERR_REFUSED)
        load_say("The stick is write-protected; " AS_IT_WAS);
    else
        load_say("The stick: %s; " AS_IT_WAS, err_text(err));
    return ERR_REFUSED;
}

/* Until the buffer is full or holds the rest of the file. */
static enum err wait_for_more(void)
{
    while (!state.over && !state.full) {
        if (st_job_cancelled(&state.job))
            return say_stick(ERR_GONE);
        st_job_wait(&state.job);
    }
    if (!state.over || state.fetched == OK)
        return OK;
    load_say_not_fetched(state.tftp, state.fetched);
    return state.fetched;
}

/* ---- Checking -------------------------------------------------------------
 */

static enum err find_slots(void)
{
    enum err err = slots_find(&state.slots, st_stick_take());

    st_stick_give_back();
    return err ? say_stick(err) : OK;
}

static enum err check_label(void)
{
    enum err err =
        state.len < PROGRAM_LABEL_BYTES
            ? ERR_INVALID
            : program_label_read((const uint8_t *)state.buffer, &state.label);

    if (err == ERR_VERSION)
        return refuse("is for a later Barepost: mkusb --update");
    if (err == ERR_CORRUPT)
        return refuse("is damaged: " AS_IT_WAS);
    return err ? refuse("is no update of Barepost") : OK;
}

/* Against the label: length of the file, room in the slot. */
static enum err check_size(void)
{
    uint64_t wanted = (uint64_t)PROGRAM_LABEL_BYTES + state.label.bytes;
    uint64_t total = state.over ? state.tftp->got : state.tftp->total;

    if (total != 0 && total < wanted)
        return refuse("is cut short: " AS_IT_WAS);
    if (total > wanted)
        return refuse("is longer than it says: " AS_IT_WAS);
    if (state.label.bytes > slots_room(&state.slots))
        return refuse("is too large for the room on this stick: mkusb "
                      "--update on a workstation");
    return OK;
}

/* Whether it can be started at all. */
static enum err check_image(void)
{
    const uint8_t *program =
        (const uint8_t *)state.buffer + PROGRAM_LABEL_BYTES;
    size_t bytes = state.len - PROGRAM_LABEL_BYTES, got;
    struct program_image image;

    if (inflate_is_packed(program, bytes)) {
        /* The beginning is enough: that there is more is no error. */
        (void)!inflate_gzip(program, bytes, state.head, sizeof(state.head),
                            &got);
    } else {
        got = bytes < sizeof(state.head) ? bytes : sizeof(state.head);
        memcpy(state.head, program, got);
    }
    if (program_find_image(state.head, got, state.label.unpacked_bytes, &image))
        return refuse("holds no Barepost for this PC: " AS_IT_WAS);
    return OK;
}

/* A version opens stores of its own kind, and those of the kind before, which
 * it changes into its own. */
static enum err check_store(void)
{
    if (state.label.store < STORE_VERSION)
        return refuse("is too old to read the mail on this stick");
    if (state.label.store > STORE_VERSION + 1)
        return refuse("needs a version in between, for the mail's sake");
    return OK;
}

static enum err check_new(void)
{
    struct program_label now;
    enum err err = slots_get_label(&state.slots, SLOT_NOW, &now);

    if (err == OK &&
        memcmp(now.sha256, state.label.sha256, sizeof(now.sha256)) == 0)
        return refuse("is the version that starts already");
    /* What is no label can be replaced. */
    return err == ERR_IO || err == ERR_GONE ? say_stick(err) : OK;
}

/* ---- Onto the stick --------------------------------------------------------
 */

/* Whole sectors from the buffer; with the last byte of the program also the
 * rest of its sector, as zeros. */
static enum err write_piece(void)
{
    struct media *media = state.slots.media;
    uint64_t left = state.label.bytes - state.written;
    size_t bytes = state.len < left ? state.len : (size_t)left;
    size_t whole;
    enum err err;

    if (bytes > PIECE_BYTES)
        bytes = PIECE_BYTES;
    if (bytes < left)
        bytes -= bytes % SECTOR;
    whole = (bytes + SECTOR - 1) / SECTOR * SECTOR;
    sha256_add(&state.sha, state.buffer, bytes);
    memset(state.buffer + bytes, 0, bytes < left ? 0 : whole - bytes);
    err = media->write(media,
                       state.slots.sector[SLOT_SPARE] + state.written / SECTOR,
                       (uint32_t)(whole / SECTOR), state.buffer);
    state.written += bytes;
    drop(bytes);
    return err ? say_stick(err) : OK;
}

static enum err write_program(void)
{
    enum err err = OK;

    sha256_begin(&state.sha);
    state.written = 0;
    drop(PROGRAM_LABEL_BYTES);
    while (!err && state.written < state.label.bytes) {
        load_say("%.60s: %llu of %u KB", state.name,
                 (unsigned long long)state.written / 1024,
                 state.label.bytes / 1024);
        if (state.over && state.len < state.label.bytes - state.written)
            return refuse("is cut short: " AS_IT_WAS);
        err = state.over || state.len >= PIECE_BYTES ? write_piece()
                                                     : wait_for_more();
    }
    if (!err)
        err = wait_for_more();
    if (!err && (!state.over || state.len > 0))
        return refuse("is longer than it says: " AS_IT_WAS);
    return err;
}

/* What came is what was sent; and what is on the stick is what came. */
static enum err finish_program(void)
{
    struct media *media = state.slots.media;
    uint8_t hash[SHA256_BYTES];
    struct program_label found;
    enum err err;

    sha256_end(&state.sha, hash);
    if (memcmp(hash, state.label.sha256, sizeof(hash)) != 0)
        return refuse("is damaged: " AS_IT_WAS);
    err = slots_put_label(&state.slots, SLOT_SPARE, &state.label);
    if (!err)
        err = media->flush(media);
    if (!err)
        err = slots_check(&state.slots, SLOT_SPARE, state.buffer, PIECE_BYTES,
                          &found);
    return err ? say_stick(err) : OK;
}

static enum err fetch_program(void)
{
    enum err err = find_slots();

    if (err)
        return err;
    err = wait_for_more();
    if (!err)
        err = check_label();
    if (!err)
        err = check_size();
    if (!err)
        err = check_image();
    if (!err)
        err = check_store();
    if (!err)
        err = check_new();
    if (!err)
        err = write_program();
    return err ? err : finish_program();
}

static void run_fetch(struct st_job *job, struct store *store)
{
    (void)job;
    (void)store;
    state.ready = fetch_program() == OK;
    if (state.ready)
        load_say("Checked and ready: %s. F4 installs it%s", state.label.version,
                 state.label.store == STORE_VERSION ? ""
                                                    : ", with no way back");
}

/* MT. */
static void ended(struct st_job *job, enum err result)
{
    (void)job;
    if (state.tftp != NULL && !state.over)
        tftp_cancel(state.tftp);
    if (result)
        (void)say_stick(result);
    load_end();
}

static void start_job(void (*run)(struct st_job *job, struct store *store))
{
    memset(&state.job, 0, sizeof(state.job));
    state.job.run = run;
    state.job.done = ended;
    st_job_start(&state.job);
}

void load_program_begin(struct tftp *tftp, const char *name, char *buffer,
                        size_t bytes)
{
    (void)snprintf(state.name, sizeof(state.name), "%s", name);
    state.tftp = tftp;
    state.buffer = buffer;
    state.room = bytes;
    state.len = 0;
    state.full = state.over = state.ready = false;
    start_job(run_fetch);
}

/* ---- Into use --------------------------------------------------------------
 */

/* Whether the version that runs is ao.old: it was chosen in the boot menu, for
 * the newest one does not work, or a change was made since. */
static bool runs_previous(void)
{
    return (strstr(machine_command_line(), "program=previous") != NULL) !=
           state.swapped;
}

/* The version that runs is never given up. */
static enum slots_change wanted_change(void)
{
    if (state.back)
        return SLOTS_BACK;
    return runs_previous() ? SLOTS_REPLACE : SLOTS_INSTALL;
}

static void use(const struct program_label *label)
{
    enum slots_change change = wanted_change();
    enum err err = slots_use(state.slots.media, change);

    if (err) {
        load_say("The stick: %s; what starts next may be either version",
                 err_text(err));
        return;
    }
    if (change != SLOTS_REPLACE)
        state.swapped = !state.swapped;
    state.ready = false;
    load_say("Installed: %s. Restart to use it", label->version);
}

static enum err check_again(struct program_label *label)
{
    enum err err = slots_find(&state.slots, st_stick_take());

    if (!err)
        err = slots_check(&state.slots, state.back ? SLOT_PREVIOUS : SLOT_SPARE,
                          state.buffer, PIECE_BYTES, label);
    if (!err && !state.back &&
        memcmp(label->sha256, state.label.sha256, sizeof(label->sha256)) != 0)
        err = ERR_CORRUPT;
    return err;
}

static void run_install(struct st_job *job, struct store *store)
{
    struct program_label label;
    enum err err;

    (void)job;
    (void)store;
    if (!state.back && !state.ready) {
        load_say("There is nothing to install: load an update first");
        return;
    }
    err = check_again(&label);
    if (err)
        (void)say_stick(err);
    else if (state.back && label.store != STORE_VERSION)
        load_say("%s cannot read the mail on this stick", label.version);
    else
        use(&label);
    st_stick_give_back();
}

void load_program_install(bool back, char *buffer, size_t bytes)
{
    state.tftp = NULL;
    state.buffer = buffer;
    state.room = bytes;
    state.back = back;
    start_job(run_install);
}
