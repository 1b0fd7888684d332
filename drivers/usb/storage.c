/* USB mass storage: the class driver, and the disk it makes of a stick.
 *
 * Requests wait in one queue and are carried out strictly in order, one command
 * at a time, in pieces of STORAGE_PIECE_SECTORS. What may pass by itself is
 * tried again, with limits; what remains is told to the owner of the request. A
 * write that was carried out but perhaps lost by a reset of the device makes
 * the next flush fail, so that nobody believes it durable.
 *
 * When the transport fails: reset recovery and again; port reset, and again
 * after the device was brought up anew; once more each; then the stick is given
 * up, as if it were pulled: all requests end with ERR_GONE. */
#include "drivers/usb/storage.h"
#include "core/log.h"
#include "drivers/disk.h"
#include "drivers/io.h"
#include <string.h>

#define CLASS_STORAGE  0x08
#define PROTOCOL_BULK  0x50
#define DMA_BYTES      1024
#define PIECE_TRIES    4
#define ATTENTIONS_MAX 6
#define FAULTS_MAX     4
#define RETRY_WAIT_US  20000
#define READY_WAIT_US  100000
#define READY_LIMIT_US 30000000

static struct {
    struct storage devices[STORAGE_DEVICES];
    uint8_t *memory[STORAGE_DEVICES];
} state;

const char *storage_name(const struct storage *storage)
{
    return storage->info.product[0] != '\0' ? storage->info.product : "stick";
}

struct storage *storage_of_endpoint(const struct usb_endpoint *endpoint)
{
    unsigned i;

    for (i = 0; i < STORAGE_DEVICES; i++) {
        struct storage *storage = &state.devices[i];

        if (storage->state != STORAGE_FREE &&
            (storage->in == endpoint || storage->out == endpoint)) {
            return storage;
        }
    }
    return NULL;
}

void storage_pause(struct storage *storage, uint64_t pause_us)
{
    storage->pause_us = io_now_us() + pause_us;
}

/* ---- Ends of requests ------------------------------------------------ */

static void answer(struct storage *storage, enum err result)
{
    struct machine_disk_request *request = storage->current;

    storage->current = NULL;
    storage->answering = true;
    disk_done(request, result);
    storage->answering = false;
}

static void answer_queue(struct list *queue, enum err result)
{
    struct list *node;

    while ((node = list_take_first(queue)) != NULL) {
        disk_done(LIST_ELEMENT(node, struct machine_disk_request, link),
                  result);
    }
}

/* Whoever is told that the stick is gone may submit at once again: what comes
 * in meanwhile is answered after the place is empty. */
void storage_lose_disk(struct storage *storage)
{
    struct list queue;
    int place = storage->place;

    storage->pause_us = UINT64_MAX;
    storage->unflushed = storage->lost = false;
    if (place < 0) {
        return;
    }
    list_init(&queue);
    if (!list_empty(&storage->queue)) {
        list_insert(&storage->queue, &queue);
        list_remove(&storage->queue);
    }
    if (storage->current != NULL) {
        answer(storage, ERR_GONE);
    }
    answer_queue(&queue, ERR_GONE);
    storage->place = -1;
    disk_detach(place);
    answer_queue(&storage->queue, ERR_GONE);
}

void storage_give_up(struct storage *storage, const char *reason)
{
    log_err("storage", "%s: given up: %s", storage_name(storage), reason);
    storage->state = STORAGE_DEAD;
    storage_lose_disk(storage);
}

static void reset_port(struct storage *storage)
{
    storage->state = STORAGE_RESETTING;
    storage->pause_us = UINT64_MAX;
    if (storage->unflushed) {
        storage->lost = true;
    }
    usb_device_reset(storage->interface->device);
}

bool storage_fault(struct storage *storage, enum scsi_outcome outcome)
{
    storage->faults++;
    if (outcome == SCSI_DEAD && storage->faults % 2 != 0) {
        storage->faults++; /* there is no next try without a port reset */
    }
    if (storage->faults >= FAULTS_MAX) {
        storage_give_up(storage, "does not answer");
        return true;
    }
    if (storage->faults % 2 == 0) {
        reset_port(storage);
        return true;
    }
    return false;
}

/* ---- Service --------------------------------------------------------- */

static bool in_range(const struct storage *storage,
                     const struct machine_disk_request *request)
{
    return request->sectors != 0 &&
           request->sectors <= MACHINE_DISK_SECTORS_MAX &&
           request->sector < storage->sectors &&
           request->sectors <= storage->sectors - request->sector;
}

/* What can be said of a request without asking the stick. */
static enum err check_request(struct storage *storage,
                              const struct machine_disk_request *request)
{
    if (request->operation == MACHINE_DISK_FLUSH) {
        if (storage->lost) {
            storage->lost = storage->unflushed = false;
            return ERR_IO;
        }
        return OK;
    }
    if (!in_range(storage, request)) {
        return ERR_INVALID;
    }
    if (request->operation == MACHINE_DISK_WRITE && storage->info.read_only) {
        return ERR_REFUSED;
    }
    return OK;
}

static void start_piece(struct storage *storage)
{
    struct machine_disk_request *request = storage->current;
    uint64_t sector = request->sector + storage->sectors_done;
    uint32_t sectors = request->sectors - storage->sectors_done;

    if (request->operation == MACHINE_DISK_FLUSH) {
        scsi_flush(storage);
        return;
    }
    if (sectors > STORAGE_PIECE_SECTORS) {
        sectors = STORAGE_PIECE_SECTORS;
    }
    /* Some sticks fail when the last sector comes with others. */
    if (sectors > 1 && sector + sectors == storage->sectors) {
        sectors--;
    }
    storage->piece = sectors;
    scsi_transfer(storage, request->operation == MACHINE_DISK_READ, sector,
                  sectors,
                  (uint8_t *)request->buffer +
                      (size_t)storage->sectors_done * MACHINE_SECTOR_BYTES);
}

static void begin_piece(struct storage *storage)
{
    storage->tries = 0;
    storage->attentions = 0;
    storage->not_ready_us = 0;
    start_piece(storage);
}

/* Whether a request goes to the stick; the others are answered by serve(). */
static bool needs_stick(const struct storage *storage,
                        const struct machine_disk_request *request)
{
    if (request->operation == MACHINE_DISK_FLUSH) {
        return !storage->lost && !storage->no_cache;
    }
    return in_range(storage, request) &&
           !(request->operation == MACHINE_DISK_WRITE &&
             storage->info.read_only);
}

/* Takes the next request, answers those that need no stick. */
static void serve(struct storage *storage)
{
    while (storage->state == STORAGE_SERVICE && storage->current == NULL &&
           storage->bot == BOT_IDLE) {
        struct list *node = list_take_first(&storage->queue);

        if (node == NULL) {
            return;
        }
        storage->current =
            LIST_ELEMENT(node, struct machine_disk_request, link);
        storage->sectors_done = 0;
        if (needs_stick(storage, storage->current)) {
            begin_piece(storage);
        } else {
            answer(storage, check_request(storage, storage->current));
        }
    }
}

static void piece_ok(struct storage *storage)
{
    const struct machine_disk_request *request = storage->current;

    if (request->operation == MACHINE_DISK_FLUSH) {
        storage->unflushed = false;
        answer(storage, OK);
        return;
    }
    if (request->operation == MACHINE_DISK_WRITE) {
        storage->unflushed = !storage->no_cache;
    }
    storage->sectors_done += storage->piece;
    if (storage->sectors_done < request->sectors) {
        begin_piece(storage);
        return;
    }
    answer(storage, OK);
}

static void fail_request(struct storage *storage, enum err result)
{
    const struct machine_disk_request *request = storage->current;

    log_warn("storage", "%s: %s sector=%llu failed, sense=%x/%02x/%02x: %s",
             storage_name(storage),
             request->operation == MACHINE_DISK_READ    ? "read"
             : request->operation == MACHINE_DISK_WRITE ? "write"
                                                        : "flush",
             (unsigned long long)(request->sector + storage->sectors_done),
             (unsigned)storage->key, (unsigned)storage->asc,
             (unsigned)storage->ascq, err_text(result));
    answer(storage, result);
}

static void retry(struct storage *storage)
{
    if (++storage->tries < PIECE_TRIES) {
        storage_pause(storage, RETRY_WAIT_US);
    } else {
        fail_request(storage, ERR_IO);
    }
}

static void retry_not_ready(struct storage *storage)
{
    uint64_t now_us = io_now_us();

    if (storage->not_ready_us == 0) {
        storage->not_ready_us = now_us;
    }
    if (now_us - storage->not_ready_us < READY_LIMIT_US) {
        storage_pause(storage, READY_WAIT_US);
    } else {
        fail_request(storage, ERR_IO);
    }
}

/* Unit attention. 29h: it was reset, or has lost power, by itself: what it had
 * in its cache may be gone. */
static void attention(struct storage *storage)
{
    if (storage->asc == 0x29 && storage->unflushed) {
        log_warn("storage", "%s: was reset by itself", storage_name(storage));
        storage->lost = true;
    }
    if (storage->current->operation == MACHINE_DISK_FLUSH && storage->lost) {
        storage->lost = storage->unflushed = false;
        fail_request(storage, ERR_IO);
    } else if (++storage->attentions < ATTENTIONS_MAX) {
        start_piece(storage);
    } else {
        fail_request(storage, ERR_IO);
    }
}

static void medium_changed(struct storage *storage)
{
    log_warn("storage", "%s: medium changed", storage_name(storage));
    storage_lose_disk(storage);
    storage_bring_up(storage, STORAGE_TEST);
}

static void illegal(struct storage *storage)
{
    if (storage->current->operation == MACHINE_DISK_FLUSH) {
        log_info("storage", "%s: has no cache to flush", storage_name(storage));
        storage->no_cache = true;
        piece_ok(storage);
    } else {
        fail_request(storage, ERR_IO);
    }
}

/* A flush that has failed for the medium's sake is not tried again: the stick
 * may have dropped what it could not write, and would call the next one good.
 */
static bool flush_is_final(const struct storage *storage)
{
    return storage->current->operation == MACHINE_DISK_FLUSH &&
           storage->key != 0;
}

static void serve_failed(struct storage *storage, enum scsi_outcome outcome)
{
    switch (outcome) {
    case SCSI_NOT_READY:
    case SCSI_NEEDS_START:
        retry_not_ready(storage);
        break;
    case SCSI_NO_MEDIUM:
    case SCSI_CHANGED:
        medium_changed(storage);
        break;
    case SCSI_ATTENTION:
        attention(storage);
        break;
    case SCSI_PROTECTED:
        fail_request(storage, ERR_REFUSED);
        break;
    case SCSI_ILLEGAL:
        illegal(storage);
        break;
    case SCSI_REFUSED:
        fail_request(storage, ERR_IO);
        break;
    case SCSI_OK:
    case SCSI_SHORT:
    case SCSI_RETRY:
    case SCSI_BROKEN:
    case SCSI_DEAD:
    default:
        if (flush_is_final(storage)) {
            storage->unflushed = false;
            fail_request(storage, ERR_IO);
        } else {
            retry(storage);
        }
        break;
    }
}

void storage_service_done(struct storage *storage, enum scsi_outcome outcome)
{
    if (outcome == SCSI_BROKEN || outcome == SCSI_DEAD) {
        if (!storage_fault(storage, outcome)) {
            storage_pause(storage, 0);
        }
        return;
    }
    storage->faults = 0;
    if (outcome == SCSI_OK) {
        piece_ok(storage);
    } else {
        serve_failed(storage, outcome);
    }
    serve(storage);
}

/* A request that needs the stick is started at once when the stick is idle;
 * one that does not is answered by the next poll, never from here. */
static void submit(void *device, struct machine_disk_request *request)
{
    struct storage *storage = device;
    bool idle = storage->state == STORAGE_SERVICE && storage->current == NULL &&
                storage->bot == BOT_IDLE && list_empty(&storage->queue) &&
                !storage->answering;
    uint64_t now_us;

    if (idle && needs_stick(storage, request)) {
        list_init(&request->link);
        storage->current = request;
        storage->sectors_done = 0;
        begin_piece(storage);
        return;
    }
    list_append(&storage->queue, &request->link);
    if (idle) {
        now_us = io_now_us();
        usb_bus_wake(storage->interface->device->bus, now_us, now_us);
    }
}

static const struct disk_operations disk_operations = {.submit = submit};

/* ---- Coming and going ------------------------------------------------ */

static void attach_disk(struct storage *storage)
{
    struct machine_disk_info *info = &storage->info;

    info->present = true;
    info->sectors = storage->sectors;
    storage->unflushed = storage->lost = false;
    storage->place = disk_attach(&disk_operations, storage, info);
    if (storage->place < 0) {
        storage_give_up(storage, "no place for another disk");
        return;
    }
    log_info("storage", "disk %d: %s %s serial=%s mib=%llu%s after_ms=%llu",
             storage->place, info->vendor, info->product, info->serial,
             (unsigned long long)(info->sectors / 2048),
             info->read_only ? " write-protected" : "",
             (unsigned long long)(io_now_us() / 1000));
}

/* After a reset the same medium must be there still; another size is another
 * medium. */
void storage_ready(struct storage *storage)
{
    storage->state = STORAGE_SERVICE;
    storage->pause_us = UINT64_MAX;
    if (storage->place >= 0 && storage->info.sectors != storage->sectors) {
        storage_lose_disk(storage);
    }
    if (storage->place < 0) {
        attach_disk(storage);
    } else if (storage->current != NULL) {
        start_piece(storage);
    }
    serve(storage);
}

static bool match(const struct usb_interface *interface)
{
    return interface->class == CLASS_STORAGE &&
           interface->protocol == PROTOCOL_BULK &&
           (interface->subclass == 0x06 || interface->subclass == 0x02 ||
            interface->subclass == 0x05);
}

static struct usb_endpoint *find_bulk(struct usb_interface *interface,
                                      uint8_t direction)
{
    unsigned i;

    for (i = 0; i < interface->endpoint_count; i++) {
        struct usb_endpoint *endpoint = &interface->endpoints[i];

        if ((endpoint->attributes & USB_TRANSFER_MASK) == USB_TRANSFER_BULK &&
            (endpoint->address & USB_ENDPOINT_IN) == direction) {
            return endpoint;
        }
    }
    return NULL;
}

static struct storage *take(void)
{
    unsigned i;

    for (i = 0; i < STORAGE_DEVICES; i++) {
        struct storage *storage = &state.devices[i];

        if (storage->state != STORAGE_FREE) {
            continue;
        }
        if (state.memory[i] == NULL) {
            state.memory[i] = io_dma_take(DMA_BYTES, 64, 4096);
        }
        if (state.memory[i] == NULL) {
            return NULL;
        }
        memset(storage, 0, sizeof *storage);
        storage->cbw = state.memory[i];
        storage->csw = state.memory[i] + 64;
        storage->sense = state.memory[i] + 128;
        storage->data = state.memory[i] + 512;
        return storage;
    }
    return NULL;
}

static enum err attach(struct usb_interface *interface)
{
    struct usb_endpoint *in = find_bulk(interface, USB_ENDPOINT_IN);
    struct usb_endpoint *out = find_bulk(interface, 0);
    struct storage *storage;

    if (in == NULL || out == NULL) {
        log_warn("storage", "interface without two bulk endpoints");
        return ERR_INVALID;
    }
    storage = take();
    if (storage == NULL) {
        log_warn("storage", "too many sticks");
        return ERR_FULL;
    }
    storage->interface = interface;
    storage->in = in;
    storage->out = out;
    storage->place = -1;
    storage->pause_us = UINT64_MAX;
    storage->deadline_us = UINT64_MAX;
    list_init(&storage->queue);
    memcpy(storage->info.serial, interface->device->serial,
           sizeof storage->info.serial);
    interface->driver_data = storage;
    storage_bring_up(storage, STORAGE_INQUIRY);
    return OK;
}

static void detach(struct usb_interface *interface)
{
    struct storage *storage = interface->driver_data;

    bot_forget(storage);
    storage->state = STORAGE_DEAD;
    storage_lose_disk(storage);
    storage->state = STORAGE_FREE;
}

static void reset_done(struct usb_interface *interface)
{
    struct storage *storage = interface->driver_data;

    bot_forget(storage);
    if (storage->state == STORAGE_RESETTING) {
        storage_bring_up(storage, STORAGE_TEST);
    }
}

static uint64_t poll(struct usb_interface *interface, uint64_t now_us)
{
    struct storage *storage = interface->driver_data;
    uint64_t next_us;

    if (now_us >= storage->pause_us) {
        storage->pause_us = UINT64_MAX;
        if (storage->state == STORAGE_SERVICE) {
            start_piece(storage);
        } else {
            storage_bring_up_next(storage);
        }
    }
    serve(storage);
    next_us = bot_poll(storage, now_us);
    return next_us < storage->pause_us ? next_us : storage->pause_us;
}

const struct usb_driver usb_storage_driver = {
    .name = "storage",
    .match = match,
    .attach = attach,
    .detach = detach,
    .reset_done = reset_done,
    .poll = poll,
};
USB_DRIVER(usb_storage_driver);
