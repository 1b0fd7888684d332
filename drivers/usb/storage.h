/* What the files of the mass storage driver share: the stick, its transport
 * (Bulk-Only 1.0, "BOT") and its commands (SCSI). */
#ifndef DRIVERS_USB_STORAGE_H
#define DRIVERS_USB_STORAGE_H

#include "core/machine.h"
#include "drivers/usb/usb.h"

#define STORAGE_DEVICES MACHINE_DISKS
/* Usual limit of other systems; longer transfers break some sticks. */
#define STORAGE_PIECE_SECTORS 240

/* How one command went over the wire. */
enum bot_result {
    BOT_OK,     /* status 0 */
    BOT_FAILED, /* status 1: sense data says why */
    BOT_BROKEN, /* no valid answer; reset recovery has worked */
    BOT_DEAD,   /* nor has reset recovery */
};

enum bot_state {
    BOT_IDLE,
    BOT_OUT, /* CBW, and data to the device, are under way */
    BOT_IN,  /* data from the device, or the CSW, is under way */
    /* A halted pipe: CLEAR_FEATURE at the device, reset at the host, then the
     * CSW is read (again). */
    BOT_CLEAR_OUT_DEVICE,
    BOT_CLEAR_OUT_HOST,
    BOT_CLEAR_IN_DEVICE,
    BOT_CLEAR_IN_HOST,
    /* Reset recovery (BOT 5.3.4). */
    BOT_RECOVER_STOP_IN,
    BOT_RECOVER_STOP_OUT,
    BOT_RECOVER_RESET,
    BOT_RECOVER_CLEAR_IN,
    BOT_RECOVER_CLEAR_OUT,
};

struct bot_command {
    uint8_t cdb[16];
    uint8_t cdb_bytes;
    bool in;
    void *data;
    uint32_t bytes;
    uint32_t timeout_us;
    /* Results. */
    uint32_t actual;  /* carried over the wire */
    uint32_t residue; /* not processed, as the device says */
};

/* What a finished SCSI command amounts to. */
enum scsi_outcome {
    SCSI_OK,
    SCSI_SHORT,     /* success claimed, but not all data was processed */
    SCSI_RETRY,     /* medium, hardware, aborted, no reason: may work again */
    SCSI_NOT_READY, /* becoming ready */
    SCSI_NEEDS_START,
    SCSI_NO_MEDIUM,
    SCSI_ATTENTION, /* something has happened to the device */
    SCSI_CHANGED,   /* it may hold another medium now */
    SCSI_PROTECTED,
    SCSI_ILLEGAL,
    SCSI_REFUSED, /* will not work again either */
    SCSI_BROKEN,
    SCSI_DEAD,
};

struct storage;
typedef void scsi_done(struct storage *storage, enum scsi_outcome outcome);

enum storage_state {
    STORAGE_FREE,
    STORAGE_INQUIRY,
    STORAGE_TEST,
    STORAGE_START_UNIT,
    STORAGE_CAPACITY10,
    STORAGE_CAPACITY16,
    STORAGE_MODE,
    STORAGE_LAST_SECTOR,
    STORAGE_SERVICE,
    STORAGE_RESETTING, /* the port is being reset */
    STORAGE_DEAD,      /* given up until it is pulled */
    STORAGE_STATES
};

struct storage {
    struct usb_interface *interface;
    struct usb_endpoint *in, *out;
    enum storage_state state;
    uint64_t pause_us; /* next step not before; UINT64_MAX: none waits */

    /* Transport. */
    enum bot_state bot;
    struct bot_command command;
    struct usb_transfer cbw_transfer, data_transfer, csw_transfer;
    uint8_t *cbw, *csw; /* DMA memory */
    uint32_t tag;
    uint32_t signature; /* of the CSW: some sticks have their own */
    unsigned csw_tries;
    uint64_t deadline_us;
    void (*bot_done)(struct storage *storage, enum bot_result result);

    /* Commands. */
    scsi_done *scsi_done;
    struct bot_command failed; /* the one whose sense data is fetched */
    uint8_t *sense, *data;     /* DMA memory */
    uint8_t key, asc, ascq;
    bool sensing;
    bool ignore_residue; /* it reports one for data that is complete */

    /* The disk. */
    int place;                     /* -1: not attached */
    struct machine_disk_info info; /* what the attached disk shows */
    uint64_t sectors;              /* of the medium that is in now */
    unsigned bring_up_tries;
    uint64_t bring_up_us; /* since when it is not ready */
    bool start_sent;
    struct list queue;
    struct machine_disk_request *current;
    uint32_t sectors_done;
    uint32_t piece;
    unsigned tries;        /* of the current piece */
    unsigned attentions;   /* of the current piece */
    uint64_t not_ready_us; /* 0: it is */
    unsigned faults;       /* of the transport, since the last success */
    bool no_cache;         /* SYNCHRONIZE CACHE is unknown to it */
    bool unflushed;        /* it has written since the last flush */
    bool answering;        /* inside of a request's done() */
    bool lost;             /* ... and was reset: the next flush must fail */
};

/* storage_bot.c */
/* bot_start - carries out storage->command; bot_done follows, unless the device
 * goes first. */
void bot_start(struct storage *storage);
/* bot_poll - looks at the deadline. Returns the next one. */
uint64_t bot_poll(struct storage *storage, uint64_t now_us);
/* bot_forget - after the device has gone or was reset: nothing is under way. */
void bot_forget(struct storage *storage);

/* storage_scsi.c */
enum scsi_outcome scsi_classify(uint8_t key, uint8_t asc, uint8_t ascq);
/* scsi_start - done follows, with sense data fetched and classified. */
void scsi_start(struct storage *storage, const struct bot_command *command,
                scsi_done *done);
/* scsi_transfer - READ or WRITE, (10) or (16) as the address needs;
 * scsi_flush - SYNCHRONIZE CACHE(10) of all. storage_service_done() follows. */
void scsi_transfer(struct storage *storage, bool in, uint64_t sector,
                   uint32_t sectors, void *data);
void scsi_flush(struct storage *storage);

/* storage_start.c */
/* storage_bring_up - from INQUIRY, or after a reset from TEST UNIT READY, to
 * storage_ready(). */
void storage_bring_up(struct storage *storage, enum storage_state from);
/* storage_bring_up_next - the pause is over. */
void storage_bring_up_next(struct storage *storage);

/* storage.c */
extern const struct usb_driver usb_storage_driver;
/* storage_ready - size and names are known: attaches, or goes on. */
void storage_ready(struct storage *storage);
/* storage_service_done - a command of storage->current is over. */
void storage_service_done(struct storage *storage, enum scsi_outcome outcome);
/* storage_pause - the next step is taken after so long. */
void storage_pause(struct storage *storage, uint64_t pause_us);
/* storage_fault - the transport has failed once more: what remains to be tried,
 * port reset or giving up, is begun, and true returned; false: try again. */
bool storage_fault(struct storage *storage, enum scsi_outcome outcome);
/* storage_give_up - nothing helps: detached until it is pulled. */
void storage_give_up(struct storage *storage, const char *reason);
/* storage_lose_disk - answers all requests with ERR_GONE and detaches. */
void storage_lose_disk(struct storage *storage);
/* storage_of_endpoint - whose pipe it is. */
struct storage *storage_of_endpoint(const struct usb_endpoint *endpoint);
const char *storage_name(const struct storage *storage);

#endif
