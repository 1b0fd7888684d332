/* VMware's vmxnet3, as its drivers see it: shared block, rings with completions
 * beside them, commands, events, the interrupt that masks itself. One at a
 * time. */
#include "tests/models/chip.h"
#include <string.h>

#define IMR    0x000u
#define TXPROD 0x600u
#define VRRS   0x00u
#define UVRS   0x08u
#define DSAL   0x10u
#define DSAH   0x18u
#define CMD    0x20u
#define MACL   0x28u
#define MACH   0x30u
#define ICR    0x38u
#define ECR    0x40u

/* In the shared block, and in a queue's description. */
#define SHARED_QUEUES 40u
#define SHARED_MODE   120u
#define SHARED_EVENTS 696u
#define QUEUE_BYTES   256u

#define GEN_SEND    0x00004000u
#define GEN_RECEIVE 0x80000000u
#define EVENT_LINK  4u

struct row {
    uint64_t address;
    uint32_t low, high;
};

struct done {
    uint32_t row, word1, bytes, kind;
};

struct ring {
    uint64_t rows, done;
    uint32_t count, done_count;
    uint32_t next, next_done;
    bool gen, done_gen;
};

static struct {
    uint8_t address[6];
    uint32_t own[2];
    unsigned mbit;
    uint64_t shared;
    uint32_t answer;
    bool active, masked, pending;
    uint32_t producer, events;
    struct ring send, receive;
} nic;

static void power_on(const uint8_t address[6])
{
    memset(&nic, 0, sizeof(nic));
    memcpy(nic.address, address, 6);
    nic.masked = true;
}

static void raise_event(uint32_t event)
{
    nic.events |= event;
    if (!nic.active)
        return;
    (void)chip_store(nic.shared + SHARED_EVENTS, &nic.events, 4);
    nic.pending = true;
}

static void set_link(unsigned mbit)
{
    nic.mbit = mbit;
    raise_event(EVENT_LINK);
}

/* ---- Rings --------------------------------------------------------------- */

static bool open_ring(struct ring *ring, uint64_t queue, bool send)
{
    memset(ring, 0, sizeof(*ring));
    ring->gen = ring->done_gen = true;
    return chip_fetch(queue + 16, &ring->rows, 8) &&
           chip_fetch(queue + 32, &ring->done, 8) &&
           chip_fetch(queue + 56, &ring->count, 4) &&
           chip_fetch(queue + 64, &ring->done_count, 4) && ring->count != 0 &&
           chip_rule(ring->count % 32 == 0 && ring->rows % 512 == 0 &&
                         ring->done % 512 == 0 &&
                         ring->done_count >= ring->count,
                     send ? "vmxnet3: the ring to send"
                          : "vmxnet3: the ring to receive");
}

static bool take_row(struct ring *ring, uint32_t gen, struct row *row)
{
    return chip_fetch(ring->rows + ring->next * sizeof(*row), row,
                      sizeof(*row)) &&
           ((row->low & gen) != 0) == ring->gen;
}

static void step(struct ring *ring)
{
    if (++ring->next == ring->count) {
        ring->next = 0;
        ring->gen = !ring->gen;
    }
}

static void complete(struct ring *ring, struct done *done)
{
    done->kind |= ring->done_gen ? 0x80000000u : 0;
    done->kind = chip_status(done->kind, 0xff000000);
    done->row = chip_status(done->row, UINT32_MAX);
    chip_descriptor(done, sizeof(*done));
    (void)chip_store(ring->done + ring->next_done * sizeof(*done), done,
                     sizeof(*done));
    if (++ring->next_done == ring->done_count) {
        ring->next_done = 0;
        ring->done_gen = !ring->done_gen;
    }
    nic.pending = true;
}

static bool send_one(void)
{
    struct done done = {nic.send.next, 0, 0, 0};
    uint8_t frame[CHIP_FRAME_BYTES * 8];
    struct row row;

    if (nic.send.next == nic.producer || !take_row(&nic.send, GEN_SEND, &row) ||
        !chip_fetch(row.address, frame, row.low & 0x3fff))
        return false;
    (void)chip_rule((row.high & 0x3000) == 0x3000,
                    "vmxnet3: a frame in one row ends there, and is reported");
    chip_send(frame, row.low & 0x3fff);
    step(&nic.send);
    complete(&nic.send, &done);
    return true;
}

static void work(void)
{
    unsigned most = chip_random(12);

    if (!nic.active || nic.mbit == 0 || chip_holds_frames())
        return;
    while (most-- > 0 && send_one())
        continue;
}

static bool wanted(const uint8_t *frame)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    uint32_t mode = 0;
    uint8_t own[6];

    (void)chip_fetch(nic.shared + SHARED_MODE, &mode, 4);
    memcpy(own, &nic.own[0], 4);
    memcpy(own + 4, &nic.own[1], 2);
    if (memcmp(frame, all, 6) == 0)
        return mode & 4;
    if (frame[0] & 1)
        return mode & 8;
    return (mode & 1) && memcmp(frame, own, 6) == 0;
}

static bool arrive(const uint8_t *frame, size_t bytes)
{
    struct done done = {0, 0, 0, 0x03000000u};
    struct row row;

    if (!nic.active || nic.mbit == 0 || !wanted(frame) ||
        !take_row(&nic.receive, GEN_RECEIVE, &row) ||
        (row.low & 0x3fff) < bytes || !chip_store(row.address, frame, bytes))
        return false;
    done.row = nic.receive.next | 0xc000;
    done.bytes = chip_status(chip_length((uint32_t)bytes, 0x3fff), 0x7fff);
    step(&nic.receive);
    complete(&nic.receive, &done);
    return true;
}

/* ---- Registers ----------------------------------------------------------- */

static uint32_t activate(void)
{
    uint32_t magic = 0;
    uint64_t queues = 0;

    if (!chip_fetch(nic.shared, &magic, 4) || magic != 0xbabefee1 ||
        !chip_fetch(nic.shared + SHARED_QUEUES, &queues, 8) ||
        chip_resets_endlessly())
        return 1;
    if (!open_ring(&nic.send, queues, true) ||
        !open_ring(&nic.receive, queues + QUEUE_BYTES, false))
        return 1;
    nic.active = true;
    nic.producer = 0;
    return 0;
}

static void run_command(uint32_t command)
{
    nic.answer = 0;
    switch (command) {
    case 0xcafe0000:
        nic.answer = activate();
        break;
    case 0xcafe0001:
    case 0xcafe0002:
        nic.active = nic.pending = false;
        nic.masked = true;
        break;
    case 0xf00d0002:
        nic.answer = nic.mbit == 0 ? 0 : nic.mbit << 16 | 1;
        break;
    case 0xf00d0003:
        memcpy(&nic.answer, nic.address, 4);
        break;
    case 0xf00d0004:
        memcpy(&nic.answer, nic.address + 4, 2);
        break;
    default:
        break;
    }
}

static uint32_t read(unsigned bar, uint32_t offset, unsigned bytes)
{
    (void)chip_rule(bytes == 4 && offset % 8 == 0,
                    "vmxnet3: registers have 32 bits");
    if (bar == 0)
        return 0;
    switch (offset) {
    case VRRS:
    case UVRS:
        return 1;
    case CMD:
        return nic.answer;
    case ICR: {
        const bool was = nic.pending;

        nic.pending = false;
        return was;
    }
    default:
        return 0;
    }
}

static void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value)
{
    (void)bytes;
    if (bar == 0) {
        if (offset == IMR)
            nic.masked = value & 1;
        else if (offset == TXPROD)
            nic.producer = value;
        return;
    }
    switch (offset) {
    case DSAL:
        nic.shared = (nic.shared & ~0xffffffffull) | value;
        break;
    case DSAH:
        nic.shared = (nic.shared & 0xffffffffull) | (uint64_t)value << 32;
        break;
    case CMD:
        run_command(value);
        break;
    case MACL:
        nic.own[0] = value;
        break;
    case MACH:
        nic.own[1] = value;
        break;
    case ECR:
        nic.events &= ~value;
        raise_event(0);
        break;
    default:
        break;
    }
}

/* It masks itself when it has spoken. */
static bool interrupt(void)
{
    if (!nic.pending || nic.masked)
        return false;
    nic.masked = true;
    return true;
}

const struct chip chip_vmxnet3 = {
    .name = "VMware vmxnet3",
    .vendor_id = 0x15ad,
    .device_id = 0x07b0,
    .fastest = 10000,
    .bars = {{4096, false}, {4096, false}},
    .power_on = power_on,
    .read = read,
    .write = write,
    .work = work,
    .arrive = arrive,
    .interrupt = interrupt,
    .set_link = set_link,
};
