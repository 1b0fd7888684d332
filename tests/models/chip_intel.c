/* Intel's gigabit family (317453; data sheets of the 82574, I210, I217, I350):
 * reset, EEPROM, filters, rings of legacy or advanced descriptors, interrupt
 * causes, PHY, and what is special in some parts. One at a time. */
#include "tests/models/chip.h"
#include "tests/models/phy.h"
#include <string.h>

#define CTRL      0x0000u
#define STATUS    0x0008u
#define EERD      0x0014u
#define MDIC      0x0020u
#define RCTL      0x0100u
#define TCTL      0x0400u
#define EXTCNF    0x0f00u
#define RXPBS     0x2404u
#define TXPBS     0x3404u
#define MPC       0x4010u
#define MTA       0x5200u
#define RAL0      0x5400u
#define RAH0      0x5404u
#define SWSM      0x5b50u
#define FEXTNVM11 0x5bbcu

/* Of a queue, and of the interrupts, from where they begin. */
#define BAL    0x00u
#define BAH    0x04u
#define LEN    0x08u
#define SRRCTL 0x0cu
#define HEAD   0x10u
#define TAIL   0x18u
#define DCTL   0x28u

#define CTRL_RST    0x04000000u
#define CTRL_SLU    0x00000040u
#define STATUS_LU   0x00000002u
#define STATUS_2500 0x00400000u
#define ENABLE      0x00000002u /* of RCTL, TCTL */
#define RCTL_BAM    0x00008000u
#define RCTL_SECRC  0x04000000u
#define DCTL_ENABLE 0x02000000u
#define ADDRESS_OK  0x80000000u
#define MDIC_READY  0x10000000u
#define MDIC_ERROR  0x40000000u
#define OWN_EXTCNF  0x20u
#define OWN_SMBI    0x1u
#define OWN_SWESMBI 0x2u

#define CAUSE_LSC  0x04u
#define CAUSE_RXO  0x40u
#define CAUSE_RXT0 0x80u

#define BAR_BYTES 0x20000u
#define RESET_US  1000u
#define LOAD_US   5000u /* until the EEPROM has been read */
#define ENABLE_US 20u   /* until a queue runs */
#define PHY_US    50u
#define OWN_US    20000u /* the firmware wants the PHY, too */

struct variant {
    bool eerd, eerd_large;
    bool queue_enable;
    bool advanced;
    bool igc;
    bool extcnf, swsm; /* how the PHY is asked for */
    bool i219, pbs;
    bool asleep; /* its PHY at power-on */
    unsigned phy, fastest;
};

struct row {
    uint64_t address;
    uint32_t low, high;
};

static const struct variant variant_of_82540em = {
    .eerd = true, .phy = 1, .fastest = 1000};
static const struct variant variant_of_82574l = {.eerd = true,
                                                 .eerd_large = true,
                                                 .queue_enable = true,
                                                 .extcnf = true,
                                                 .phy = 1,
                                                 .fastest = 1000};
static const struct variant variant_of_i217 = {.queue_enable = true,
                                               .extcnf = true,
                                               .asleep = true,
                                               .phy = 2,
                                               .fastest = 1000};
static const struct variant variant_of_i219 = {.queue_enable = true,
                                               .extcnf = true,
                                               .i219 = true,
                                               .phy = 2,
                                               .fastest = 1000};
static const struct variant variant_of_i350 = {.eerd = true,
                                               .eerd_large = true,
                                               .queue_enable = true,
                                               .advanced = true,
                                               .swsm = true,
                                               .asleep = true,
                                               .phy = 1,
                                               .fastest = 1000};
static const struct variant variant_of_i210 = {.eerd = true,
                                               .eerd_large = true,
                                               .queue_enable = true,
                                               .advanced = true,
                                               .swsm = true,
                                               .pbs = true,
                                               .phy = 1,
                                               .fastest = 1000};
static const struct variant variant_of_i225 = {.queue_enable = true,
                                               .advanced = true,
                                               .igc = true,
                                               .swsm = true,
                                               .pbs = true,
                                               .phy = 0,
                                               .fastest = 2500};
static const struct variant variant_of_i226 = {.queue_enable = true,
                                               .advanced = true,
                                               .igc = true,
                                               .swsm = true,
                                               .pbs = true,
                                               .asleep = true,
                                               .phy = 0,
                                               .fastest = 2500};

static struct {
    const struct variant *is;
    uint32_t registers[BAR_BYTES / 4];
    uint8_t address[6];
    struct phy phy;
    unsigned mbit;
    uint32_t icr, ims; /* addresses of these registers */
    uint32_t receive, send;
    uint64_t reset_us, load_us; /* when they end; 0: they do not go on */
    uint64_t enabled_us[2];     /* receive, send; 0: not */
    uint64_t phy_us, owned_us;
    bool hung; /* rings of an I219 that was reset without care */
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
    const unsigned mbit = *reg(CTRL) & CTRL_SLU ? phy_mbit(&nic.phy) : 0;
    const uint32_t speed = mbit == 10 ? 0 : mbit == 100 ? 0x40 : 0x80;

    *reg(STATUS) = 0x80080001u | (mbit != 0 ? STATUS_LU | speed : 0) |
                   (mbit == 2500 ? STATUS_2500 : 0);
    if ((mbit != 0) != (nic.mbit != 0))
        *reg(nic.icr) |= CAUSE_LSC;
    nic.mbit = mbit;
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
    phy_set_link(&nic.phy, mbit);
    show_link();
}

static void power_on(const uint8_t address[6], const struct variant *variant)
{
    memset(&nic, 0, sizeof(nic));
    nic.is = variant;
    nic.icr = variant->igc ? 0x1500 : 0xc0;
    nic.ims = variant->igc ? 0x1508 : 0xd0;
    nic.receive = variant->igc ? 0xc000 : 0x2800;
    nic.send = variant->igc ? 0xe000 : 0x3800;
    memcpy(nic.address, address, 6);
    phy_power_on(&nic.phy, variant->fastest, variant->asleep);
    /* The firmware has left it on. */
    *reg(RCTL) = *reg(TCTL) = ENABLE;
    load_address();
    show_link();
}

static void begin_reset(void)
{
    const uint64_t now = chip_now_us();
    const uint32_t receive_buffer = *reg(RXPBS), send_buffer = *reg(TXPBS);

    if (nic.is->i219 && (nic.enabled_us[0] || nic.enabled_us[1]) &&
        !(*reg(FEXTNVM11) & 0x2000))
        nic.hung = true;
    if (nic.is->pbs)
        (void)chip_rule(receive_buffer == 0xa2 && send_buffer == 0x04000014,
                        "I210, I225: buffer sizes are set before a reset");
    memset(nic.registers, 0, sizeof(nic.registers));
    *reg(RXPBS) = receive_buffer;
    *reg(TXPBS) = send_buffer;
    *reg(CTRL) = CTRL_RST;
    nic.reset_us = now + RESET_US;
    nic.load_us = now + LOAD_US;
    nic.enabled_us[0] = nic.enabled_us[1] = nic.phy_us = nic.owned_us = 0;
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
    }
    if (nic.reset_us == 0)
        show_link();
    if (nic.owned_us != 0 && !chip_was_spoilt())
        (void)chip_rule(now - nic.owned_us < OWN_US,
                        "the PHY is given back to the firmware");
}

/* ---- Rings --------------------------------------------------------------- */

static bool queue_is_on(bool send)
{
    const uint64_t since = nic.enabled_us[send];

    return !nic.is->queue_enable ||
           (since != 0 && chip_now_us() >= since + ENABLE_US);
}

static bool queue_runs(uint32_t control, bool send)
{
    return (*reg(control) & ENABLE) && nic.reset_us == 0 && !nic.hung &&
           queue_is_on(send);
}

static uint64_t row_address(uint32_t queue)
{
    return ((uint64_t)*reg(queue + BAH) << 32 | *reg(queue + BAL)) +
           *reg(queue + HEAD) * sizeof(struct row);
}

static void next_row(uint32_t queue)
{
    const uint32_t count = *reg(queue + LEN) / (uint32_t)sizeof(struct row);

    *reg(queue + HEAD) = count == 0 ? 0 : (*reg(queue + HEAD) + 1) % count;
}

static void check_send_row(const struct row *row)
{
    if (nic.is->advanced)
        (void)chip_rule((row->low & 0x2af00000) == 0x2a300000 &&
                            row->high >> 14 == (row->low & 0xffff),
                        "I210 7.2.2: advanced data descriptor, with FCS, "
                        "status reported, length of the payload");
    else
        (void)chip_rule((row->low & 0x2a000000) == 0x0a000000,
                        "317453 3.3.3: legacy descriptor, with FCS, status "
                        "reported");
}

static bool send_one(void)
{
    const uint64_t at = row_address(nic.send);
    uint32_t length;
    struct row row;

    if (!chip_fetch(at, &row, sizeof(row)))
        return false;
    check_send_row(&row);
    length = row.low & 0xffff;
    if (nic.frame_bytes + length > sizeof(nic.frame) ||
        !chip_fetch(row.address, nic.frame + nic.frame_bytes, length))
        return false;
    nic.frame_bytes += length;
    if (row.low & 0x01000000) {
        chip_send(nic.frame, nic.frame_bytes);
        nic.frame_bytes = 0;
    }
    row.high = chip_status(row.high | 1, 0xff);
    chip_descriptor(&row, sizeof(row));
    (void)chip_store(at, &row, sizeof(row));
    next_row(nic.send);
    return true;
}

static void work(void)
{
    unsigned most = chip_random(12);

    end_reset();
    if (!queue_runs(TCTL, true) || *reg(nic.send + LEN) == 0 ||
        chip_holds_frames() || nic.mbit == 0)
        return;
    while (most-- > 0 && *reg(nic.send + HEAD) != *reg(nic.send + TAIL) &&
           send_one())
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

static void check_receive_queue(void)
{
    (void)chip_rule(*reg(nic.receive + LEN) % 128 == 0 &&
                        *reg(nic.receive + BAL) % 16 == 0,
                    "317453 13.4.25: rings are aligned, multiples of 128");
    (void)chip_rule(*reg(RCTL) & RCTL_SECRC, "FCS is stripped");
    if (nic.is->advanced)
        (void)chip_rule((*reg(nic.receive + SRRCTL) & 0x0e00007f) == 0x02000002,
                        "I210 8.10.2: advanced descriptors, 2 KiB buffers");
}

/* Writes back what came in. */
static void report(struct row *row, uint32_t bytes)
{
    const uint32_t length = chip_length(bytes, UINT16_MAX);

    if (nic.is->advanced) {
        row->address = 0;
        row->low = chip_status(3, 0xfff000ff);
        row->high = length;
    } else {
        row->low = length;
        row->high = chip_status(3, 0xffff);
    }
    chip_descriptor(row, sizeof(*row));
}

static bool arrive(const uint8_t *frame, size_t bytes)
{
    const uint64_t at = row_address(nic.receive);
    struct row row;

    if (!queue_runs(RCTL, false) || nic.mbit == 0 || !wanted(frame))
        return false;
    check_receive_queue();
    if (*reg(nic.receive + HEAD) == *reg(nic.receive + TAIL) ||
        !chip_fetch(at, &row, sizeof(row)) ||
        !chip_store(row.address, frame, bytes)) {
        (*reg(MPC))++;
        *reg(nic.icr) |= CAUSE_RXO;
        return false;
    }
    if (nic.is->advanced)
        (void)chip_rule(!(row.low & 1), "I210 7.1.4.1: DD is clear");
    report(&row, (uint32_t)bytes);
    (void)chip_store(at, &row, sizeof(row));
    next_row(nic.receive);
    *reg(nic.icr) |= CAUSE_RXT0;
    return true;
}

/* ---- PHY, EEPROM --------------------------------------------------------- */

static bool phy_is_owned(void)
{
    if (nic.is->extcnf)
        return *reg(EXTCNF) & OWN_EXTCNF;
    if (nic.is->swsm)
        return (*reg(SWSM) & 3) == (OWN_SMBI | OWN_SWESMBI);
    return true;
}

static void note_owner(void)
{
    if ((!nic.is->extcnf && !nic.is->swsm) || !phy_is_owned())
        nic.owned_us = 0;
    else if (nic.owned_us == 0)
        nic.owned_us = chip_now_us();
}

static void access_phy(uint32_t value)
{
    const unsigned number = value >> 16 & 31;

    (void)chip_rule(phy_is_owned() || chip_was_spoilt(),
                    "the PHY is asked for before MDIC is used");
    nic.phy_us = chip_now_us() + PHY_US;
    value &= 0x0fffffff;
    if ((value >> 21 & 31) != nic.is->phy)
        value |= MDIC_ERROR;
    else if ((value >> 26 & 3) == 1)
        phy_write(&nic.phy, number, (uint16_t)value);
    else
        value = (value & 0xffff0000) | phy_read(&nic.phy, number);
    *reg(MDIC) = value;
}

static void read_eeprom(uint32_t value)
{
    const bool large = nic.is->eerd_large;
    const uint32_t word = large ? value >> 2 & 0x3fff : value >> 8 & 0xff;
    uint32_t data = 0xffff;

    if (!(value & 1) || !nic.is->eerd)
        return;
    if (word < 3)
        data = (uint32_t)nic.address[2 * word + 1] << 8 | nic.address[2 * word];
    *reg(EERD) = data << 16 | (large ? 2 : 0x10);
}

/* ---- Registers ----------------------------------------------------------- */

static uint32_t read(unsigned bar, uint32_t offset, unsigned bytes)
{
    uint32_t value;

    (void)bar;
    end_reset();
    (void)chip_rule(bytes == 4 && offset % 4 == 0,
                    "317453 13.2: registers are read by 32 bits");
    if (nic.phy_us != 0 && chip_now_us() >= nic.phy_us) {
        nic.phy_us = 0;
        *reg(MDIC) |= MDIC_READY;
    }
    value = *reg(offset);
    if (offset == nic.receive + DCTL && !queue_is_on(false))
        value &= ~DCTL_ENABLE;
    if (offset == nic.send + DCTL && !queue_is_on(true))
        value &= ~DCTL_ENABLE;
    if (offset == nic.icr || (offset >= 0x4000 && offset < 0x4100))
        *reg(offset) = 0;
    if (offset == SWSM && nic.is->swsm)
        *reg(SWSM) |= OWN_SMBI;
    return value;
}

static void write_queue(uint32_t offset, uint32_t value)
{
    const bool send = (offset & ~0xffu) == nic.send;
    const uint32_t of_queue = offset & 0xff;

    if (of_queue == DCTL) {
        if (!(value & DCTL_ENABLE))
            nic.enabled_us[send] = 0;
        else if (nic.enabled_us[send] == 0)
            nic.enabled_us[send] = chip_now_us();
        if (nic.is->i219 && !chip_was_spoilt())
            (void)chip_rule(*reg(FEXTNVM11) & 0x2000,
                            "I219: FEXTNVM11 before the rings");
    }
    /* 0 is there already. */
    if (of_queue == TAIL && value != 0 && !chip_was_spoilt())
        (void)chip_rule(queue_runs(send ? TCTL : RCTL, send) || nic.hung,
                        "I210 4.5.9: a queue runs before its tail is moved");
    *reg(offset) = value;
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
    } else if (offset == nic.ims) {
        *reg(nic.ims) |= value;
    } else if (offset == nic.ims + (nic.is->igc ? 4 : 8)) {
        *reg(nic.ims) &= ~value;
    } else if (offset == EERD) {
        read_eeprom(value);
    } else if (offset == MDIC) {
        access_phy(value);
    } else if ((offset & ~0xffu) == nic.send ||
               (offset & ~0xffu) == nic.receive) {
        write_queue(offset, value);
    } else if (offset != STATUS && offset != nic.icr) {
        *reg(offset) = value;
        note_owner();
    }
}

static bool interrupt(void)
{
    end_reset();
    return (*reg(nic.icr) & *reg(nic.ims)) != 0;
}

#define INTEL_CHIP(variant, number, text, mbit)                                \
    static void power_on_##variant(const uint8_t address[6])                   \
    {                                                                          \
        power_on(address, &variant_of_##variant);                              \
    }                                                                          \
    const struct chip chip_intel_##variant = {                                 \
        .name = "Intel " text,                                                 \
        .vendor_id = 0x8086,                                                   \
        .device_id = (number),                                                 \
        .fastest = (mbit),                                                     \
        .bars = {{BAR_BYTES, false}},                                          \
        .power_on = power_on_##variant,                                        \
        .read = read,                                                          \
        .write = write,                                                        \
        .work = work,                                                          \
        .arrive = arrive,                                                      \
        .interrupt = interrupt,                                                \
        .set_link = set_link,                                                  \
    }

INTEL_CHIP(82540em, 0x100e, "82540EM", 1000);
INTEL_CHIP(82574l, 0x10d3, "82574L", 1000);
INTEL_CHIP(i217, 0x153a, "I217-LM", 1000);
INTEL_CHIP(i219, 0x15bc, "I219-V", 1000);
INTEL_CHIP(i350, 0x1521, "I350", 1000);
INTEL_CHIP(i210, 0x1533, "I210", 1000);
INTEL_CHIP(i225, 0x15f3, "I225-V", 2500);
INTEL_CHIP(i226, 0x125c, "I226-V", 2500);
