/* SCSI commands of the mass storage driver, and what their failure means
 * (SPC-4 4.5, 6.x; SBC-3 5.x). When a command has failed, the sense data is
 * fetched at once and classified; who started the command gets one outcome. */
#include "drivers/usb/storage.h"
#include "core/bytes.h"
#include "core/log.h"
#include <string.h>

#define SENSE_BYTES    18
#define SENSE_LIMIT_US 5000000
#define DATA_LIMIT_US  10000000
#define FLUSH_LIMIT_US 20000000

#define OP_REQUEST_SENSE     0x03
#define OP_READ10            0x28
#define OP_WRITE10           0x2a
#define OP_SYNCHRONIZE_CACHE 0x35
#define OP_READ16            0x88
#define OP_WRITE16           0x8a

static enum scsi_outcome classify_not_ready(uint8_t asc, uint8_t ascq)
{
    if (asc == 0x3a) {
        return SCSI_NO_MEDIUM;
    }
    return asc == 0x04 && ascq == 0x02 ? SCSI_NEEDS_START : SCSI_NOT_READY;
}

enum scsi_outcome scsi_classify(uint8_t key, uint8_t asc, uint8_t ascq)
{
    switch (key & 0x0f) {
    case 0x1: /* recovered error */
        return SCSI_OK;
    case 0x2:
        return classify_not_ready(asc, ascq);
    case 0x5:
        return SCSI_ILLEGAL;
    case 0x6:
        return asc == 0x28 ? SCSI_CHANGED : SCSI_ATTENTION;
    case 0x7:
        return SCSI_PROTECTED;
    case 0x8: /* blank check */
    case 0xd: /* volume overflow */
    case 0xe: /* miscompare */
        return SCSI_REFUSED;
    default: /* no sense, medium, hardware, vendor, aborted */
        return SCSI_RETRY;
    }
}

static enum scsi_outcome judge_data(struct storage *storage,
                                    const struct bot_command *command)
{
    uint32_t good = command->bytes;

    if (!storage->ignore_residue) {
        good -= command->residue;
    }
    if (command->actual < good) {
        good = command->actual;
    }
    return good == command->bytes ? SCSI_OK : SCSI_SHORT;
}

static void deliver(struct storage *storage, enum scsi_outcome outcome)
{
    storage->scsi_done(storage, outcome);
}

static void take_sense(struct storage *storage, enum bot_result result)
{
    const uint8_t *sense = storage->sense;
    uint32_t actual = storage->command.actual;
    enum scsi_outcome outcome;

    storage->sensing = false;
    storage->command = storage->failed;
    storage->key = storage->asc = storage->ascq = 0;
    if (result == BOT_BROKEN || result == BOT_DEAD) {
        deliver(storage, result == BOT_DEAD ? SCSI_DEAD : SCSI_BROKEN);
        return;
    }
    if (result == BOT_OK && actual >= 8 && (sense[0] & 0x7e) == 0x70) {
        storage->key = sense[2] & 0x0f;
        storage->asc = actual >= 14 ? sense[12] : 0;
        storage->ascq = actual >= 14 ? sense[13] : 0;
    }
    outcome = scsi_classify(storage->key, storage->asc, storage->ascq);
    log_debug("storage", "%s: command %02x sense=%x/%02x/%02x",
              storage_name(storage), (unsigned)storage->command.cdb[0],
              (unsigned)storage->key, (unsigned)storage->asc,
              (unsigned)storage->ascq);
    if (outcome == SCSI_OK) {
        outcome = judge_data(storage, &storage->command);
    }
    deliver(storage, outcome);
}

static void fetch_sense(struct storage *storage)
{
    struct bot_command *command = &storage->command;

    storage->failed = *command;
    storage->sensing = true;
    memset(command, 0, sizeof *command);
    memset(storage->sense, 0, SENSE_BYTES);
    command->cdb[0] = OP_REQUEST_SENSE;
    command->cdb[4] = SENSE_BYTES;
    command->cdb_bytes = 6;
    command->in = true;
    command->data = storage->sense;
    command->bytes = SENSE_BYTES;
    command->timeout_us = SENSE_LIMIT_US;
    bot_start(storage);
}

static void command_done(struct storage *storage, enum bot_result result)
{
    if (storage->sensing) {
        take_sense(storage, result);
    } else if (result == BOT_FAILED) {
        fetch_sense(storage);
    } else if (result == BOT_OK) {
        deliver(storage, judge_data(storage, &storage->command));
    } else {
        deliver(storage, result == BOT_DEAD ? SCSI_DEAD : SCSI_BROKEN);
    }
}

void scsi_start(struct storage *storage, const struct bot_command *command,
                scsi_done *done)
{
    storage->command = *command;
    storage->sensing = false;
    storage->key = storage->asc = storage->ascq = 0;
    storage->scsi_done = done;
    storage->bot_done = command_done;
    bot_start(storage);
}

void scsi_transfer(struct storage *storage, bool in, uint64_t sector,
                   uint32_t sectors, void *data)
{
    struct bot_command command = {
        .in = in,
        .data = data,
        .bytes = sectors * MACHINE_SECTOR_BYTES,
        .cdb_bytes = 10,
        .timeout_us = DATA_LIMIT_US,
    };

    if (sector + sectors <= UINT32_MAX) {
        command.cdb[0] = in ? OP_READ10 : OP_WRITE10;
        put_be32(command.cdb + 2, (uint32_t)sector);
        put_be16(command.cdb + 7, (uint16_t)sectors);
    } else {
        command.cdb[0] = in ? OP_READ16 : OP_WRITE16;
        put_be64(command.cdb + 2, sector);
        put_be32(command.cdb + 10, sectors);
        command.cdb_bytes = 16;
    }
    scsi_start(storage, &command, storage_service_done);
}

void scsi_flush(struct storage *storage)
{
    const struct bot_command command = {
        .cdb = {OP_SYNCHRONIZE_CACHE},
        .cdb_bytes = 10,
        .timeout_us = FLUSH_LIMIT_US,
    };

    scsi_start(storage, &command, storage_service_done);
}
