/* USB Mass Storage, Bulk-Only Transport 1.0: one command at a time.
 *
 *   CBW (31 bytes out) -> data, in or out -> CSW (13 bytes in)
 *
 * CBW and data to the device are queued together; the IN pipe is asked for data
 * when the CBW is out, and for the CSW when the data is there. So a write or a
 * flush takes two rounds, a read three. To queue more at once would be legal
 * (IN tokens that come too early are answered by NAK), but not every device
 * bears it: the one that QEMU models answers an IN before the CBW with STALL,
 * and one for the CSW that waits behind data never.
 *
 * What can go wrong (BOT 5.3.3, 6.3 - 6.7):
 *   STALL of data         clear that pipe, then read the CSW
 *   STALL of the CSW      clear the pipe, read it once more
 *   empty CSW             read it once more
 *   CSW in place of data  take it: there will be no other
 *   CBW refused, CSW not valid, phase error, silence, broken wire
 *                         reset recovery; the command has failed */
#include "drivers/usb/storage.h"
#include "core/bytes.h"
#include "core/log.h"
#include "drivers/io.h"
#include <string.h>

#define CBW_BYTES      31
#define CBW_SIGNATURE  0x43425355U
#define CBW_FLAG_IN    0x80
#define CSW_BYTES      13
#define CSW_SIGNATURE  0x53425355U
#define CSW_TRIES      2
#define BOT_RESET      0xff
#define CLEAR_LIMIT_US 5000000
#define RESET_LIMIT_US 6000000

static void recover(struct storage *storage, const char *reason);
static void start_csw(struct storage *storage);

static void finish(struct storage *storage, enum bot_result result)
{
    storage->bot = BOT_IDLE;
    storage->deadline_us = UINT64_MAX;
    storage->bot_done(storage, result);
}

void bot_forget(struct storage *storage)
{
    storage->bot = BOT_IDLE;
    storage->deadline_us = UINT64_MAX;
}

static void submit(struct storage *storage, struct usb_transfer *transfer)
{
    enum err result = usb_transfer_submit(transfer);

    /* ERR_GONE: detach() or reset_done() follows. */
    if (result != OK && result != ERR_GONE) {
        recover(storage, err_text(result));
    }
}

/* ---- Status ---------------------------------------------------------- */

static bool csw_is_ours(const struct storage *storage, const uint8_t *csw)
{
    return (storage->signature == 0 ? get_le32(csw) == CSW_SIGNATURE
                                    : get_le32(csw) == storage->signature) &&
           get_le32(csw + 4) == storage->tag;
}

static void take_status(struct storage *storage, const uint8_t *csw)
{
    struct bot_command *command = &storage->command;
    uint32_t residue = get_le32(csw + 8);

    command->residue = residue <= command->bytes ? residue : command->bytes;
    if (csw[12] == 0) {
        finish(storage, BOT_OK);
    } else if (csw[12] == 1) {
        finish(storage, BOT_FAILED);
    } else {
        recover(storage, "phase error");
    }
}

static void clear_in(struct storage *storage);

static void csw_again(struct storage *storage, bool stalled)
{
    if (++storage->csw_tries >= CSW_TRIES) {
        recover(storage, "no status");
    } else if (stalled) {
        clear_in(storage);
    } else {
        start_csw(storage);
    }
}

static void csw_done(struct usb_transfer *transfer)
{
    struct storage *storage = transfer->context;

    if (storage->bot != BOT_IN || transfer->status == USB_CANCELLED ||
        transfer->status == USB_GONE) {
        return;
    }
    if (transfer->status == USB_STALL) {
        csw_again(storage, true);
    } else if (transfer->status != USB_OK) {
        recover(storage, "status lost");
    } else if (transfer->actual == 0) {
        csw_again(storage, false);
    } else if (transfer->actual != CSW_BYTES ||
               get_le32(storage->csw + 4) != storage->tag) {
        recover(storage, "status not valid");
    } else {
        /* Some sticks have a signature of their own: the first one counts. */
        if (storage->signature == 0) {
            storage->signature = get_le32(storage->csw);
        }
        if (get_le32(storage->csw) != storage->signature) {
            recover(storage, "status without signature");
        } else {
            take_status(storage, storage->csw);
        }
    }
}

static void start_csw(struct storage *storage)
{
    struct usb_transfer *transfer = &storage->csw_transfer;

    storage->bot = BOT_IN;
    storage->deadline_us = io_now_us() + storage->command.timeout_us;
    memset(storage->csw, 0, CSW_BYTES);
    transfer->endpoint = storage->in;
    transfer->buffer = storage->csw;
    transfer->bytes = CSW_BYTES;
    transfer->done = csw_done;
    transfer->context = storage;
    submit(storage, transfer);
}

/* ---- Halted pipes ---------------------------------------------------- */

static void control_done(struct usb_device *device, void *context,
                         enum usb_status status, uint32_t actual);
static void endpoint_done(struct usb_endpoint *endpoint, enum err result);

static void control(struct storage *storage, const struct usb_setup *setup,
                    uint32_t limit_us)
{
    enum err result = usb_control(storage->interface->device, setup, NULL,
                                  limit_us, control_done, storage);

    if (result != OK && result != ERR_GONE) {
        finish(storage, BOT_DEAD);
    }
}

static void clear_feature(struct storage *storage, enum bot_state next,
                          const struct usb_endpoint *endpoint)
{
    const struct usb_setup setup = {USB_REQUEST_ENDPOINT, USB_CLEAR_FEATURE,
                                    USB_FEATURE_HALT, endpoint->address, 0};

    storage->bot = next;
    storage->deadline_us = UINT64_MAX;
    control(storage, &setup, CLEAR_LIMIT_US);
}

static void clear_in(struct storage *storage)
{
    clear_feature(storage, BOT_CLEAR_IN_DEVICE, storage->in);
}

static void reset_host(struct storage *storage, enum bot_state next,
                       struct usb_endpoint *endpoint)
{
    storage->bot = next;
    storage->deadline_us = UINT64_MAX;
    usb_endpoint_reset(endpoint, endpoint_done);
}

static void recover(struct storage *storage, const char *reason)
{
    log_warn("storage", "%s: %s, command %02x: reset recovery",
             storage_name(storage), reason, (unsigned)storage->command.cdb[0]);
    reset_host(storage, BOT_RECOVER_STOP_IN, storage->in);
}

static void reset_device(struct storage *storage)
{
    const struct usb_setup setup = {USB_REQUEST_CLASS | USB_REQUEST_INTERFACE,
                                    BOT_RESET, 0, storage->interface->number,
                                    0};

    storage->bot = BOT_RECOVER_RESET;
    control(storage, &setup, RESET_LIMIT_US);
}

static void control_failed(struct storage *storage)
{
    if (storage->bot >= BOT_RECOVER_STOP_IN) {
        finish(storage, BOT_DEAD);
    } else {
        recover(storage, "halt stays");
    }
}

static void control_done(struct usb_device *device, void *context,
                         enum usb_status status, uint32_t actual)
{
    struct storage *storage = context;

    (void)device;
    (void)actual;
    if (status != USB_OK) {
        control_failed(storage);
        return;
    }
    if (storage->bot == BOT_CLEAR_OUT_DEVICE) {
        reset_host(storage, BOT_CLEAR_OUT_HOST, storage->out);
    } else if (storage->bot == BOT_CLEAR_IN_DEVICE) {
        reset_host(storage, BOT_CLEAR_IN_HOST, storage->in);
    } else if (storage->bot == BOT_RECOVER_RESET) {
        clear_feature(storage, BOT_RECOVER_CLEAR_IN, storage->in);
    } else if (storage->bot == BOT_RECOVER_CLEAR_IN) {
        clear_feature(storage, BOT_RECOVER_CLEAR_OUT, storage->out);
    } else if (storage->bot == BOT_RECOVER_CLEAR_OUT) {
        finish(storage, BOT_BROKEN);
    }
}

static void endpoint_done(struct usb_endpoint *endpoint, enum err result)
{
    struct storage *storage = storage_of_endpoint(endpoint);

    if (result != OK) {
        finish(storage, BOT_DEAD);
    } else if (storage->bot == BOT_RECOVER_STOP_IN) {
        reset_host(storage, BOT_RECOVER_STOP_OUT, storage->out);
    } else if (storage->bot == BOT_RECOVER_STOP_OUT) {
        reset_device(storage);
    } else {
        start_csw(storage);
    }
}

/* ---- Data ------------------------------------------------------------ */

static void data_done(struct usb_transfer *transfer)
{
    struct storage *storage = transfer->context;
    struct bot_command *command = &storage->command;

    if ((storage->bot != BOT_IN && storage->bot != BOT_OUT) ||
        transfer->status == USB_CANCELLED || transfer->status == USB_GONE) {
        return;
    }
    command->actual = transfer->actual;
    if (transfer->status == USB_STALL) {
        if (command->in) {
            clear_in(storage);
        } else {
            clear_feature(storage, BOT_CLEAR_OUT_DEVICE, storage->out);
        }
    } else if (transfer->status != USB_OK) {
        recover(storage, "data lost");
    } else if (command->in && transfer->actual == CSW_BYTES &&
               command->bytes != CSW_BYTES &&
               csw_is_ours(storage, command->data)) {
        command->actual = 0;
        take_status(storage, command->data);
    } else {
        start_csw(storage);
    }
}

static void prepare_data(struct storage *storage)
{
    struct usb_transfer *transfer = &storage->data_transfer;

    transfer->endpoint = storage->command.in ? storage->in : storage->out;
    transfer->buffer = storage->command.data;
    transfer->bytes = storage->command.bytes;
    transfer->done = data_done;
    transfer->context = storage;
}

static void cbw_done(struct usb_transfer *transfer)
{
    struct storage *storage = transfer->context;
    bool in = storage->command.in && storage->command.bytes > 0;

    if (storage->bot != BOT_OUT || transfer->status == USB_CANCELLED ||
        transfer->status == USB_GONE) {
        return;
    }
    if (transfer->status != USB_OK || transfer->actual != CBW_BYTES) {
        recover(storage, "command not taken");
    } else if (in) {
        storage->bot = BOT_IN;
        prepare_data(storage);
        submit(storage, &storage->data_transfer);
    } else if (storage->command.bytes == 0) {
        start_csw(storage);
    } /* else data_done() goes on */
}

static void fill_cbw(struct storage *storage)
{
    const struct bot_command *command = &storage->command;
    uint8_t *cbw = storage->cbw;

    memset(cbw, 0, CBW_BYTES);
    put_le32(cbw, CBW_SIGNATURE);
    put_le32(cbw + 4, ++storage->tag);
    put_le32(cbw + 8, command->bytes);
    cbw[12] = command->in && command->bytes > 0 ? CBW_FLAG_IN : 0;
    cbw[14] = command->cdb_bytes;
    memcpy(cbw + 15, command->cdb, command->cdb_bytes);
}

void bot_start(struct storage *storage)
{
    struct usb_transfer *transfer = &storage->cbw_transfer;
    bool out = !storage->command.in && storage->command.bytes > 0;

    storage->command.actual = 0;
    storage->command.residue = 0;
    storage->csw_tries = 0;
    storage->bot = BOT_OUT;
    storage->deadline_us = io_now_us() + storage->command.timeout_us;
    fill_cbw(storage);
    transfer->endpoint = storage->out;
    transfer->buffer = storage->cbw;
    transfer->bytes = CBW_BYTES;
    transfer->quiet = out;
    transfer->done = cbw_done;
    transfer->context = storage;
    submit(storage, transfer);
    if (out && storage->bot == BOT_OUT) {
        prepare_data(storage);
        submit(storage, &storage->data_transfer);
    }
}

uint64_t bot_poll(struct storage *storage, uint64_t now_us)
{
    if (now_us >= storage->deadline_us &&
        (storage->bot == BOT_OUT || storage->bot == BOT_IN)) {
        recover(storage, "no answer in time");
    }
    return storage->deadline_us;
}
