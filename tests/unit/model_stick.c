/* See model_stick.h. Sources: BOT 1.0, SPC-4, SBC-3, USB 2.0 chapter 9. */
#include "tests/unit/model_stick.h"
#include "core/bytes.h"
#include <stdlib.h>
#include <string.h>

#define IN  0
#define OUT 1

enum phase { PHASE_CBW, PHASE_DATA, PHASE_CSW };

static const uint8_t good_config[] = {
    9, 2, 32,   0, 1,    1,    0, 0x80, 50, /* configuration */
    9, 4, 0,    0, 2,    8,    6, 0x50, 0,  /* interface */
    7, 5, 0x81, 2, 0x00, 0x02, 0,           /* bulk in */
    7, 5, 0x02, 2, 0x00, 0x02, 0,           /* bulk out */
};

/* ---- Host side ------------------------------------------------------- */

static void port_status(struct usb_bus *bus, unsigned port,
                        struct usb_port_status *status)
{
    struct model_stick *model = bus->host;

    (void)port;
    status->connected = model->plugged;
    status->connect_changed = model->connect_changed;
    status->enabled = model->enabled && model->plugged;
    status->speed = model->low_packet ? USB_FULL : USB_HIGH;
    model->connect_changed = false;
}

static void port_reset(struct usb_bus *bus, unsigned port)
{
    struct model_stick *model = bus->host;

    model->port_resets++;
    model->enabled = model->plugged;
    model->silent = model->dumb = model->needs_recovery = false;
    model->halted[IN] = model->halted[OUT] = false;
    model->device_toggle[IN] = model->device_toggle[OUT] = 0;
    model->phase = PHASE_CBW;
    usb_port_changed(bus, port);
}

static void operate(struct usb_device *device)
{
    struct model_stick *model = device->bus->host;

    model->device = device;
    model->operation = 1;
}

static void endpoints_open(struct usb_device *device)
{
    struct model_stick *model = device->bus->host;

    model->host_halted[IN] = model->host_halted[OUT] = false;
    model->host_toggle[IN] = model->host_toggle[OUT] = 0;
    model->device_toggle[IN] = model->device_toggle[OUT] = 0;
    operate(device);
}

static void device_close(struct usb_device *device)
{
    operate(device);
    ((struct model_stick *)device->bus->host)->operation = 2;
}

static struct list *queue_of(struct model_stick *model,
                             const struct usb_endpoint *endpoint)
{
    if (endpoint->address == 0) {
        return &model->control;
    }
    return (endpoint->address & USB_ENDPOINT_IN) != 0 ? &model->in
                                                      : &model->out;
}

static enum err transfer_start(struct usb_transfer *transfer)
{
    struct model_stick *model = transfer->endpoint->device->bus->host;

    list_append(queue_of(model, transfer->endpoint), &transfer->link);
    return OK;
}

static void endpoint_reset(struct usb_endpoint *endpoint)
{
    struct model_stick *model = endpoint->device->bus->host;
    unsigned place = endpoint->address == 0                       ? 2
                     : (endpoint->address & USB_ENDPOINT_IN) != 0 ? IN
                                                                  : OUT;

    model->resetting[place] = endpoint;
}

static const struct usb_host_operations operations = {
    .port_status = port_status,
    .port_reset = port_reset,
    .device_address = operate,
    .control_update = operate,
    .endpoints_open = endpoints_open,
    .device_close = device_close,
    .transfer = transfer_start,
    .endpoint_reset = endpoint_reset,
};

static void end_all(struct list *queue, enum usb_status status)
{
    struct list *node;

    while ((node = list_take_first(queue)) != NULL) {
        usb_transfer_finish(LIST_ELEMENT(node, struct usb_transfer, link),
                            status, 0);
    }
}

static bool host_poll(struct model_stick *model)
{
    unsigned operation = model->operation;
    bool busy = operation != 0;
    unsigned i;

    model->operation = 0;
    if (operation == 2) {
        end_all(&model->control, USB_GONE);
        end_all(&model->in, USB_GONE);
        end_all(&model->out, USB_GONE);
        memset(model->resetting, 0, sizeof model->resetting);
    }
    if (operation != 0) {
        usb_operation_done(model->device, OK);
    }
    for (i = 0; i < 3; i++) {
        struct usb_endpoint *endpoint = model->resetting[i];

        if (endpoint == NULL) {
            continue;
        }
        busy = true;
        model->resetting[i] = NULL;
        if (i < 2) {
            model->host_halted[i] = false;
            model->host_toggle[i] = 0;
        }
        end_all(queue_of(model, endpoint), USB_CANCELLED);
        usb_endpoint_reset_done(endpoint, OK);
    }
    return busy;
}

/* ---- Control requests ------------------------------------------------ */

static uint32_t descriptor(struct model_stick *model, const uint8_t *setup)
{
    static const uint8_t device[18] = {18,   1,    0,    2, 0, 0, 0, 64, 0x34,
                                       0x12, 0x78, 0x56, 0, 1, 1, 2, 3,  1};
    uint8_t *answer = model->answer;
    size_t i;

    if (setup[3] == USB_DT_DEVICE) {
        memcpy(answer, device, sizeof device);
        answer[7] = model->low_packet ? 8 : 64;
        answer[16] = model->serial != NULL ? 3 : 0;
        return sizeof device;
    }
    if (setup[3] == USB_DT_CONFIG) {
        memcpy(answer, model->config, model->config_bytes);
        return model->config_bytes;
    }
    if (setup[2] == 0) {
        memcpy(answer, "\x04\x03\x09\x04", 4);
        return 4;
    }
    answer[0] = (uint8_t)(2 + 2 * strlen(model->serial));
    answer[1] = USB_DT_STRING;
    for (i = 0; i < strlen(model->serial); i++) {
        answer[2 + 2 * i] = (uint8_t)model->serial[i];
        answer[3 + 2 * i] = 0;
    }
    return answer[0];
}

static void clear_halt(struct model_stick *model, uint8_t address)
{
    unsigned pipe = (address & USB_ENDPOINT_IN) != 0 ? IN : OUT;

    model->halts_cleared++;
    model->device_toggle[pipe] = 0;
    if (!model->needs_recovery) {
        model->halted[pipe] = false;
    }
}

static void bot_reset(struct model_stick *model)
{
    model->bot_resets++;
    model->needs_recovery = model->silent = false;
    model->phase = PHASE_CBW;
}

static void control_poll(struct model_stick *model)
{
    struct usb_transfer *transfer =
        LIST_ELEMENT(model->control.next, struct usb_transfer, link);
    const uint8_t *setup = transfer->setup;
    uint32_t bytes = 0;

    list_remove(&transfer->link);
    if (setup[0] == 0x80 && setup[1] == USB_GET_DESCRIPTOR) {
        bytes = descriptor(model, setup);
    } else if (setup[0] == 0x02 && setup[1] == USB_CLEAR_FEATURE) {
        clear_halt(model, setup[4]);
    } else if (setup[0] == 0x21 && setup[1] == 0xff) {
        bot_reset(model);
    } else if (setup[0] != 0 || setup[1] != USB_SET_CONFIGURATION) {
        usb_transfer_finish(transfer, USB_STALL, 0);
        return;
    }
    if (bytes > transfer->bytes) {
        bytes = transfer->bytes;
    }
    if (bytes > 0) {
        memcpy(transfer->buffer, model->answer, bytes);
    }
    usb_transfer_finish(transfer, USB_OK, bytes);
}

/* ---- Commands -------------------------------------------------------- */

static void sense(struct model_stick *model, uint8_t key, uint8_t asc,
                  uint8_t ascq)
{
    model->status = 1;
    model->key = key;
    model->asc = asc;
    model->ascq = ascq;
    model->length = 0;
}

static const struct model_fault *take_fault(struct model_stick *model,
                                            uint8_t opcode)
{
    unsigned i;

    for (i = 0; i < MODEL_FAULTS; i++) {
        struct model_fault *fault = &model->faults[i];

        if (fault->kind == MODEL_NONE || fault->opcode != opcode) {
            continue;
        }
        if (fault->skip > 0) {
            fault->skip--;
        } else if (fault->times > 0) {
            fault->times--;
            return fault;
        }
    }
    return NULL;
}

static void answer_command(struct model_stick *model, const uint8_t *cdb)
{
    uint8_t *a = model->answer;

    memset(a, 0, sizeof model->answer);
    switch (cdb[0]) {
    case 0x03:
        model->senses++;
        a[0] = 0x70;
        a[2] = model->key;
        a[7] = 10;
        a[12] = model->asc;
        a[13] = model->ascq;
        model->key = model->asc = model->ascq = 0;
        model->length = 18;
        break;
    case 0x12:
        a[1] = 0x80;
        memcpy(a + 8, "MODEL   Stick of glass  1.0 ", 28);
        model->length = 36;
        break;
    case 0x1a:
        a[0] = 3;
        a[2] = model->write_protected ? 0x80 : 0;
        model->length = 4;
        break;
    case 0x25:
        put_be32(a, model->claimed_sectors - 1);
        put_be32(a + 4, model->sector_bytes);
        model->length = 8;
        break;
    case 0x00:
    case 0x35:
        model->flushes += cdb[0] == 0x35;
        model->length = 0;
        break;
    default:
        sense(model, 5, 0x20, 0);
        break;
    }
}

static void data_command(struct model_stick *model, const uint8_t *cdb)
{
    uint32_t sector = get_be32(cdb + 2), count = get_be16(cdb + 7);

    if (sector >= model->sectors || count > model->sectors - sector) {
        sense(model, 5, 0x21, 0);
        return;
    }
    if (cdb[0] == 0x2a && model->write_protected) {
        sense(model, 7, 0x27, 0);
        return;
    }
    model->reads += cdb[0] == 0x28;
    model->writes += cdb[0] == 0x2a;
    model->length = count * 512;
}

static void begin_command(struct model_stick *model)
{
    const uint8_t *cdb = model->cbw + 15;
    uint32_t asked = get_le32(model->cbw + 8);

    model->commands++;
    model->moved = 0;
    model->status = 0;
    model->fault = take_fault(model, cdb[0]);
    if (model->no_medium && cdb[0] != 0x12 && cdb[0] != 0x03) {
        sense(model, 2, 0x3a, 0);
    } else if (model->fault != NULL && model->fault->kind == MODEL_SENSE) {
        sense(model, model->fault->key, model->fault->asc, model->fault->ascq);
    } else if (cdb[0] == 0x28 || cdb[0] == 0x2a) {
        data_command(model, cdb);
    } else {
        answer_command(model, cdb);
    }
    if (model->length > asked) {
        model->length = asked;
    }
    model->residue = asked - model->length;
    model->csw_faults = 2;
    model->phase = asked > 0 ? PHASE_DATA : PHASE_CSW;
    if (model->fault != NULL && model->fault->kind == MODEL_SILENT) {
        model->silent = true;
    }
    if (model->fault != NULL && model->fault->kind == MODEL_DUMB) {
        model->silent = model->dumb = true;
    }
}

static bool fault_is(const struct model_stick *model,
                     enum model_fault_kind kind)
{
    return model->fault != NULL && model->fault->kind == kind;
}

/* ---- Bulk pipes ------------------------------------------------------ */

static void finish(struct model_stick *model, unsigned pipe,
                   struct usb_transfer *transfer, enum usb_status status,
                   uint32_t actual)
{
    if (status == USB_OK || actual > 0) {
        model->host_toggle[pipe]++;
        model->device_toggle[pipe]++;
    }
    if (status != USB_OK) {
        model->host_halted[pipe] = true;
    }
    list_remove(&transfer->link);
    usb_transfer_finish(transfer, status, actual);
}

static void stall(struct model_stick *model, unsigned pipe,
                  struct usb_transfer *transfer, uint32_t actual)
{
    model->halted[pipe] = true;
    finish(model, pipe, transfer, USB_STALL, actual);
}

static void take_cbw(struct model_stick *model, struct usb_transfer *transfer)
{
    uint8_t opcode;

    if (transfer->bytes != 31 || get_le32(transfer->buffer) != 0x43425355U) {
        model->needs_recovery = true;
        model->halted[IN] = true;
        stall(model, OUT, transfer, 0);
        return;
    }
    memcpy(model->cbw, transfer->buffer, 31);
    opcode = model->cbw[15];
    begin_command(model);
    if (fault_is(model, MODEL_STALL_CBW)) {
        model->needs_recovery = true;
        model->halted[IN] = true;
        stall(model, OUT, transfer, 0);
        return;
    }
    (void)opcode;
    finish(model, OUT, transfer, USB_OK, 31);
}

static void move(struct model_stick *model, struct usb_transfer *transfer,
                 uint32_t bytes)
{
    const uint8_t *cdb = model->cbw + 15;
    size_t at = (size_t)get_be32(cdb + 2) * 512;

    if (bytes == 0) {
        return;
    }
    if (cdb[0] == 0x28) {
        memcpy(transfer->buffer, model->disk + at, bytes);
    } else if (cdb[0] == 0x2a) {
        memcpy(model->disk + at, transfer->buffer, bytes);
    } else {
        memcpy(transfer->buffer, model->answer, bytes);
    }
}

static void fill_csw(const struct model_stick *model, uint8_t *csw)
{
    put_le32(csw, 0x53425355U ^ model->own_signature);
    memcpy(csw + 4, model->cbw + 4, 4);
    put_le32(csw + 8, model->residue);
    csw[12] = model->status;
}

static void data_poll(struct model_stick *model, unsigned pipe,
                      struct usb_transfer *transfer)
{
    uint32_t bytes =
        model->length < transfer->bytes ? model->length : transfer->bytes;

    model->phase = PHASE_CSW;
    if (fault_is(model, MODEL_PULLED)) {
        model_pull(model);
    } else if (fault_is(model, MODEL_WIRE)) {
        model->needs_recovery = true;
        finish(model, pipe, transfer, USB_ERROR, 0);
    } else if (fault_is(model, MODEL_STALL_DATA)) {
        move(model, transfer, bytes / 2);
        sense(model, model->fault->key, model->fault->asc, model->fault->ascq);
        model->residue = transfer->bytes - bytes / 2;
        stall(model, pipe, transfer, bytes / 2);
    } else if (fault_is(model, MODEL_CSW_AS_DATA) && pipe == IN) {
        model->residue = transfer->bytes;
        sense(model, 0xb, 0, 0);
        fill_csw(model, transfer->buffer);
        model->phase = PHASE_CBW;
        finish(model, pipe, transfer, USB_OK, 13);
    } else if (fault_is(model, MODEL_SHORT_DATA)) {
        move(model, transfer, bytes / 2);
        model->residue = transfer->bytes - bytes / 2;
        finish(model, pipe, transfer, USB_OK,
               pipe == IN ? bytes / 2 : transfer->bytes);
    } else if (pipe == OUT && bytes < transfer->bytes) {
        stall(model, pipe, transfer, 0);
    } else {
        move(model, transfer, bytes);
        if (fault_is(model, MODEL_RESIDUE)) {
            model->residue = bytes / 4 + 1;
        }
        finish(model, pipe, transfer, USB_OK, bytes);
    }
}

static void send_csw(struct model_stick *model, struct usb_transfer *transfer)
{
    uint8_t *csw = transfer->buffer;
    uint32_t actual = 13;

    fill_csw(model, csw);
    model->phase = PHASE_CBW;
    if (fault_is(model, MODEL_BAD_SIGNATURE)) {
        csw[0] ^= 0x40;
    } else if (fault_is(model, MODEL_BAD_TAG)) {
        csw[4]++;
    } else if (fault_is(model, MODEL_PHASE)) {
        csw[12] = 2;
    } else if (fault_is(model, MODEL_SHORT_CSW)) {
        actual = 12;
    }
    finish(model, IN, transfer, USB_OK, actual);
}

static void csw_poll(struct model_stick *model, struct usb_transfer *transfer)
{
    bool stalls =
        (fault_is(model, MODEL_STALL_CSW) && model->csw_faults == 2) ||
        (fault_is(model, MODEL_STALL_CSW_TWICE) && model->csw_faults > 0);

    if (stalls) {
        model->csw_faults--;
        stall(model, IN, transfer, 0);
    } else if (fault_is(model, MODEL_EMPTY_CSW) && model->csw_faults == 2) {
        model->csw_faults--;
        finish(model, IN, transfer, USB_OK, 0);
    } else {
        send_csw(model, transfer);
    }
}

/* Returns true when the pipe's first transfer moved on. */
static bool pipe_poll(struct model_stick *model, unsigned pipe,
                      struct list *queue)
{
    struct usb_transfer *transfer;
    bool data_in = (model->cbw[12] & 0x80) != 0;

    if (list_empty(queue) || model->host_halted[pipe] || model->silent) {
        return false;
    }
    transfer = LIST_ELEMENT(queue->next, struct usb_transfer, link);
    if (model->halted[pipe]) {
        finish(model, pipe, transfer, USB_STALL, 0);
    } else if (model->host_toggle[pipe] != model->device_toggle[pipe]) {
        model->toggle_errors++;
        finish(model, pipe, transfer, USB_ERROR, 0);
    } else if (pipe == OUT && model->phase == PHASE_CBW) {
        take_cbw(model, transfer);
    } else if (model->phase == PHASE_DATA && data_in == (pipe == IN)) {
        data_poll(model, pipe, transfer);
    } else if (model->phase == PHASE_CSW && pipe == IN) {
        csw_poll(model, transfer);
    } else {
        return false; /* NAK */
    }
    return true;
}

/* ---- The whole ------------------------------------------------------- */

void model_init(struct model_stick *model)
{
    uint8_t *disk = model->disk;

    memset(model, 0, sizeof *model);
    model->disk = disk != NULL ? disk : malloc((size_t)MODEL_SECTORS * 512);
    memset(model->disk, 0, (size_t)MODEL_SECTORS * 512);
    model->sectors = model->claimed_sectors = MODEL_SECTORS;
    model->sector_bytes = 512;
    model->config = good_config;
    model->config_bytes = sizeof good_config;
    model->serial = "0123456789AB";
    list_init(&model->control);
    list_init(&model->in);
    list_init(&model->out);
    model->bus.operations = &operations;
    model->bus.host = model;
    model->bus.name = "model";
    model->bus.ports = 1;
    usb_bus_prepare(&model->bus);
    usb_bus_add(&model->bus);
}

void model_plug(struct model_stick *model)
{
    model->plugged = model->connect_changed = true;
    model->enabled = false;
    usb_port_changed(&model->bus, 1);
}

void model_pull(struct model_stick *model)
{
    model->plugged = model->enabled = false;
    model->connect_changed = true;
    usb_port_changed(&model->bus, 1);
}

bool model_poll(struct model_stick *model)
{
    bool busy = host_poll(model);

    if (!model->plugged) {
        return busy;
    }
    if (!list_empty(&model->control) && !model->dumb &&
        !model->control_silent) {
        control_poll(model);
        busy = true;
    }
    busy |= pipe_poll(model, OUT, &model->out);
    busy |= pipe_poll(model, IN, &model->in);
    return busy;
}
