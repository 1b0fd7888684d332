/* The Intel driver against a model of its registers: rings, link, reset. The
 * model does what the manual says of each register, nothing of the driver's
 * own; DMA addresses are this program's pointers. */
/* The driver whole: what the model must see is static in it. */
#include "drivers/nic/intel.c" /* NOLINT(bugprone-suspicious-include) */
#include "core/memory.h"
#include "tests/unit/check.h"
#include <stdlib.h>

#define POOL 600u

#define RING           NIC_RING
#define INTEL_RDBAL    0x2800u
#define INTEL_RDBAH    0x2804u
#define INTEL_RDLEN    0x2808u
#define INTEL_RDH      0x2810u
#define INTEL_RDT      0x2818u
#define INTEL_TDBAL    0x3800u
#define INTEL_TDBAH    0x3804u
#define INTEL_TDLEN    0x3808u
#define INTEL_TDH      0x3810u
#define INTEL_TDT      0x3818u
#define STATUS_DONE    0x01u
#define COMMAND_WANTED 0x0bu /* end of packet, FCS, report status */

/* Legacy descriptors. */
struct receive_row {
    uint64_t address;
    uint16_t length, checksum;
    uint8_t status, errors;
    uint16_t special;
};

struct send_row {
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset, command, status, checksum_start;
    uint16_t special;
};

static const uint8_t station[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static struct model_state {
    uint32_t registers[INTEL_REGISTERS_BYTES / 4];
    uint16_t eeprom[64];
    bool hold_sending; /* descriptors stay unfinished */
    bool dead;         /* everything reads as ones */
    unsigned tail_writes;
    unsigned eeprom_reads;
    uint8_t last_sent[2048];
    size_t last_sent_bytes;
    unsigned sent;
    uint64_t now_us;
    uint32_t interrupts;
    bool bar_is_io;
    uint64_t bar_bytes;
    const struct nic_operations *operations;
    void *card;
} model;

/* ---- The chip ------------------------------------------------------------ */

static uint32_t *reg(size_t offset)
{
    return &model.registers[offset / 4];
}

static void model_send(void)
{
    struct send_row *ring =
        (void *)(uintptr_t)((uint64_t)*reg(INTEL_TDBAH) << 32 |
                            *reg(INTEL_TDBAL));
    const uint32_t count = *reg(INTEL_TDLEN) / 16;

    if (!(*reg(INTEL_TCTL) & INTEL_TCTL_EN) || model.hold_sending)
        return;
    while (*reg(INTEL_TDH) != *reg(INTEL_TDT)) {
        struct send_row *row = &ring[*reg(INTEL_TDH)];

        memcpy(model.last_sent, (const void *)(uintptr_t)row->address,
               row->length);
        model.last_sent_bytes = row->length;
        CHECK(row->command == COMMAND_WANTED);
        row->status = STATUS_DONE;
        model.sent++;
        *reg(INTEL_TDH) = (*reg(INTEL_TDH) + 1) % count;
    }
}

static bool model_receive(const void *frame, size_t bytes, uint16_t length,
                          uint8_t status, uint8_t errors)
{
    struct receive_row *ring =
        (void *)(uintptr_t)((uint64_t)*reg(INTEL_RDBAH) << 32 |
                            *reg(INTEL_RDBAL));
    const uint32_t count = *reg(INTEL_RDLEN) / 16;
    struct receive_row *row;

    if (!(*reg(INTEL_RCTL) & INTEL_RCTL_EN) ||
        *reg(INTEL_RDH) == *reg(INTEL_RDT)) {
        (*reg(INTEL_MPC))++;
        return false;
    }
    row = &ring[*reg(INTEL_RDH)];
    memcpy((void *)(uintptr_t)row->address, frame, bytes);
    row->length = length;
    row->errors = errors;
    row->status = status;
    *reg(INTEL_RDH) = (*reg(INTEL_RDH) + 1) % count;
    *reg(INTEL_ICR) |= INTEL_IRQ_RXT0;
    return true;
}

uint32_t io_read32(const struct io_region *region, size_t offset)
{
    uint32_t value = *reg(offset);

    (void)region;
    if (model.dead)
        return UINT32_MAX;
    if (offset == INTEL_ICR || offset == INTEL_MPC || offset == INTEL_CRCERRS ||
        offset == INTEL_RXERRC)
        *reg(offset) = 0;
    return value;
}

void io_write32(const struct io_region *region, size_t offset, uint32_t value)
{
    (void)region;
    *reg(offset) = value;
    if (offset == INTEL_CTRL && (value & INTEL_CTRL_RST)) {
        *reg(INTEL_CTRL) = INTEL_CTRL_LRST;
        *reg(INTEL_RCTL) = *reg(INTEL_TCTL) = *reg(INTEL_IMS) = 0;
        *reg(INTEL_RAH0) = *reg(INTEL_RAL0) = 0;
    } else if (offset == INTEL_TDT) {
        model_send();
    } else if (offset == INTEL_RDT) {
        model.tail_writes++;
    } else if (offset == INTEL_EERD && (value & INTEL_EERD_START)) {
        model.eeprom_reads++;
        *reg(INTEL_EERD) = (uint32_t)model.eeprom[value >> 8 & 63] << 16 | 0x10;
    }
}

/* ---- The rest of the PC -------------------------------------------------- */

struct io_region io_map(uint64_t physical, size_t bytes)
{
    const struct io_region region = {physical, bytes};

    return region;
}

uint64_t io_dma_address(const void *memory)
{
    return (uint64_t)(uintptr_t)memory;
}

void *io_dma_take(size_t bytes, size_t alignment, size_t boundary)
{
    (void)boundary;
    return memory_take("dma", bytes, alignment);
}

void io_delay_us(unsigned us)
{
    model.now_us += us;
}

uint64_t io_now_us(void)
{
    return model.now_us;
}

enum err pci_bar(const struct pci_device *device, unsigned index,
                 uint64_t *base, uint64_t *bytes, bool *is_io)
{
    (void)device;
    *base = 0xfebc0000;
    *bytes = model.bar_bytes;
    *is_io = model.bar_is_io;
    return index == 0 ? OK : ERR_NOT_FOUND;
}

void pci_enable(const struct pci_device *device)
{
    (void)device;
}

void pci_route_interrupt(const struct pci_device *device)
{
    (void)device;
}

uint32_t pci_interrupt_count(const struct pci_device *device)
{
    (void)device;
    return model.interrupts;
}

void nic_register(const struct nic_operations *nic_operations, void *card,
                  const struct pci_device *pci)
{
    (void)pci;
    model.operations = nic_operations;
    model.card = card;
}

void *machine_memory_take(size_t bytes, size_t alignment)
{
    static uint8_t arena[4u << 20] __attribute__((aligned(4096)));
    static size_t taken;
    const size_t start = (taken + alignment - 1) & ~(alignment - 1);

    if (start > sizeof(arena) || bytes > sizeof(arena) - start)
        return NULL;
    taken = start + bytes;
    return arena + start;
}

size_t machine_memory_left(void)
{
    return 1u << 20;
}

uint64_t machine_monotonic_ns(void)
{
    return model.now_us * 1000;
}

void machine_emergency_write(const char *text)
{
    fputs(text, stderr);
}

_Noreturn void machine_fail(const char *what)
{
    fputs(what, stderr);
    abort();
}

_Noreturn void machine_restart(void)
{
    abort();
}

/* ---- Tests --------------------------------------------------------------- */

static struct pci_device device = {.vendor_id = 0x8086, .device_id = 0x100e};

static void pass_ms(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        model.now_us += 1000;
        (void)timer_run();
    }
}

static struct iobuf *make_frame(size_t bytes, uint8_t fill)
{
    struct iobuf *frame = iobuf_alloc();

    memset(iobuf_put(frame, bytes), fill, bytes);
    return frame;
}

static struct intel_card *card(void)
{
    return model.card;
}

/* A card as the firmware leaves it. */
static void start_card(void)
{
    memset(&model, 0, sizeof(model));
    memset(&state, 0, sizeof(state));
    timer_module_init();
    model.bar_bytes = 0x20000;
    *reg(INTEL_RAL0) = 0x12005452;
    *reg(INTEL_RAH0) = INTEL_RAH_AV | 0x5634;
    *reg(INTEL_STATUS) = 0x80080783;
    CHECK(intel_probe(&device, &intel_parts[0]) == OK);
    pass_ms(RESET_MS + 2);
}

/* Gives back what the card holds, so that the pool can be counted. */
static void stop_card(void)
{
    timer_stop(&card()->timer);
    empty_rings(card());
    CHECK(iobuf_free() == iobuf_total());
}

static void test_start(void)
{
    struct machine_nic_info info;

    start_card();
    model.operations->info(model.card, &info);
    CHECK(memcmp(info.address, station, 6) == 0);
    CHECK(info.link_up && info.speed_mbit == 1000);
    CHECK(*reg(INTEL_RAL0) == 0x12005452);
    CHECK(*reg(INTEL_RAH0) == (INTEL_RAH_AV | 0x5634));
    CHECK(*reg(INTEL_CTRL) == (INTEL_CTRL_SLU | INTEL_CTRL_ASDE));
    CHECK(*reg(INTEL_RDLEN) == 4096 && *reg(INTEL_TDLEN) == 4096);
    CHECK(*reg(INTEL_RDT) == RING - 1);
    CHECK(*reg(INTEL_RCTL) == 0x04008002);
    CHECK(*reg(INTEL_IMS) & INTEL_IRQ_LSC);
    CHECK(model.eeprom_reads == 0);
    stop_card();
}

static unsigned filter_bits(void)
{
    unsigned bits = 0;

    for (size_t i = 0; i < INTEL_MTA_COUNT; i++)
        bits += (unsigned)__builtin_popcount(*reg(INTEL_MTA + 4 * i));
    return bits;
}

/* The group is let through, also after a reset; none at first. */
static void test_group(void)
{
    static const uint8_t group[6] = {1, 0, 0x5E, 0, 0, 0xFB};

    start_card();
    CHECK(filter_bits() == 0);
    model.operations->join(model.card, group);
    CHECK(filter_bits() == 1 && *reg(INTEL_MTA + 4 * 0x7D) == 1u << 16);
    *reg(INTEL_MTA + 4 * 0x7D) = 0;
    start_reset(card());
    timer_stop(&card()->timer);
    end_reset(card());
    CHECK(filter_bits() == 1 && *reg(INTEL_MTA + 4 * 0x7D) == 1u << 16);
    stop_card();
}

static void test_probe_refusals(void)
{
    start_card();
    stop_card();
    memset(&state, 0, sizeof(state));
    model.bar_is_io = true;
    CHECK(intel_probe(&device, &intel_parts[0]) == ERR_UNSUPPORTED);
    model.bar_is_io = false;
    model.bar_bytes = 0x1000;
    CHECK(intel_probe(&device, &intel_parts[0]) == ERR_UNSUPPORTED);
    model.bar_bytes = 0x20000;
    /* No address in the registers: the EEPROM has it. */
    *reg(INTEL_RAH0) = 0;
    model.eeprom[0] = 0x5452;
    model.eeprom[1] = 0x1200;
    model.eeprom[2] = 0x5634;
    CHECK(intel_probe(&device, &intel_parts[0]) == OK);
    CHECK(model.eeprom_reads == 3);
    CHECK(memcmp(card()->info.address, station, 6) == 0);
    timer_stop(&card()->timer);
    /* A multicast address there: the card is not usable. */
    memset(&state, 0, sizeof(state));
    *reg(INTEL_RAH0) = 0;
    model.eeprom[0] = 0x5401;
    CHECK(intel_probe(&device, &intel_parts[0]) == ERR_IO);
}

static void test_send(void)
{
    struct iobuf *frame;

    start_card();
    frame = make_frame(60, 0xab);
    CHECK(model.operations->send(model.card, frame));
    CHECK(frame->references == 2);
    CHECK(model.sent == 1 && model.last_sent_bytes == 60);
    CHECK(model.last_sent[59] == 0xab);
    CHECK(!intel_poll(&device));
    CHECK(frame->references == 1);
    iobuf_release(frame);
    CHECK(card()->info.frames_out == 1 && card()->info.bytes_out == 60);
    stop_card();
}

static void test_send_ring_full_and_wrap(void)
{
    struct iobuf *frame;
    unsigned taken = 0;

    start_card();
    frame = make_frame(100, 1);
    model.hold_sending = true;
    while (taken < 2 * RING && model.operations->send(model.card, frame))
        taken++;
    CHECK(taken == RING - 1);
    CHECK(frame->references == RING);
    model.hold_sending = false;
    model_send();
    for (unsigned i = 0; i < 3 * RING; i++)
        CHECK(model.operations->send(model.card, frame));
    CHECK(model.sent == 4 * RING - 1);
    (void)intel_poll(&device);
    CHECK(frame->references == 1);
    iobuf_release(frame);
    stop_card();
}

static void test_receive_and_wrap(void)
{
    uint8_t bytes[1514];
    struct iobuf *frame;

    start_card();
    for (unsigned i = 0; i < 5 * RING; i++) {
        const uint16_t length = (uint16_t)(60 + i % 1455);

        memset(bytes, (int)i, sizeof(bytes));
        CHECK(model_receive(bytes, length, length, 3, 0));
        CHECK(intel_poll(&device));
        frame = model.operations->receive(model.card);
        CHECK(frame != NULL);
        if (frame == NULL)
            break;
        CHECK(iobuf_length(frame) == length);
        CHECK(frame->data[0] == (uint8_t)i &&
              frame->data[length - 1] == (uint8_t)i);
        iobuf_release(frame);
        CHECK(model.operations->receive(model.card) == NULL);
    }
    CHECK(card()->info.frames_in == 5 * RING);
    CHECK(card()->info.errors_in == 0);
    CHECK(model.tail_writes < 5 * RING / 8);
    stop_card();
}

static void test_receive_burst(void)
{
    uint8_t bytes[64] = {0};
    unsigned stored = 0, got = 0;
    struct iobuf *frame;

    start_card();
    while (model_receive(bytes, 64, 64, 3, 0))
        stored++;
    CHECK(stored == RING - 1);
    while ((frame = model.operations->receive(model.card)) != NULL) {
        iobuf_release(frame);
        got++;
    }
    CHECK(got == RING - 1);
    pass_ms(LINK_MS + 2);
    CHECK(card()->info.errors_in == 1); /* the one that found no slot */
    CHECK(model_receive(bytes, 64, 64, 3, 0));
    frame = model.operations->receive(model.card);
    CHECK(frame != NULL);
    iobuf_release(frame);
    stop_card();
}

static void test_bad_frames(void)
{
    static const struct {
        uint16_t length;
        uint8_t status, errors;
    } bad[] = {
        {13, 3, 0},     {0, 3, 0},     {1519, 3, 0},  {2048, 3, 0},
        {0xffff, 3, 0}, {64, 3, 0x01}, {64, 3, 0x02}, {64, 3, 0x04},
        {64, 3, 0x10},  {64, 3, 0x80},
    };
    const unsigned count = sizeof(bad) / sizeof(bad[0]);
    uint8_t bytes[64] = {0};
    struct iobuf *frame;

    start_card();
    for (unsigned i = 0; i < count; i++)
        CHECK(model_receive(bytes, 64, bad[i].length, bad[i].status,
                            bad[i].errors));
    CHECK(model_receive(bytes, 64, 64, 3, 0));
    frame = model.operations->receive(model.card);
    CHECK(frame != NULL && iobuf_length(frame) == 64);
    iobuf_release(frame);
    CHECK(card()->info.errors_in == count);
    CHECK(card()->info.frames_in == 1);

    /* A frame in three descriptors is dropped whole. */
    CHECK(model_receive(bytes, 64, 2048, 1, 0));
    CHECK(model_receive(bytes, 64, 2048, 1, 0));
    CHECK(model_receive(bytes, 64, 64, 3, 0));
    CHECK(model_receive(bytes, 64, 70, 3, 0));
    frame = model.operations->receive(model.card);
    CHECK(frame != NULL && iobuf_length(frame) == 70);
    iobuf_release(frame);
    CHECK(model.operations->receive(model.card) == NULL);
    CHECK(card()->info.errors_in == count + 3);
    stop_card();
}

static void test_no_buffer_free(void)
{
    struct iobuf *held[POOL];
    struct iobuf *frame;
    uint8_t bytes[64] = {0};
    unsigned count = 0, received = 0;

    start_card();
    while (count < POOL && (held[count] = iobuf_alloc_receive()) != NULL)
        count++;
    /* The ring has RING - 1; each frame goes up, none comes after it. */
    while (model_receive(bytes, 64, 64, 3, 0)) {
        frame = model.operations->receive(model.card);
        CHECK(frame != NULL && count < POOL);
        held[count++] = frame;
        received++;
    }
    CHECK(received == RING - 1);
    CHECK(!intel_poll(&device));
    for (unsigned i = 0; i < count; i++)
        iobuf_release(held[i]);
    CHECK(!intel_poll(&device));
    CHECK(model_receive(bytes, 64, 64, 3, 0));
    frame = model.operations->receive(model.card);
    CHECK(frame != NULL);
    iobuf_release(frame);
    stop_card();
}

static void test_link(void)
{
    start_card();
    *reg(INTEL_STATUS) = 0x80080380;
    (void)intel_poll(&device);
    CHECK(card()->info.link_up); /* no interrupt: not looked at */
    *reg(INTEL_ICR) = INTEL_IRQ_LSC;
    model.interrupts++;
    (void)intel_poll(&device);
    CHECK(!card()->info.link_up && card()->info.speed_mbit == 0);
    CHECK(*reg(INTEL_ICR) == 0);
    *reg(INTEL_STATUS) = 0x80080743; /* up, 100 Mbit/s; interrupt lost */
    pass_ms(LINK_MS + 2);
    CHECK(card()->info.link_up && card()->info.speed_mbit == 100);
    stop_card();
}

static void test_stuck(void)
{
    struct iobuf *frame;

    start_card();
    frame = make_frame(60, 2);
    model.hold_sending = true;
    CHECK(model.operations->send(model.card, frame));
    pass_ms(STUCK_MS - LINK_MS);
    CHECK(card()->resets == 1 && frame->references == 2);
    pass_ms(2 * LINK_MS);
    CHECK(card()->resets == 2);
    model.hold_sending = false;
    pass_ms(RESET_MS + 2);
    CHECK(frame->references == 1 && card()->info.errors_out == 1);
    CHECK(card()->running);
    CHECK(model.operations->send(model.card, frame));
    CHECK(model.sent == 1);
    (void)intel_poll(&device);
    iobuf_release(frame);
    stop_card();
}

static void test_dead(void)
{
    struct iobuf *frame;

    start_card();
    model.dead = true;
    model.interrupts++;
    (void)intel_poll(&device);
    pass_ms(LINK_MS + 2);
    frame = make_frame(60, 2);
    CHECK(!card()->info.link_up);
    (void)model.operations->send(model.card, frame);
    pass_ms(10 * LINK_MS);
    CHECK(card()->resets > 1);
    iobuf_release(frame);
    stop_card();
}

int main(void)
{
    timer_module_init();
    if (iobuf_pool_init(POOL) != OK)
        return 1;
    test_start();
    test_group();
    test_probe_refusals();
    test_send();
    test_send_ring_full_and_wrap();
    test_receive_and_wrap();
    test_receive_burst();
    test_bad_frames();
    test_no_buffer_free();
    test_link();
    test_stuck();
    test_dead();
    return check_report();
}
