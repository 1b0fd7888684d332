/* 3Com 3C905C (3C90xC NICs Technical Reference): windows, commands, EEPROM, the
 * PHY behind three lines, the two DMA engines with their lists. One at a time.
 */
#include "tests/models/chip.h"
#include "tests/models/phy.h"
#include <string.h>

#define COMMAND   0x0eu
#define TX_STATUS 0x1bu
#define DN_LIST   0x24u
#define UP_LIST   0x38u

#define STATUS_LATCH       0x0001u
#define STATUS_TX_COMPLETE 0x0004u
#define STATUS_UP_COMPLETE 0x0400u
#define STATUS_BUSY        0x1000u

#define DPD_DONE 0x00010000u
#define UPD_DONE 0x00008000u
#define LAST     0x80000000u

#define FRAGMENTS_MAX 63u
#define RESET_US      500u
#define COMMAND_US    30u
#define EEPROM_US     162u
#define PHY_NUMBER    24u
#define NOTICED_US    600000u

struct upd {
    uint32_t next, status, address, length;
};

static struct {
    uint8_t address[6];
    uint8_t windows[8][16];
    unsigned window;
    uint32_t dn_list, up_list;
    uint32_t dn_next;
    bool dn_going; /* to dn_next */
    bool dn_stalled, up_stalled;
    bool rx_on, tx_on;
    uint16_t filter, indicate, enable, causes;
    uint8_t tx_status;
    uint64_t busy_us; /* until then a command goes on; 0: none */
    bool resetting;
    uint64_t eeprom_us;
    struct phy phy;
    /* The management lines. */
    bool clock;
    unsigned ones, bits;
    uint32_t shift;
    bool sending;
    uint32_t answer;
} nic;

static uint16_t get16(unsigned window, unsigned offset)
{
    uint16_t value;

    memcpy(&value, &nic.windows[window][offset], 2);
    return value;
}

static void put16(unsigned window, unsigned offset, uint16_t value)
{
    memcpy(&nic.windows[window][offset], &value, 2);
}

/* ---- Reset, link --------------------------------------------------------- */

static void reset_all(void)
{
    memset(nic.windows, 0, sizeof(nic.windows));
    nic.window = 0;
    nic.dn_list = nic.up_list = 0;
    nic.dn_going = false;
    nic.dn_stalled = nic.up_stalled = false;
    nic.rx_on = nic.tx_on = false;
    nic.filter = nic.indicate = nic.enable = nic.causes = 0;
    nic.tx_status = 0;
    put16(3, 4, 1514);
}

static void power_on(const uint8_t address[6])
{
    memset(&nic, 0, sizeof(nic));
    memcpy(nic.address, address, 6);
    phy_power_on(&nic.phy, 100, true);
    reset_all();
    nic.window = 7;
}

static void set_link(unsigned mbit)
{
    phy_set_link(&nic.phy, mbit);
}

static void end_command(void)
{
    if (nic.busy_us == 0 || chip_now_us() < nic.busy_us ||
        (nic.resetting && chip_resets_endlessly()))
        return;
    nic.busy_us = 0;
    nic.resetting = false;
}

/* ---- DMA engines --------------------------------------------------------- */

/* Header and fragments of the DPD at `at`; returns the frame's bytes. */
static size_t fetch_frame(uint32_t at, uint8_t *frame)
{
    uint32_t fragment[2] = {0, 0};
    size_t bytes = 0;

    for (unsigned i = 0; i < FRAGMENTS_MAX && !(fragment[1] & LAST); i++) {
        size_t length;

        if (!chip_fetch(at + 8 + 8 * i, fragment, sizeof(fragment)))
            return 0;
        length = fragment[1] & 0x1fff;
        if (bytes + length > CHIP_FRAME_BYTES ||
            !chip_fetch(fragment[0], frame + bytes, length))
            return 0;
        bytes += length;
    }
    return bytes;
}

/* Half and full duplex have to be what the PHY has agreed upon, soon. */
static void check_duplex(void)
{
    if (chip_now_us() > nic.phy.up_us + NOTICED_US && !chip_was_spoilt())
        (void)chip_rule(get16(3, 6) & 0x20,
                        "3C905C: the MAC is as duplex as the PHY");
}

/* A frame could not be sent: the transmitter stops. */
static bool send_fails(void)
{
    const uint32_t status = chip_status(0, 0x38);

    if (status == 0)
        return false;
    nic.tx_status = (uint8_t)(0x80 | status);
    nic.tx_on = false;
    return true;
}

static bool send_one(void)
{
    uint8_t frame[CHIP_FRAME_BYTES];
    uint32_t dpd[2];
    size_t bytes;

    (void)chip_rule(nic.dn_list % 8 == 0, "3C905C: a DPD is aligned to 8");
    if (!chip_fetch(nic.dn_list, dpd, sizeof(dpd)))
        return false;
    bytes = fetch_frame(nic.dn_list, frame);
    if (bytes == 0)
        return false;
    if (!send_fails()) {
        (void)chip_rule(dpd[1] & 0x10000000u,
                        "3C905C: lengths are not rounded");
        check_duplex();
        chip_send(frame, bytes);
    }
    dpd[1] |= DPD_DONE;
    chip_descriptor(&dpd[1], 4);
    (void)chip_store(nic.dn_list + 4, &dpd[1], 4);
    return true;
}

/* The next DPD is looked up after the frame, and gone to a while later: what is
 * hung on in between is not seen. */
static bool look_up_next(void)
{
    if (!chip_fetch(nic.dn_list, &nic.dn_next, 4))
        return false;
    nic.dn_going = true;
    return true;
}

static void go_to_next(void)
{
    if (nic.dn_going)
        nic.dn_list = nic.dn_next;
    nic.dn_going = false;
}

static void work(void)
{
    unsigned most = chip_random(12);

    end_command();
    if (nic.busy_us != 0 || chip_holds_frames() || phy_mbit(&nic.phy) == 0)
        return;
    go_to_next();
    while (most-- > 0 && nic.dn_list != 0 && !nic.dn_stalled && nic.tx_on &&
           send_one() && look_up_next() && most > 0)
        go_to_next();
}

static bool wanted(const uint8_t *frame)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};

    if (memcmp(frame, all, 6) == 0)
        return nic.filter & 4;
    if (frame[0] & 1)
        return nic.filter & 2;
    for (unsigned i = 0; i < 6; i++) /* a mask's bits are not compared */
        if ((frame[i] ^ nic.windows[2][i]) & ~nic.windows[2][6 + i])
            return false;
    return nic.filter & 1;
}

static bool arrive(const uint8_t *frame, size_t bytes)
{
    struct upd upd;

    if (!nic.rx_on || nic.busy_us != 0 || phy_mbit(&nic.phy) == 0 ||
        !wanted(frame) || nic.up_stalled || nic.up_list == 0)
        return false;
    (void)chip_rule(nic.up_list % 8 == 0, "3C905C: a UPD is aligned to 8");
    if (!chip_fetch(nic.up_list, &upd, sizeof(upd)))
        return false;
    if (upd.status & UPD_DONE) {
        nic.up_stalled = true;
        return false;
    }
    if (!(upd.length & LAST) || (upd.length & 0x1fff) < bytes ||
        !chip_store(upd.address, frame, bytes))
        return false;
    upd.status = UPD_DONE | chip_length((uint32_t)bytes, 0x1fff) |
                 (bytes > get16(3, 4) ? 0x00104000u : 0);
    upd.status = chip_status(upd.status, UINT32_MAX);
    chip_descriptor(&upd.status, sizeof(upd.status));
    (void)chip_store(nic.up_list + 4, &upd.status, sizeof(upd.status));
    nic.up_list = upd.next;
    nic.causes |= STATUS_UP_COMPLETE;
    return true;
}

/* ---- PHY lines ----------------------------------------------------------- */

static void take_bit(bool bit)
{
    nic.shift = nic.shift << 1 | bit;
    if (nic.bits == 0) {
        /* 32 ones, then the start: a zero, a one. */
        if (bit && nic.ones < 32)
            nic.ones++;
        else if (bit && (nic.shift & 3) == 1 && nic.ones == 32)
            nic.bits = 1;
        else if (!bit && nic.ones < 32)
            nic.ones = 0;
        return;
    }
    nic.bits++;
    if (nic.bits == 13 && (nic.shift >> 10 & 3) == 2) {
        const bool here = (nic.shift >> 5 & 31) == PHY_NUMBER;

        nic.answer =
            here ? 0x20000u | phy_read(&nic.phy, nic.shift & 31) : 0x3ffffu;
        nic.sending = true;
        nic.bits = 1; /* of the answer */
    } else if (nic.bits == 31) {
        if ((nic.shift >> 28 & 3) == 1 && (nic.shift >> 23 & 31) == PHY_NUMBER)
            phy_write(&nic.phy, nic.shift >> 18 & 31, (uint16_t)nic.shift);
        nic.bits = nic.ones = 0;
    }
}

static void move_lines(uint32_t value)
{
    const bool rises = (value & 1) && !nic.clock;

    nic.clock = value & 1;
    if (!rises)
        return;
    if (nic.sending) {
        (void)chip_rule(!(value & 4), "3C905C: the PHY has the data line");
        if (++nic.bits == 19) {
            nic.sending = false;
            nic.bits = nic.ones = 0;
        }
    } else if (value & 4) {
        take_bit(value & 2);
    }
}

static uint32_t read_lines(void)
{
    const bool bit = !nic.sending || (nic.answer >> (18 - nic.bits) & 1);

    return bit ? 2 : 0;
}

/* ---- Registers ----------------------------------------------------------- */

static uint16_t status(void)
{
    uint16_t value = nic.causes;

    if (nic.tx_status & 0x80)
        value |= STATUS_TX_COMPLETE;
    value &= nic.indicate;
    if (value & nic.enable)
        value |= STATUS_LATCH;
    if (nic.busy_us != 0)
        value |= STATUS_BUSY;
    return (uint16_t)(value | nic.window << 13);
}

static uint32_t read_window(uint32_t offset, unsigned bytes)
{
    uint32_t value = 0;

    if (nic.window == 0 && offset == 0x0a)
        return chip_now_us() < nic.eeprom_us ? 0x8000 : 0;
    if (nic.window == 4 && offset == 8)
        return read_lines();
    if (nic.window == 4 && offset == 0x0a)
        return phy_mbit(&nic.phy) != 0 ? 0x8800 : 0x8000;
    memcpy(&value, &nic.windows[nic.window][offset], bytes);
    return value;
}

static uint32_t read(unsigned bar, uint32_t offset, unsigned bytes)
{
    (void)bar;
    end_command();
    if (offset == COMMAND)
        return status();
    if (offset < COMMAND)
        return read_window(offset, bytes);
    switch (offset) {
    case TX_STATUS:
        return nic.tx_status;
    case DN_LIST:
        return nic.dn_list;
    case UP_LIST:
        return nic.up_list;
    default:
        return 0;
    }
}

static void begin(unsigned us)
{
    nic.busy_us = chip_now_us() + us;
}

static void run_command(unsigned number, unsigned parameter)
{
    switch (number) {
    case 0:
        reset_all();
        nic.resetting = true;
        begin(RESET_US);
        break;
    case 1:
        nic.window = parameter & 7;
        break;
    case 4:
        nic.rx_on = true;
        break;
    case 5:
        nic.rx_on = false;
        nic.filter = 0;
        begin(COMMAND_US);
        break;
    case 6:
        go_to_next();
        *(parameter & 2 ? &nic.dn_stalled : &nic.up_stalled) = !(parameter & 1);
        if (!(parameter & 1) && chip_random(4) == 0)
            begin(1);
        break;
    case 9:
        nic.tx_on = true;
        break;
    case 11:
        nic.tx_on = false;
        nic.tx_status = 0;
        begin(COMMAND_US);
        break;
    case 13:
        nic.causes &= (uint16_t)~parameter;
        break;
    case 14:
        nic.enable = (uint16_t)parameter;
        break;
    case 15:
        nic.indicate = (uint16_t)parameter;
        break;
    case 16:
        nic.filter = (uint16_t)parameter;
        break;
    default:
        break;
    }
}

static void write_window(uint32_t offset, unsigned bytes, uint32_t value)
{
    if (nic.window == 0 && offset == 0x0a) {
        const unsigned word = (value & 0x3f) - 0x0a;

        (void)chip_rule((value & 0xc0) == 0x80, "3C905C: the EEPROM is read");
        nic.eeprom_us = chip_now_us() + EEPROM_US;
        put16(0, 0x0c,
              word < 3 ? (uint16_t)(nic.address[2 * word] << 8 |
                                    nic.address[2 * word + 1])
                       : 0);
    } else if (nic.window == 4 && offset == 8) {
        move_lines(value);
    } else {
        memcpy(&nic.windows[nic.window][offset], &value, bytes);
    }
}

static void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value)
{
    (void)bar;
    end_command();
    if (nic.resetting)
        return;
    if (offset == COMMAND) {
        (void)chip_rule(nic.busy_us == 0 || chip_was_spoilt(),
                        "3C905C: a command waits for the last one");
        run_command(value >> 11, value & 0x7ff);
    } else if (offset < COMMAND) {
        write_window(offset, bytes, value);
    } else if (offset == TX_STATUS) {
        nic.tx_status = 0;
    } else if (offset == DN_LIST) {
        (void)chip_rule(
            nic.dn_stalled || nic.dn_list == 0,
            "3C905C: DnListPtr is written while it is 0 or stalled");
        nic.dn_list = value;
    } else if (offset == UP_LIST) {
        (void)chip_rule(nic.up_stalled, "3C905C: UpListPtr, while stalled");
        nic.up_list = value;
    }
}

static bool interrupt(void)
{
    end_command();
    return status() & STATUS_LATCH;
}

const struct chip chip_3c905c = {
    .name = "3Com 3C905C",
    .vendor_id = 0x10b7,
    .device_id = 0x9200,
    .fastest = 100,
    .bars = {{128, true}, {128, false}},
    .power_on = power_on,
    .read = read,
    .write = write,
    .work = work,
    .arrive = arrive,
    .interrupt = interrupt,
    .set_link = set_link,
};
