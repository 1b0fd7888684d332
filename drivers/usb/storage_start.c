/* From a configured interface to a disk of known size:
 *
 *   INQUIRY -> TEST UNIT READY, until it is -> READ CAPACITY (10), (16)
 *   -> MODE SENSE (is it write-protected?) -> READ of the last sector -> ready
 *
 * A device without a medium (a card reader) is asked once a second. After a
 * port reset the same steps follow from TEST UNIT READY on.
 *
 * Not supported: logical units other than 0, sectors other than 512 bytes. */
#include "drivers/usb/storage.h"
#include "core/bytes.h"
#include "core/log.h"
#include "drivers/io.h"
#include <string.h>

#define STEP_LIMIT_US     5000000
#define STEP_TRIES        8
#define NOT_READY_US      30000000 /* in all */
#define NOT_READY_WAIT_US 50000
#define NO_MEDIUM_WAIT_US 1000000

#define INQUIRY_BYTES  36
#define MODE_BYTES     192
#define MODE_PROTECTED 0x80
#define TYPE_DISK      0x00
#define TYPE_OPTICAL   0x07
#define TYPE_SIMPLE    0x0e

static void go(struct storage *storage, enum storage_state next);

/* Text of INQUIRY: printable ASCII, blanks at the end cut off. */
static void take_text(char *text, const uint8_t *from, unsigned bytes)
{
    unsigned i, end = 0;

    for (i = 0; i < bytes; i++) {
        char c = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';

        text[i] = from[i] == 0 ? ' ' : c;
        if (text[i] != ' ') {
            end = i + 1;
        }
    }
    text[end] = '\0';
}

/* Some sticks report a residue for answers that are complete: learnt here,
 * where it does no harm. */
static void learn_residue(struct storage *storage)
{
    const struct bot_command *command = &storage->command;

    if (command->residue != 0 && command->actual == command->bytes) {
        log_info("storage", "%s: its residues are ignored",
                 storage_name(storage));
        storage->ignore_residue = true;
    }
}

static void inquiry_done(struct storage *storage)
{
    const uint8_t *d = storage->data;
    uint8_t type = d[0] & 0x1f;

    if (storage->command.actual < 5 || (d[0] >> 5) != 0 ||
        (type != TYPE_DISK && type != TYPE_OPTICAL && type != TYPE_SIMPLE)) {
        storage_give_up(storage, "no disk");
        return;
    }
    learn_residue(storage);
    take_text(storage->info.vendor, d + 8, 8);
    take_text(storage->info.product, d + 16, 16);
    go(storage, STORAGE_TEST);
}

static void test_done(struct storage *storage)
{
    storage->bring_up_us = 0;
    go(storage, STORAGE_CAPACITY10);
}

static void start_unit_done(struct storage *storage)
{
    go(storage, STORAGE_TEST);
}

static void take_capacity(struct storage *storage, uint64_t last,
                          uint32_t sector_bytes)
{
    if (sector_bytes != MACHINE_SECTOR_BYTES || last >= UINT64_MAX / 1024) {
        log_err("storage", "%s: sectors of %u bytes are not supported",
                storage_name(storage), (unsigned)sector_bytes);
        storage_give_up(storage, "sector size");
        return;
    }
    storage->sectors = last + 1;
    go(storage, STORAGE_MODE);
}

static void capacity10_done(struct storage *storage)
{
    uint32_t last = get_be32(storage->data);

    if (storage->command.actual < 8) {
        storage_give_up(storage, "no capacity");
        return;
    }
    learn_residue(storage);
    if (last == UINT32_MAX) {
        go(storage, STORAGE_CAPACITY16);
        return;
    }
    take_capacity(storage, last, get_be32(storage->data + 4));
}

static void capacity16_done(struct storage *storage)
{
    if (storage->command.actual < 12) {
        storage_give_up(storage, "no capacity");
        return;
    }
    take_capacity(storage, get_be64(storage->data),
                  get_be32(storage->data + 8));
}

static void mode_done(struct storage *storage)
{
    storage->info.read_only = storage->command.actual >= 4 &&
                              (storage->data[2] & MODE_PROTECTED) != 0;
    go(storage, STORAGE_LAST_SECTOR);
}

static void last_sector_done(struct storage *storage)
{
    storage_ready(storage);
}

/* ---- The steps ------------------------------------------------------- */

struct step {
    const char *name;
    uint8_t cdb[16];
    uint8_t cdb_bytes;
    uint32_t bytes;
    void (*done)(struct storage *storage);
    /* Also taken when the device does not know the command. */
    bool optional;
};

static const struct step steps[STORAGE_STATES] = {
    [STORAGE_INQUIRY] = {"INQUIRY",
                         {0x12, 0, 0, 0, INQUIRY_BYTES},
                         6,
                         INQUIRY_BYTES,
                         inquiry_done,
                         false},
    [STORAGE_TEST] = {"TEST UNIT READY", {0x00}, 6, 0, test_done, false},
    [STORAGE_START_UNIT] =
        {"START UNIT", {0x1b, 0, 0, 0, 1}, 6, 0, start_unit_done, true},
    [STORAGE_CAPACITY10] =
        {"READ CAPACITY", {0x25}, 10, 8, capacity10_done, false},
    [STORAGE_CAPACITY16] = {"READ CAPACITY(16)",
                            {[0] = 0x9e, [1] = 0x10, [13] = 32},
                            16,
                            32,
                            capacity16_done,
                            false},
    [STORAGE_MODE] = {"MODE SENSE",
                      {0x1a, 0, 0x3f, 0, MODE_BYTES},
                      6,
                      MODE_BYTES,
                      mode_done,
                      true},
    [STORAGE_LAST_SECTOR] = {"READ of the last sector",
                             {0x28},
                             10,
                             MACHINE_SECTOR_BYTES,
                             last_sector_done,
                             false},
};

static void step_done(struct storage *storage, enum scsi_outcome outcome);

static void step_start(struct storage *storage)
{
    const struct step *step = &steps[storage->state];
    struct bot_command command = {
        .in = true,
        .data = storage->data,
        .bytes = step->bytes,
        .cdb_bytes = step->cdb_bytes,
        .timeout_us = STEP_LIMIT_US,
    };

    memcpy(command.cdb, step->cdb, sizeof command.cdb);
    if (storage->state == STORAGE_LAST_SECTOR) {
        uint64_t last = storage->sectors - 1;

        if (last > UINT32_MAX) {
            command.cdb[0] = 0x88;
            command.cdb_bytes = 16;
            put_be64(command.cdb + 2, last);
            command.cdb[13] = 1;
        } else {
            put_be32(command.cdb + 2, (uint32_t)last);
            command.cdb[8] = 1;
        }
    }
    memset(storage->data, 0, MACHINE_SECTOR_BYTES);
    scsi_start(storage, &command, step_done);
}

static void go(struct storage *storage, enum storage_state next)
{
    storage->state = next;
    storage->bring_up_tries = 0;
    step_start(storage);
}

/* Some sticks say that they are one sector larger than they are; an unreadable
 * last sector is a matter for whoever reads it. */
static void last_sector_failed(struct storage *storage,
                               enum scsi_outcome outcome)
{
    if (outcome == SCSI_ILLEGAL && storage->sectors > 1) {
        log_warn("storage", "%s: capacity is off by one",
                 storage_name(storage));
        storage->sectors--;
    }
    storage_ready(storage);
}

static void step_not_ready(struct storage *storage, enum scsi_outcome outcome)
{
    uint64_t now_us = io_now_us();

    if (storage->bring_up_us == 0) {
        storage->bring_up_us = now_us;
    }
    storage->state = STORAGE_TEST;
    if (outcome == SCSI_NO_MEDIUM) {
        storage->bring_up_us = 0;
        if (storage->place >= 0) {
            storage_lose_disk(storage);
        }
        storage_pause(storage, storage->bring_up_tries++ < 3
                                   ? NOT_READY_WAIT_US
                                   : NO_MEDIUM_WAIT_US);
    } else if (now_us - storage->bring_up_us >= NOT_READY_US) {
        storage_give_up(storage, "does not become ready");
    } else if (outcome == SCSI_NEEDS_START && !storage->start_sent) {
        storage->start_sent = true;
        go(storage, STORAGE_START_UNIT);
    } else {
        storage_pause(storage, NOT_READY_WAIT_US);
    }
}

static void step_failed(struct storage *storage, enum scsi_outcome outcome)
{
    const struct step *step = &steps[storage->state];

    if (storage->state == STORAGE_LAST_SECTOR) {
        last_sector_failed(storage, outcome);
    } else if (step->optional) {
        storage->command.actual = 0;
        step->done(storage);
    } else if (++storage->bring_up_tries < STEP_TRIES &&
               outcome != SCSI_ILLEGAL) {
        storage_pause(storage, NOT_READY_WAIT_US);
    } else {
        log_err("storage", "%s: %s fails, sense=%x/%02x/%02x",
                storage_name(storage), step->name, (unsigned)storage->key,
                (unsigned)storage->asc, (unsigned)storage->ascq);
        storage_give_up(storage, "cannot be brought up");
    }
}

static void step_done(struct storage *storage, enum scsi_outcome outcome)
{
    const struct step *step = &steps[storage->state];

    if (outcome == SCSI_BROKEN || outcome == SCSI_DEAD) {
        if (!storage_fault(storage, outcome)) {
            storage_pause(storage, 0);
        }
        return;
    }
    switch (outcome) {
    case SCSI_OK:
    case SCSI_SHORT: /* each step looks at how much there is */
        step->done(storage);
        break;
    case SCSI_ATTENTION:
    case SCSI_CHANGED:
        /* Told once for each event; says nothing about the command. */
        if (++storage->bring_up_tries < STEP_TRIES) {
            step_start(storage);
        } else {
            step_failed(storage, outcome);
        }
        break;
    case SCSI_NOT_READY:
    case SCSI_NEEDS_START:
    case SCSI_NO_MEDIUM:
        step_not_ready(storage, outcome);
        break;
    case SCSI_RETRY:
    case SCSI_PROTECTED:
    case SCSI_ILLEGAL:
    case SCSI_REFUSED:
    case SCSI_BROKEN:
    case SCSI_DEAD:
    default:
        step_failed(storage, outcome);
        break;
    }
}

void storage_bring_up(struct storage *storage, enum storage_state from)
{
    storage->bring_up_us = 0;
    storage->start_sent = false;
    go(storage, from);
}

void storage_bring_up_next(struct storage *storage)
{
    step_start(storage);
}
