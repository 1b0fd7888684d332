/* A USB bus with one port, and a stick in it that misbehaves on command. The
 * model stands where a host controller's driver stands: below
 * struct usb_host_operations. Device and host keep their halts and data toggles
 * apart, as on a wire: a pipe works only when both ends agree. */
#ifndef TESTS_UNIT_MODEL_STICK_H
#define TESTS_UNIT_MODEL_STICK_H

#include "drivers/usb/usb.h"

#define MODEL_SECTORS 4096
#define MODEL_FAULTS  4

enum model_fault_kind {
    MODEL_NONE,
    MODEL_STALL_CBW,       /* and until reset recovery */
    MODEL_STALL_DATA,      /* half the data, STALL; status 1 and sense data */
    MODEL_STALL_CSW,       /* once */
    MODEL_STALL_CSW_TWICE, /* and again after the halt was cleared */
    MODEL_EMPTY_CSW,
    MODEL_BAD_SIGNATURE,
    MODEL_BAD_TAG,
    MODEL_SHORT_CSW,
    MODEL_PHASE,
    MODEL_SHORT_DATA,  /* less data, residue says so, status 0 */
    MODEL_RESIDUE,     /* all data, and a residue nevertheless */
    MODEL_SENSE,       /* status 1 */
    MODEL_SILENT,      /* nothing on the bulk pipes until a Bulk-Only reset */
    MODEL_DUMB,        /* nor then: until the port is reset */
    MODEL_CSW_AS_DATA, /* the CSW comes in place of data */
    MODEL_WIRE,        /* broken packets */
    MODEL_PULLED,      /* in the midst of the data */
};

struct model_fault {
    enum model_fault_kind kind;
    uint8_t opcode;
    unsigned skip;  /* let this many pass */
    unsigned times; /* then do it so often */
    uint8_t key, asc, ascq;
};

struct model_stick {
    struct usb_bus bus;
    /* What it is. */
    uint8_t *disk;
    uint32_t sectors;
    uint32_t claimed_sectors, sector_bytes;
    bool write_protected;
    bool no_medium;
    const uint8_t *config; /* NULL: a proper one */
    uint32_t config_bytes;
    const char *serial;
    bool low_packet; /* full speed, packets of 8 bytes on endpoint 0 */
    bool control_silent;
    uint8_t own_signature; /* xor on the CSW's first byte */
    struct model_fault faults[MODEL_FAULTS];

    /* What was seen. */
    unsigned writes, reads, flushes, senses, bot_resets, port_resets;
    unsigned halts_cleared, toggle_errors, commands;

    /* The bus. */
    bool plugged, connect_changed, enabled;
    struct usb_device *device;
    unsigned operation; /* 1: finishes with the next poll, 2: a close */
    struct list control, in, out;
    struct usb_endpoint *resetting[3];
    bool host_halted[2];
    unsigned host_toggle[2], device_toggle[2];

    /* The stick. */
    unsigned phase;
    bool halted[2];
    bool needs_recovery, silent, dumb;
    uint8_t cbw[31];
    const struct model_fault *fault;
    uint32_t moved, length;
    uint8_t status;
    uint32_t residue;
    unsigned csw_faults;
    bool recovered;
    uint8_t key, asc, ascq;
    uint8_t answer[512];
};

/* model_init - an empty port; fields of "what it is" may be changed then. */
void model_init(struct model_stick *model);
void model_plug(struct model_stick *model);
void model_pull(struct model_stick *model);
/* model_poll - what the wire carries in one step; true: something happened. */
bool model_poll(struct model_stick *model);

#endif
