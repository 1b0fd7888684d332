/* Realtek RTL8168: an early chip (8168B) and a late one (8168H), which bars
 * receiving at first, leaves its rings to the firmware, and has its PHY behind
 * another register. One at a time. */
#include "tests/models/chip.h"
#include "tests/models/phy.h"
#include <string.h>

#define IDR0      0x00u
#define TNPDS     0x20u
#define CR        0x37u
#define TPPOLL    0x38u
#define IMR       0x3cu
#define ISR       0x3eu
#define TCR       0x40u
#define RCR       0x44u
#define CR9346    0x50u
#define PHYAR     0x60u
#define PHYSTATUS 0x6cu
#define OCPDR     0xb0u
#define GPHY_OCP  0xb8u
#define MCU       0xd3u
#define RMS       0xdau
#define CPCR      0xe0u
#define RDSAR     0xe4u
#define MISC      0xf0u

#define CR_RST    0x10u
#define CR_RE     0x08u
#define CR_TE     0x04u
#define ISR_ROK   0x01u
#define ISR_TOK   0x04u
#define ISR_RDU   0x10u
#define ISR_LINK  0x20u
#define GATED     0x00080000u
#define OOB       0x80u
#define FLAG      0x80000000u
#define UNLOCKED  0xc0u
#define RCR_WORSE 0x01000000u /* left by other systems: garbage is received */

#define ROW_OWN   0x80000000u
#define ROW_END   0x40000000u
#define ROW_FIRST 0x20000000u
#define ROW_LAST  0x10000000u

#define FCS      4u
#define RESET_US 300u
#define PHY_US   30u

struct row {
    uint32_t status, vlan;
    uint64_t address;
};

static struct {
    bool late;
    uint8_t registers[256];
    uint8_t address[6];
    struct phy phy;
    bool was_up;
    uint64_t reset_us, phy_us; /* when it is over; 0: nothing goes on */
    bool phy_read;
    uint16_t link_config; /* OCP register 0xe8de */
    unsigned send_row, receive_row;
    bool sending;
    bool high_written[2];
} nic;

static uint16_t get16(unsigned offset)
{
    uint16_t value;

    memcpy(&value, &nic.registers[offset], 2);
    return value;
}

static uint32_t get32(unsigned offset)
{
    uint32_t value;

    memcpy(&value, &nic.registers[offset], 4);
    return value;
}

static uint64_t get64(unsigned offset)
{
    return (uint64_t)get32(offset + 4) << 32 | get32(offset);
}

static void put32(unsigned offset, uint32_t value)
{
    memcpy(&nic.registers[offset], &value, 4);
}

static void cause(uint16_t bits)
{
    const uint16_t value = get16(ISR) | bits;

    memcpy(&nic.registers[ISR], &value, 2);
}

/* ---- Reset, link --------------------------------------------------------- */

static void reset_registers(void)
{
    memset(nic.registers, 0, sizeof(nic.registers));
    memcpy(&nic.registers[IDR0], nic.address, 6);
    put32(TCR, nic.late ? 0x54100000u : 0x38000000u);
    put32(RCR, RCR_WORSE);
    if (nic.late) {
        put32(MISC, GATED);
        nic.registers[MCU] = OOB;
    }
    nic.link_config = 0x4000;
    nic.sending = false;
    nic.high_written[0] = nic.high_written[1] = false;
}

static void power_on(const uint8_t address[6], bool late)
{
    memset(&nic, 0, sizeof(nic));
    nic.late = late;
    memcpy(nic.address, address, 6);
    phy_power_on(&nic.phy, 1000, late);
    reset_registers();
}

static void power_on_early(const uint8_t address[6])
{
    power_on(address, false);
}

static void power_on_late(const uint8_t address[6])
{
    power_on(address, true);
}

static void set_link(unsigned mbit)
{
    phy_set_link(&nic.phy, mbit);
}

static void watch_link(void)
{
    const unsigned mbit = phy_mbit(&nic.phy);

    nic.registers[PHYSTATUS] = (uint8_t)(mbit == 0     ? 0
                                         : mbit == 10  ? 0x07
                                         : mbit == 100 ? 0x0b
                                                       : 0x13);
    if (nic.was_up != (mbit != 0))
        cause(ISR_LINK);
    nic.was_up = mbit != 0;
}

static void end_reset(void)
{
    if (nic.reset_us == 0 || chip_now_us() < nic.reset_us ||
        chip_resets_endlessly())
        return;
    nic.reset_us = 0;
    nic.registers[CR] = 0;
}

/* ---- Rings --------------------------------------------------------------- */

static bool send_one(void)
{
    const uint64_t at = get64(TNPDS) + nic.send_row * sizeof(struct row);
    uint8_t frame[CHIP_FRAME_BYTES * 8];
    struct row row;

    if (!chip_fetch(at, &row, sizeof(row)) || !(row.status & ROW_OWN))
        return false;
    (void)chip_rule((row.status & ROW_FIRST) && (row.status & ROW_LAST),
                    "RTL8168: a frame in one descriptor is first and last");
    if (!chip_fetch(row.address, frame, row.status & 0x3fff))
        return false;
    chip_send(frame, row.status & 0x3fff);
    nic.send_row = row.status & ROW_END ? 0 : nic.send_row + 1;
    row.status &= ~ROW_OWN;
    row.status = chip_status(row.status, UINT32_MAX);
    chip_descriptor(&row, sizeof(row));
    (void)chip_store(at, &row, sizeof(row));
    cause(ISR_TOK);
    return true;
}

static void work(void)
{
    unsigned most = chip_random(12);

    end_reset();
    watch_link();
    if (nic.reset_us != 0 || !nic.sending || !(nic.registers[CR] & CR_TE) ||
        chip_holds_frames() || !nic.was_up)
        return;
    while (most-- > 0) {
        if (!send_one()) {
            nic.sending = false;
            return;
        }
    }
}

static bool wanted(const uint8_t *frame)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};

    if (memcmp(frame, all, 6) == 0)
        return get32(RCR) & 8;
    if (frame[0] & 1)
        return (get32(RCR) & 4) && get32(8) == UINT32_MAX;
    return (get32(RCR) & 2) && memcmp(frame, &nic.registers[IDR0], 6) == 0;
}

static bool arrive(const uint8_t *frame, size_t bytes)
{
    const uint64_t at = get64(RDSAR) + nic.receive_row * sizeof(struct row);
    struct row row;

    if (!(nic.registers[CR] & CR_RE) || !nic.was_up || !wanted(frame))
        return false;
    if (nic.late && ((get32(MISC) & GATED) || (nic.registers[MCU] & OOB) ||
                     !(nic.link_config & 0x8000)))
        return false;
    (void)chip_rule(get32(RDSAR) % 256 == 0 && get32(TNPDS) % 256 == 0,
                    "RTL8168: rings are aligned to 256 bytes");
    (void)chip_rule(!(get32(RCR) & RCR_WORSE), "RTL8168: RCR bit 24 is clear");
    (void)chip_rule(get16(RMS) >= 1522, "RTL8168: RMS lets frames through");
    (void)chip_rule(!(get16(CPCR) & 0x40), "RTL8168: VLAN tags stay");
    if (!chip_fetch(at, &row, sizeof(row)) || !(row.status & ROW_OWN) ||
        (row.status & 0x3fff) < bytes + FCS ||
        !chip_store(row.address, frame, bytes)) {
        cause(ISR_RDU);
        return false;
    }
    nic.receive_row = row.status & ROW_END ? 0 : nic.receive_row + 1;
    row.status = (row.status & ROW_END) | ROW_FIRST | ROW_LAST |
                 chip_length((uint32_t)bytes + FCS, 0x3fff);
    row.status = chip_status(row.status, UINT32_MAX);
    chip_descriptor(&row, sizeof(row));
    (void)chip_store(at, &row, sizeof(row));
    cause(ISR_ROK);
    return true;
}

/* ---- Registers ----------------------------------------------------------- */

/* The flag turns when the PHY has answered. */
static void end_phy_access(void)
{
    const unsigned offset = nic.late ? GPHY_OCP : PHYAR;
    const uint32_t value = get32(offset);

    if (nic.phy_us == 0 || chip_now_us() < nic.phy_us)
        return;
    nic.phy_us = 0;
    put32(offset, nic.phy_read ? value | FLAG : value & ~FLAG);
}

static uint32_t read(unsigned bar, uint32_t offset, unsigned bytes)
{
    uint32_t value = 0;

    (void)bar;
    end_reset();
    end_phy_access();
    watch_link();
    memcpy(&value, &nic.registers[offset], bytes);
    return value;
}

static void access_phy(uint32_t value)
{
    const unsigned number =
        nic.late ? ((value >> 15 & 0xfffe) - 0xa400u) / 2 : value >> 16 & 31;

    (void)chip_rule(nic.phy_us == 0, "RTL8168: one PHY access at a time");
    nic.phy_us = chip_now_us() + PHY_US;
    nic.phy_read = !(value & FLAG);
    if (value & FLAG)
        phy_write(&nic.phy, number, (uint16_t)value);
    else
        value |= phy_read(&nic.phy, number);
    put32(nic.late ? GPHY_OCP : PHYAR, value);
}

static void access_ocp(uint32_t value)
{
    if ((value >> 15 & 0xfffe) != 0xe8de)
        return;
    if (value & FLAG)
        nic.link_config = (uint16_t)value;
    else
        put32(OCPDR, (value & 0xffff8000u) | nic.link_config);
}

static void write_command(uint32_t value)
{
    if (!(value & CR_RST)) {
        nic.registers[CR] = value & (CR_RE | CR_TE);
        return;
    }
    reset_registers();
    nic.reset_us = chip_now_us() + RESET_US;
    nic.registers[CR] = CR_RST;
}

static void write_ring(uint32_t offset, uint32_t value)
{
    const unsigned which = offset >= RDSAR;
    const bool high = offset == TNPDS + 4 || offset == RDSAR + 4;

    put32(offset, value);
    if (high)
        nic.high_written[which] = true;
    else
        (void)chip_rule(nic.high_written[which],
                        "RTL8168: the upper half of an address comes first");
    if (which)
        nic.receive_row = 0;
    else
        nic.send_row = 0;
}

static void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value)
{
    (void)bar;
    end_phy_access();
    if (nic.reset_us != 0 || offset == PHYSTATUS ||
        (offset < 6 && nic.registers[CR9346] != UNLOCKED))
        return;
    if (offset == CR) {
        write_command(value);
    } else if (offset == ISR) {
        const uint16_t left = get16(ISR) & (uint16_t)~value;

        memcpy(&nic.registers[ISR], &left, 2);
    } else if (offset == TPPOLL) {
        /* Missed at times, while it is at it. */
        nic.sending |= (value & 0x40) && (!nic.sending || chip_random(64));
    } else if (offset == TCR) {
        put32(TCR, (get32(TCR) & 0x7cf00000) | (value & ~0x7cf00000u));
    } else if (offset == (nic.late ? GPHY_OCP : PHYAR)) {
        access_phy(value);
    } else if (offset == OCPDR && nic.late) {
        access_ocp(value);
    } else if (offset == TNPDS || offset == TNPDS + 4 || offset == RDSAR ||
               offset == RDSAR + 4) {
        write_ring(offset, value);
    } else {
        memcpy(&nic.registers[offset], &value, bytes);
    }
}

static bool interrupt(void)
{
    watch_link();
    return (get16(ISR) & get16(IMR)) != 0;
}

#define RTL_CHIP(device, text, on)                                             \
    {                                                                          \
        .name = (text), .vendor_id = 0x10ec, .device_id = (device),            \
        .fastest = 1000,                                                       \
        .bars = {{256, true},                                                  \
                 {0, false},                                                   \
                 {4096, false},                                                \
                 {0, false},                                                   \
                 {16384, false}},                                              \
        .power_on = (on), .read = read, .write = write, .work = work,          \
        .arrive = arrive, .interrupt = interrupt, .set_link = set_link,        \
    }

const struct chip chip_rtl8168b =
    RTL_CHIP(0x8168, "Realtek RTL8168/8111", power_on_early);
const struct chip chip_rtl8168h =
    RTL_CHIP(0x8161, "Realtek RTL8111", power_on_late);
