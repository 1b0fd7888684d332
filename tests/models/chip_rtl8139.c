/* Realtek RTL8139: the ring of bytes that received frames lie in, four slots to
 * send from, link. One at a time. */
#include "tests/models/chip.h"
#include <string.h>

#define IDR0    0x00u
#define TSD0    0x10u
#define TSAD0   0x20u
#define RBSTART 0x30u
#define CR      0x37u
#define CAPR    0x38u
#define CBR     0x3au
#define IMR     0x3cu
#define ISR     0x3eu
#define RCR     0x44u
#define MPC     0x4cu
#define CR9346  0x50u
#define MSR     0x58u

#define CR_BUFE 0x01u
#define CR_TE   0x04u
#define CR_RE   0x08u
#define CR_RST  0x10u

#define ISR_ROK   0x01u
#define ISR_TOK   0x04u
#define ISR_RXOVW 0x10u
#define ISR_LINK  0x20u
#define TSD_OWN   0x2000u
#define TSD_TOK   0x8000u
#define UNLOCKED  0xc0u

#define RESET_US  200u
#define RING_MASK 0x7fffu /* 32 KiB */
#define HEADER    4u
#define FCS       4u

static struct {
    uint8_t registers[256];
    uint8_t address[6];
    unsigned mbit;
    uint64_t reset_us;
    uint32_t write_offset; /* in the ring */
    bool pending[4];
    unsigned next_slot;
} nic;

static uint16_t get16(unsigned offset)
{
    return (uint16_t)(nic.registers[offset + 1] << 8 | nic.registers[offset]);
}

static uint32_t get32(unsigned offset)
{
    return (uint32_t)get16(offset + 2) << 16 | get16(offset);
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

static void show_link(void)
{
    nic.registers[MSR] =
        (uint8_t)((nic.mbit == 0 ? 4 : 0) | (nic.mbit == 10 ? 8 : 0));
}

static void reset_registers(void)
{
    memset(nic.registers, 0, sizeof(nic.registers));
    memcpy(&nic.registers[IDR0], nic.address, 6);
    for (unsigned i = 0; i < 4; i++)
        put32(TSD0 + 4 * i, TSD_OWN);
    put32(CAPR, 0xfff0);
    memset(nic.pending, 0, sizeof(nic.pending));
    nic.write_offset = 0;
    nic.next_slot = 0;
    show_link();
}

static void power_on(const uint8_t address[6])
{
    memset(&nic, 0, sizeof(nic));
    memcpy(nic.address, address, 6);
    nic.mbit = 0;
    reset_registers();
}

static void set_link(unsigned mbit)
{
    nic.mbit = mbit;
    show_link();
    cause(ISR_LINK);
}

static void end_reset(void)
{
    if (nic.reset_us == 0 || chip_now_us() < nic.reset_us ||
        chip_resets_endlessly())
        return;
    nic.reset_us = 0;
    nic.registers[CR] &= (uint8_t)~CR_RST;
}

static uint32_t read_offset(void)
{
    return (get16(CAPR) + 16u) & RING_MASK;
}

static void work(void)
{
    const unsigned slot = nic.next_slot;
    const uint32_t length = get32(TSD0 + 4 * slot) & 0x1fff;
    uint8_t frame[CHIP_FRAME_BYTES];

    end_reset();
    if (!nic.pending[slot] || !(nic.registers[CR] & CR_TE) ||
        chip_holds_frames() || nic.mbit == 0 || chip_random(3) == 0)
        return;
    if (!chip_rule(length <= 1792, "RTL8139 5.5: frames of at most 1792") ||
        !chip_fetch(get32(TSAD0 + 4 * slot), frame, length))
        return;
    (void)chip_rule(length >= 60, "the RTL8139 does not pad");
    chip_send(frame, length);
    put32(TSD0 + 4 * slot, chip_status(length | TSD_OWN | TSD_TOK, 0xffffffff));
    nic.pending[slot] = false;
    nic.next_slot = (slot + 1) % 4;
    cause(ISR_TOK);
}

static bool arrive(const uint8_t *frame, size_t bytes)
{
    const uint32_t taken = (nic.write_offset - read_offset()) & RING_MASK;
    const uint32_t room = RING_MASK - taken;
    const uint32_t size = (uint32_t)bytes + FCS;
    const uint64_t at = (uint64_t)get32(RBSTART) + nic.write_offset;
    uint32_t header;

    if (!(nic.registers[CR] & CR_RE) || nic.mbit == 0 ||
        (!(frame[0] & 1) && memcmp(frame, &nic.registers[IDR0], 6) != 0))
        return false;
    if (room < size + HEADER + 16) {
        cause(ISR_RXOVW);
        return false;
    }
    header = chip_length(size, 0xfff0) << 16 | chip_status(1, 0xffff);
    chip_descriptor(&header, sizeof(header));
    if (!chip_store(at, &header, sizeof(header)) ||
        !chip_store(at + HEADER, frame, bytes))
        return false;
    nic.write_offset =
        ((nic.write_offset + HEADER + size + 3) & ~3u) & RING_MASK;
    cause(ISR_ROK);
    return true;
}

static uint32_t read(unsigned bar, uint32_t offset, unsigned bytes)
{
    uint32_t value = 0;

    (void)bar;
    end_reset();
    nic.registers[CR] &= (uint8_t)~CR_BUFE;
    if (nic.write_offset == read_offset())
        nic.registers[CR] |= CR_BUFE;
    memcpy(&value, &nic.registers[offset], bytes);
    return value;
}

static void write_command(uint32_t value)
{
    if (value & CR_RST) {
        reset_registers();
        nic.reset_us = chip_now_us() + RESET_US;
        nic.registers[CR] = CR_RST;
        return;
    }
    /* The receiver that is switched on begins at the ring's start. */
    if ((value & CR_RE) && !(nic.registers[CR] & CR_RE))
        nic.write_offset = 0;
    nic.registers[CR] = value & (CR_RE | CR_TE);
}

static void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value)
{
    (void)bar;
    if (nic.reset_us != 0)
        return;
    if (offset < 8 && nic.registers[CR9346] != UNLOCKED)
        return;
    if (offset == CR) {
        write_command(value);
    } else if (offset == ISR) {
        const uint16_t left = get16(ISR) & (uint16_t)~value;

        memcpy(&nic.registers[ISR], &left, 2);
    } else if (offset != CBR && offset != MSR) {
        memcpy(&nic.registers[offset], &value, bytes);
    }
    if (offset >= TSD0 && offset < TSAD0 && !(value & TSD_OWN))
        nic.pending[(offset - TSD0) / 4] = true;
}

static bool interrupt(void)
{
    return (get16(ISR) & get16(IMR)) != 0;
}

const struct chip chip_rtl8139 = {
    .name = "Realtek RTL8139",
    .vendor_id = 0x10ec,
    .device_id = 0x8139,
    .fastest = 100,
    .bars = {{256, true}, {256, false}},
    .power_on = power_on,
    .read = read,
    .write = write,
    .work = work,
    .arrive = arrive,
    .interrupt = interrupt,
    .set_link = set_link,
};
