/* Intel's gigabit family (317453, 82574 data sheet): reset, EEPROM, filters,
 * rings of legacy descriptors, interrupt causes, link. One at a time. */
#include "tests/models/chip.h"
#include <string.h>

#define CTRL   0x0000u
#define STATUS 0x0008u
#define EERD   0x0014u
#define ICR    0x00c0u
#define IMS    0x00d0u
#define IMC    0x00d8u
#define RCTL   0x0100u
#define TCTL   0x0400u
#define RDBAL  0x2800u
#define RDBAH  0x2804u
#define RDLEN  0x2808u
#define RDH    0x2810u
#define RDT    0x2818u
#define RXDCTL 0x2828u
#define TDBAL  0x3800u
#define TDBAH  0x3804u
#define TDLEN  0x3808u
#define TDH    0x3810u
#define TDT    0x3818u
#define TXDCTL 0x3828u
#define MPC    0x4010u
#define MTA    0x5200u
#define RAL0   0x5400u
#define RAH0   0x5404u

#define CTRL_RST    0x04000000u
#define CTRL_SLU    0x00000040u
#define STATUS_LU   0x00000002u
#define ENABLE      0x00000002u /* of RCTL, TCTL */
#define RCTL_BAM    0x00008000u
#define RCTL_SECRC  0x04000000u
#define DCTL_ENABLE 0x02000000u
#define ADDRESS_OK  0x80000000u

#define CAUSE_LSC  0x04u
#define CAUSE_RXO  0x40u
#define CAUSE_RXT0 0x80u

#define BAR_BYTES 0x20000u
#define RESET_US  1000u
#define LOAD_US   5000u /* until the EEPROM has been read */

struct variant {
    bool eerd_large, queue_enable;
};

struct descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset, command, status, checksum_start;
    uint16_t special;
};

static const struct variant plain = {false, false};
static const struct variant express = {true, true};

static struct {
    const struct variant *variant;
    uint32_t registers[BAR_BYTES / 4];
    uint8_t address[6];
    unsigned mbit;
    uint64_t reset_us, load_us; /* when they end; 0: they do not go on */
    uint8_t frame[CHIP_FRAME_BYTES * 2];
    size_t frame_bytes;
} nic;

static uint32_t *reg(uint32_t offset)
{
    return &nic.registers[offset / 4];
}

/* ---- Reset, link --------------------------------------------------------- */

static void show_link(void)
{
    static const uint32_t codes[4] = {0, 0x40, 0x80, 0x80};
    const unsigned code = nic.mbit == 10 ? 0 : nic.mbit == 100 ? 1 : 2;
    const bool up = nic.mbit != 0 && (*reg(CTRL) & CTRL_SLU);

    *reg(STATUS) = 0x80080001u | (up ? STATUS_LU | codes[code] : 0);
}

static void load_address(void)
{
    const uint8_t *a = nic.address;

    *reg(RAL0) = (uint32_t)a[3] << 24 | (uint32_t)a[2] << 16 |
                 (uint32_t)a[1] << 8 | a[0];
    *reg(RAH0) = ADDRESS_OK | (uint32_t)a[5] << 8 | a[4];
}

static void set_link(unsigned mbit)
{
    nic.mbit = mbit;
    show_link();
    *reg(ICR) |= CAUSE_LSC;
}

static void power_on(const uint8_t address[6], const struct variant *variant)
{
    memset(&nic, 0, sizeof(nic));
    nic.variant = variant;
    memcpy(nic.address, address, 6);
    /* The firmware has left it on. */
    *reg(RCTL) = *reg(TCTL) = ENABLE;
    load_address();
    show_link();
}

static void begin_reset(void)
{
    const uint64_t now = chip_now_us();

    memset(nic.registers, 0, sizeof(nic.registers));
    *reg(CTRL) = CTRL_RST;
    nic.reset_us = now + RESET_US;
    nic.load_us = now + LOAD_US;
    nic.frame_bytes = 0;
}

static void end_reset(void)
{
    const uint64_t now = chip_now_us();

    if (nic.reset_us != 0 && now >= nic.reset_us && !chip_resets_endlessly()) {
        nic.reset_us = 0;
        *reg(CTRL) &= ~CTRL_RST;
    }
    if (nic.load_us != 0 && now >= nic.load_us && nic.reset_us == 0) {
        nic.load_us = 0;
        load_address();
        show_link();
    }
}

/* ---- Rings --------------------------------------------------------------- */

static uint64_t ring_base(uint32_t low)
{
    return (uint64_t)*reg(low + 4) << 32 | *reg(low);
}

static bool ring_enabled(uint32_t control, uint32_t queue)
{
    return (*reg(control) & ENABLE) && nic.reset_us == 0 &&
           (!nic.variant->queue_enable || (*reg(queue) & DCTL_ENABLE));
}

static uint32_t ring_slots(uint32_t length)
{
    return *reg(length) / (uint32_t)sizeof(struct descriptor);
}

static bool send_one(void)
{
    const uint64_t at = ring_base(TDBAL) + *reg(TDH) * 16u;
    struct descriptor row;

    if (!chip_fetch(at, &row, sizeof(row)))
        return false;
    (void)chip_rule(!(row.command & 0x20) && (row.command & 0x0a) == 0x0a,
                    "317453 3.3.3: legacy, FCS inserted, status reported");
    if (nic.frame_bytes + row.length > sizeof(nic.frame) ||
        !chip_fetch(row.address, nic.frame + nic.frame_bytes, row.length))
        return false;
    nic.frame_bytes += row.length;
    if (row.command & 1) {
        chip_send(nic.frame, nic.frame_bytes);
        nic.frame_bytes = 0;
    }
    row.status |= 1;
    row.status = (uint8_t)chip_status(row.status, 0xff);
    chip_descriptor(&row, sizeof(row));
    (void)chip_store(at, &row, sizeof(row));
    *reg(TDH) = (*reg(TDH) + 1) % ring_slots(TDLEN);
    return true;
}

static void work(void)
{
    unsigned most = chip_random(12);

    end_reset();
    if (nic.reset_us != 0 || !ring_enabled(TCTL, TXDCTL) ||
        ring_slots(TDLEN) == 0 || chip_holds_frames() || nic.mbit == 0)
        return;
    while (most-- > 0 && *reg(TDH) != *reg(TDT) && send_one())
        continue;
}

static bool wanted(const uint8_t *frame)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    const unsigned hash = (unsigned)frame[5] << 4 | frame[4] >> 4;
    uint8_t own[6];

    memcpy(own, reg(RAL0), 4);
    memcpy(own + 4, reg(RAH0), 2);
    if (memcmp(frame, all, 6) == 0)
        return *reg(RCTL) & RCTL_BAM;
    if (frame[0] & 1)
        return *reg(MTA + 4 * (hash >> 5)) >> (hash & 31) & 1;
    return (*reg(RAH0) & ADDRESS_OK) && memcmp(frame, own, 6) == 0;
}

static bool arrive(const uint8_t *frame, size_t bytes)
{
    const uint64_t at = ring_base(RDBAL) + *reg(RDH) * 16u;
    struct descriptor row;

    if (!ring_enabled(RCTL, RXDCTL) || nic.mbit == 0 || !wanted(frame))
        return false;
    (void)chip_rule(*reg(RDLEN) % 128 == 0 && *reg(RDBAL) % 16 == 0,
                    "317453 13.4.25: rings are aligned, multiples of 128");
    (void)chip_rule(*reg(RCTL) & RCTL_SECRC, "FCS is stripped");
    if (*reg(RDH) == *reg(RDT) || *reg(RDH) >= ring_slots(RDLEN) ||
        !chip_fetch(at, &row, sizeof(row)) ||
        !chip_store(row.address, frame, bytes)) {
        (*reg(MPC))++;
        *reg(ICR) |= CAUSE_RXO;
        return false;
    }
    row.length = (uint16_t)chip_length((uint32_t)bytes, UINT16_MAX);
    row.checksum_offset = row.command = 0;
    row.status = (uint8_t)chip_status(3, 0xff);
    row.checksum_start = (uint8_t)chip_status(0, 0xff); /* here: errors */
    chip_descriptor(&row, sizeof(row));
    (void)chip_store(at, &row, sizeof(row));
    *reg(RDH) = (*reg(RDH) + 1) % ring_slots(RDLEN);
    *reg(ICR) |= CAUSE_RXT0;
    return true;
}

/* ---- Registers ----------------------------------------------------------- */

static uint32_t read(unsigned bar, uint32_t offset, unsigned bytes)
{
    uint32_t value = *reg(offset);

    (void)bar;
    end_reset();
    (void)chip_rule(bytes == 4 && offset % 4 == 0,
                    "317453 13.2: registers are read by 32 bits");
    if (offset == ICR || (offset >= 0x4000 && offset < 0x4100))
        *reg(offset) = 0;
    return value;
}

static void read_eeprom(uint32_t value)
{
    const bool large = nic.variant->eerd_large;
    const uint32_t word = large ? value >> 2 & 0x3fff : value >> 8 & 0xff;
    uint32_t data = 0xffff;

    if (!(value & 1))
        return;
    if (word < 3)
        data = (uint32_t)nic.address[2 * word + 1] << 8 | nic.address[2 * word];
    *reg(EERD) = data << 16 | (large ? 2 : 0x10);
}

static void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value)
{
    (void)bar;
    (void)chip_rule(bytes == 4 && offset % 4 == 0,
                    "317453 13.2: registers are written by 32 bits");
    if (nic.reset_us != 0)
        return;
    if (offset == CTRL && (value & CTRL_RST)) {
        begin_reset();
    } else if (offset == CTRL) {
        *reg(CTRL) = value;
        show_link();
    } else if (offset == IMS) {
        *reg(IMS) |= value;
    } else if (offset == IMC) {
        *reg(IMS) &= ~value;
    } else if (offset == EERD) {
        read_eeprom(value);
    } else if (offset != STATUS && offset != ICR) {
        *reg(offset) = value;
    }
}

static bool interrupt(void)
{
    return (*reg(ICR) & *reg(IMS)) != 0;
}

static void power_on_plain(const uint8_t address[6])
{
    power_on(address, &plain);
}

static void power_on_express(const uint8_t address[6])
{
    power_on(address, &express);
}

#define INTEL_CHIP(device, text, on)                                           \
    {                                                                          \
        .name = (text), .vendor_id = 0x8086, .device_id = (device),            \
        .bars = {{BAR_BYTES, false}}, .power_on = (on), .read = read,          \
        .write = write, .work = work, .arrive = arrive,                        \
        .interrupt = interrupt, .set_link = set_link,                          \
    }

const struct chip chip_intel_82540em =
    INTEL_CHIP(0x100e, "Intel 82540EM", power_on_plain);
const struct chip chip_intel_82574l =
    INTEL_CHIP(0x10d3, "Intel 82574L", power_on_express);
