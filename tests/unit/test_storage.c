/* USB core and mass storage driver against a stick that misbehaves on command
 * (model_stick.h). The clock is virtual: it only moves when nothing happens,
 * and then to the next running timer, so a wait that nobody set an alarm for
 * shows as a request that never ends. */
#include "tests/unit/check.h"
#include "tests/unit/model_stick.h"
#include "core/machine.h"
#include "core/timer.h"
#include "drivers/disk.h"
#include "drivers/io.h"
#include "drivers/machine_parts.h"
#include "drivers/usb/storage.h"
#include "drivers/usb/usb_core.h"
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 2000000u
#define BYTES     ((size_t)MODEL_SECTORS * 512)

static struct {
    uint64_t now_us;
    struct model_stick model;
    struct machine_disk_request requests[8];
    unsigned pending;
    unsigned order[8], finished;
    bool resubmit;
    uint8_t *buffer;
} state;

/* ---- What lies under the driver --------------------------------------- */

void machine_emergency_write(const char *text)
{
    fputs(text, stdout);
}

_Noreturn void machine_restart(void)
{
    abort(); /* a panic */
}

/* ---- Driving ----------------------------------------------------------- */

static bool poll_all(void)
{
    bool busy = model_poll(&state.model);

    busy |= usb_bus_poll(&state.model.bus);
    busy |= disk_poll();
    return busy;
}

#define BUSY_FOR_EVER() CHECK(!"busy for ever")
#include "tests/unit/usb_time.h"

static bool attached(void)
{
    struct machine_disk_info info;

    machine_disk_info(0, &info);
    return info.present;
}

static void done(struct machine_disk_request *request)
{
    state.pending--;
    state.order[state.finished++ % 8] = (unsigned)(request - state.requests);
    if (state.resubmit && request->result == ERR_GONE) {
        state.resubmit = false;
        state.pending++;
        machine_disk_submit(request);
    }
}

static void submit(unsigned index, enum machine_disk_operation operation,
                   uint64_t sector, uint32_t sectors)
{
    struct machine_disk_request *request = &state.requests[index];

    memset(request, 0, sizeof *request);
    request->operation = operation;
    request->sector = sector;
    request->sectors = sectors;
    request->buffer = state.buffer + sector * 512;
    request->done = done;
    request->result = ERR_BUSY;
    state.pending++;
    machine_disk_submit(request);
}

/* Runs until all requests are answered; gives back the first one's result. */
static enum err wait_all(void)
{
    unsigned steps;

    for (steps = 0; steps < STEPS_MAX && state.pending > 0; steps++) {
        if (!turn()) {
            break;
        }
    }
    CHECK(state.pending == 0);
    state.pending = 0;
    return state.requests[0].result;
}

static enum err request(enum machine_disk_operation operation, uint64_t sector,
                        uint32_t sectors)
{
    submit(0, operation, sector, sectors);
    return wait_all();
}

static void fill(void)
{
    size_t i;

    for (i = 0; i < BYTES; i++) {
        state.buffer[i] = (uint8_t)(rand() >> 7);
    }
}

static bool same(uint64_t sector, uint32_t sectors)
{
    return memcmp(state.buffer + sector * 512, state.model.disk + sector * 512,
                  (size_t)sectors * 512) == 0;
}

static void leave(void)
{
    model_pull(&state.model);
    run_us(2000000);
    CHECK(!attached());
}

static void fresh(void)
{
    if (state.model.disk != NULL) {
        timer_stop(&state.model.bus.wake);
    }
    model_init(&state.model);
    state.finished = 0;
    fill();
}

/* A stick that is in, and a disk. */
static void begin(void)
{
    fresh();
    model_plug(&state.model);
    run_us(300000);
    CHECK(attached());
}

static void fault(uint8_t opcode, enum model_fault_kind kind, unsigned times)
{
    const struct model_fault it = {
        .kind = kind, .opcode = opcode, .times = times, .key = 3, .asc = 0x11};

    state.model.faults[0] = it;
}

static void sense_fault(uint8_t opcode, unsigned times, uint8_t key,
                        uint8_t asc, uint8_t ascq)
{
    fault(opcode, MODEL_SENSE, times);
    state.model.faults[0].key = key;
    state.model.faults[0].asc = asc;
    state.model.faults[0].ascq = ascq;
}

/* Afterwards the disk must work as if nothing had been. */
static void works(void)
{
    memset(state.model.faults, 0, sizeof state.model.faults);
    fill();
    CHECK(request(MACHINE_DISK_WRITE, 64, 300) == OK);
    CHECK(same(64, 300));
    memset(state.buffer + 64 * 512, 0, 300 * 512);
    CHECK(request(MACHINE_DISK_READ, 64, 300) == OK);
    CHECK(same(64, 300));
    CHECK(state.model.toggle_errors == 0);
}

/* ---- Cases --------------------------------------------------------------- */

static void test_plain(void)
{
    struct machine_disk_info info;
    uint64_t start_us;

    fresh();
    start_us = state.now_us;
    model_plug(&state.model);
    while (!attached() && turn()) {
    }
    CHECK(state.now_us - start_us < 300000);
    machine_disk_info(0, &info);
    CHECK(strcmp(info.vendor, "MODEL") == 0);
    CHECK(strcmp(info.product, "Stick of glass") == 0);
    CHECK(strcmp(info.serial, "0123456789AB") == 0);
    CHECK(info.sectors == MODEL_SECTORS && !info.read_only);
    CHECK(request(MACHINE_DISK_WRITE, 0, 2048) == OK && same(0, 2048));
    CHECK(state.model.writes == 9); /* 2048 in pieces of 240 */
    CHECK(request(MACHINE_DISK_FLUSH, 0, 0) == OK);
    CHECK(state.model.flushes == 1);
    CHECK(request(MACHINE_DISK_READ, MODEL_SECTORS - 10, 10) == OK);
    CHECK(request(MACHINE_DISK_READ, MODEL_SECTORS - 1, 2) == ERR_INVALID);
    CHECK(request(MACHINE_DISK_READ, UINT64_MAX, 2) == ERR_INVALID);
    CHECK(request(MACHINE_DISK_WRITE, 0, 2049) == ERR_INVALID);
    CHECK(request(MACHINE_DISK_WRITE, 0, 0) == ERR_INVALID);
    CHECK(state.model.bot_resets == 0 && state.model.halts_cleared == 0);
    leave();
    machine_disk_info(0, &info);
    CHECK(request(MACHINE_DISK_READ, 0, 1) == ERR_GONE);
    model_plug(&state.model);
    run_us(1000000);
    {
        uint32_t before = info.generation;

        machine_disk_info(0, &info);
        CHECK(info.present && info.generation == before + 1);
    }
    leave();
}

static void test_order(void)
{
    unsigned i;

    begin();
    for (i = 0; i < 8; i++) {
        submit(i, i % 4 == 3 ? MACHINE_DISK_FLUSH : MACHINE_DISK_WRITE,
               300 * (i % 2), 300);
    }
    fault(0x2a, MODEL_STALL_CSW, 3);
    CHECK(wait_all() == OK);
    for (i = 0; i < 8; i++) {
        CHECK(state.order[i] == i && state.requests[i].result == OK);
    }
    CHECK(same(0, 600));
    leave();
}

/* A fault once, in a read, a write and a flush: nobody notices. */
static void test_once(enum model_fault_kind kind, unsigned resets)
{
    static const uint8_t opcodes[] = {0x28, 0x2a, 0x35};
    unsigned i;

    for (i = 0; i < 3; i++) {
        enum machine_disk_operation operation = i == 0   ? MACHINE_DISK_READ
                                                : i == 1 ? MACHINE_DISK_WRITE
                                                         : MACHINE_DISK_FLUSH;

        begin();
        if (operation == MACHINE_DISK_READ) {
            memset(state.buffer, 0xff, 512 * 100);
        }
        fault(opcodes[i], kind, 1);
        CHECK(request(operation, 0,
                      operation == MACHINE_DISK_FLUSH ? 0 : 100) == OK);
        CHECK(state.model.faults[0].times == 0);
        CHECK(operation == MACHINE_DISK_FLUSH || same(0, 100));
        if (state.model.bot_resets != resets) {
            printf("fault %d opcode %02x: %u resets, not %u\n", kind,
                   opcodes[i], state.model.bot_resets, resets);
        }
        CHECK(state.model.bot_resets == resets);
        CHECK(state.model.port_resets == 1);
        works();
        leave();
    }
}

static void test_transport_once(void)
{
    test_once(MODEL_STALL_CBW, 1);
    test_once(MODEL_STALL_CSW, 0);
    test_once(MODEL_STALL_CSW_TWICE, 1);
    test_once(MODEL_EMPTY_CSW, 0);
    test_once(MODEL_BAD_SIGNATURE, 1);
    test_once(MODEL_BAD_TAG, 1);
    test_once(MODEL_SHORT_CSW, 1);
    test_once(MODEL_PHASE, 1);
    test_once(MODEL_SILENT, 1);
}

static void test_data_faults(void)
{
    static const enum model_fault_kind kinds[] = {
        MODEL_STALL_DATA, MODEL_SHORT_DATA, MODEL_RESIDUE, MODEL_WIRE,
        MODEL_CSW_AS_DATA};
    unsigned i;

    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        begin();
        memset(state.buffer, 0xff, 512 * 100);
        fault(0x28, kinds[i], 1);
        CHECK(request(MACHINE_DISK_READ, 0, 100) == OK && same(0, 100));
        fault(0x2a, kinds[i], 1);
        fill();
        CHECK(request(MACHINE_DISK_WRITE, 0, 100) == OK && same(0, 100));
        works();
        fault(0x28, kinds[i], 100);
        CHECK(request(MACHINE_DISK_READ, 0, 100) ==
              (kinds[i] == MODEL_WIRE ? ERR_GONE : ERR_IO));
        if (kinds[i] != MODEL_WIRE) {
            works();
        }
        leave();
    }
}

/* What the bulk pipes do not survive, a port reset does; what that does not
 * help either ends with the disk gone. */
static void test_hang(void)
{
    begin();
    fault(0x2a, MODEL_DUMB, 1);
    CHECK(request(MACHINE_DISK_WRITE, 0, 100) == OK && same(0, 100));
    CHECK(state.model.port_resets == 2);
    works();
    leave();

    begin();
    fault(0x2a, MODEL_SILENT, 100);
    submit(0, MACHINE_DISK_WRITE, 0, 100);
    submit(1, MACHINE_DISK_FLUSH, 0, 0);
    submit(2, MACHINE_DISK_READ, 0, 8);
    state.resubmit = true;
    CHECK(wait_all() == ERR_GONE);
    CHECK(state.requests[1].result == ERR_GONE);
    CHECK(state.requests[2].result == ERR_GONE);
    CHECK(!attached());
    leave();
}

/* Data that was written but not flushed before a reset of the device may be
 * lost: the flush that follows must say so, once. */
static void test_lost(void)
{
    begin();
    CHECK(request(MACHINE_DISK_WRITE, 0, 8) == OK);
    fault(0x2a, MODEL_DUMB, 1);
    CHECK(request(MACHINE_DISK_WRITE, 8, 8) == OK);
    CHECK(request(MACHINE_DISK_FLUSH, 0, 0) == ERR_IO);
    CHECK(request(MACHINE_DISK_WRITE, 8, 8) == OK);
    CHECK(request(MACHINE_DISK_FLUSH, 0, 0) == OK);
    sense_fault(0x2a, 1, 6, 0x29, 0);
    CHECK(request(MACHINE_DISK_WRITE, 8, 8) == OK);
    CHECK(request(MACHINE_DISK_FLUSH, 0, 0) == OK); /* nothing was lost */
    CHECK(request(MACHINE_DISK_WRITE, 8, 8) == OK);
    sense_fault(0x35, 1, 6, 0x29, 0);
    CHECK(request(MACHINE_DISK_FLUSH, 0, 0) == ERR_IO);
    works();
    leave();
}

static void test_sense(void)
{
    static const struct {
        uint8_t opcode;
        unsigned times;
        uint8_t key, asc, ascq;
        enum err expected;
    } rows[] = {
        {0x28, 1, 3, 0x11, 0, OK},      {0x28, 99, 3, 0x11, 0, ERR_IO},
        {0x2a, 1, 4, 0x44, 0, OK},      {0x2a, 99, 4, 0x44, 0, ERR_IO},
        {0x2a, 1, 0xb, 0, 0, OK},       {0x2a, 99, 0xb, 0, 0, ERR_IO},
        {0x28, 2, 6, 0x29, 0, OK},      {0x28, 99, 6, 0x29, 0, ERR_IO},
        {0x28, 9, 2, 4, 1, OK},         {0x2a, 9, 2, 4, 2, OK},
        {0x2a, 9999, 2, 4, 1, ERR_IO},  {0x2a, 99, 7, 0x27, 0, ERR_REFUSED},
        {0x28, 99, 5, 0x21, 0, ERR_IO}, {0x2a, 99, 5, 0x21, 0, ERR_IO},
        {0x35, 1, 3, 0x0c, 0, ERR_IO},  {0x35, 1, 0, 0, 0, OK},
        {0x2a, 99, 0, 0, 0, ERR_IO},    {0x2a, 99, 8, 0, 0, ERR_IO},
        {0x28, 1, 1, 0x17, 0, OK},
    };
    unsigned i;

    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum machine_disk_operation operation =
            rows[i].opcode == 0x28   ? MACHINE_DISK_READ
            : rows[i].opcode == 0x2a ? MACHINE_DISK_WRITE
                                     : MACHINE_DISK_FLUSH;
        enum err result;

        begin();
        sense_fault(rows[i].opcode, rows[i].times, rows[i].key, rows[i].asc,
                    rows[i].ascq);
        result =
            request(operation, 0, operation == MACHINE_DISK_FLUSH ? 0 : 100);
        if (result != rows[i].expected) {
            printf("sense row %u: %d, not %d\n", i, result, rows[i].expected);
        }
        CHECK(result == rows[i].expected);
        if (result == OK && operation != MACHINE_DISK_FLUSH) {
            CHECK(same(0, 100));
        }
        works();
        leave();
    }
}

static void test_no_cache(void)
{
    begin();
    sense_fault(0x35, 99, 5, 0x20, 0);
    CHECK(request(MACHINE_DISK_FLUSH, 0, 0) == OK);
    CHECK(request(MACHINE_DISK_FLUSH, 0, 0) == OK);
    CHECK(state.model.faults[0].times == 98); /* asked once only */
    works();
    leave();
}

static void test_medium(void)
{
    begin();
    state.model.no_medium = true;
    CHECK(request(MACHINE_DISK_READ, 0, 1) == ERR_GONE);
    run_us(5000000);
    CHECK(!attached());
    state.model.no_medium = false;
    run_us(2000000);
    CHECK(attached());
    works();
    sense_fault(0x2a, 1, 6, 0x28, 0); /* changed behind our back */
    CHECK(request(MACHINE_DISK_WRITE, 0, 1) == ERR_GONE);
    run_us(1000000);
    CHECK(attached());
    works();
    leave();
}

static void test_pulled(void)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        begin();
        fault(i == 0 ? 0x28 : 0x2a, MODEL_PULLED, 1);
        submit(0, i == 0 ? MACHINE_DISK_READ : MACHINE_DISK_WRITE, 0, 2000);
        submit(1, MACHINE_DISK_FLUSH, 0, 0);
        state.resubmit = true;
        CHECK(wait_all() == ERR_GONE);
        CHECK(state.requests[1].result == ERR_GONE);
        CHECK(!attached());
        model_plug(&state.model);
        run_us(1000000);
        CHECK(attached());
        works();
        leave();
    }
}

/* Pulled after every possible number of commands of the bring-up and of
 * service: nothing hangs, nothing is left behind. */
static void test_pulled_anywhere(void)
{
    unsigned steps, i;

    for (steps = 1; steps < 120; steps++) {
        fresh();
        model_plug(&state.model);
        for (i = 0; i < steps && turn(); i++) {
            if (attached() && state.pending == 0) {
                submit(0, MACHINE_DISK_WRITE, 0, 500);
            }
        }
        leave();
        CHECK(state.pending == 0);
        state.pending = 0;
        memset(state.model.faults, 0, sizeof state.model.faults);
        model_plug(&state.model);
        run_us(1000000);
        CHECK(attached());
        leave();
    }
}

static void test_bring_up(void)
{
    struct machine_disk_info info;

    fresh();
    state.model.claimed_sectors = MODEL_SECTORS + 1; /* off by one */
    model_plug(&state.model);
    run_us(1000000);
    machine_disk_info(0, &info);
    CHECK(info.present && info.sectors == MODEL_SECTORS);
    works();
    leave();

    fresh();
    state.model.sector_bytes = 4096;
    model_plug(&state.model);
    run_us(1000000);
    CHECK(!attached());
    leave();

    fresh();
    state.model.write_protected = true;
    model_plug(&state.model);
    run_us(1000000);
    machine_disk_info(0, &info);
    CHECK(info.present && info.read_only);
    CHECK(request(MACHINE_DISK_WRITE, 0, 1) == ERR_REFUSED);
    CHECK(request(MACHINE_DISK_READ, 0, 1) == OK);
    leave();

    fresh();
    sense_fault(0x00, 40, 2, 4, 1); /* 2 s until it is ready */
    model_plug(&state.model);
    run_us(1000000);
    CHECK(!attached());
    run_us(4000000);
    CHECK(attached());
    leave();

    fresh();
    state.model.own_signature = 0x11;
    state.model.serial = NULL;
    state.model.low_packet = true;
    model_plug(&state.model);
    run_us(1000000);
    machine_disk_info(0, &info);
    CHECK(info.present && info.serial[0] == '\0');
    works();
    leave();

    fresh();
    fault(0x25, MODEL_RESIDUE, 1); /* learnt: from then on ignored */
    model_plug(&state.model);
    run_us(1000000);
    fault(0x28, MODEL_RESIDUE, 100);
    CHECK(request(MACHINE_DISK_READ, 0, 100) == OK);
    CHECK(state.model.faults[0].times == 99);
    leave();
}

static void test_bring_up_faults(void)
{
    static const uint8_t opcodes[] = {0x12, 0x00, 0x25, 0x1a, 0x28};
    static const enum model_fault_kind kinds[] = {
        MODEL_STALL_CBW, MODEL_STALL_DATA, MODEL_STALL_CSW,
        MODEL_EMPTY_CSW, MODEL_BAD_TAG,    MODEL_PHASE,
        MODEL_SILENT,    MODEL_WIRE,       MODEL_DUMB};
    unsigned i, k;

    for (i = 0; i < sizeof opcodes; i++) {
        for (k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            fresh();
            fault(opcodes[i], kinds[k], 1);
            model_plug(&state.model);
            run_us(30000000);
            CHECK(attached());
            if (!attached()) {
                printf("opcode %02x fault %d\n", opcodes[i], kinds[k]);
            }
            works();
            leave();
        }
    }
    fresh();
    state.model.control_silent = true; /* answers no descriptor request */
    model_plug(&state.model);
    run_us(20000000);
    CHECK(!attached() && state.model.port_resets == 3);
    leave();
}

/* ---- Descriptors --------------------------------------------------------- */

static unsigned walk(const uint8_t *bytes, uint32_t count)
{
    struct usb_interface interfaces[USB_INTERFACES];

    return usb_config_interfaces(NULL, bytes, count, interfaces,
                                 USB_INTERFACES);
}

static void test_descriptors(void)
{
    static const uint8_t good[] = {
        9, 2, 57,   0,  1, 1, 0, 0x80, 50, 9,  4, 0, 0, 2, 8, 6,    0x50, 0,
        7, 5, 0x81, 2,  0, 2, 0, 6,    48, 15, 0, 0, 0, 7, 5, 2,    2,    0,
        2, 0, 6,    48, 3, 0, 0, 0,    9,  4,  0, 1, 2, 8, 6, 0x62, 0};
    struct usb_interface interfaces[USB_INTERFACES];
    uint8_t bytes[USB_CONFIG_BYTES];
    uint32_t i, round;
    char text[8];

    CHECK(usb_config_interfaces(NULL, good, sizeof good, interfaces,
                                USB_INTERFACES) == 1);
    CHECK(interfaces[0].endpoint_count == 2);
    CHECK(interfaces[0].endpoints[0].address == 0x81);
    CHECK(interfaces[0].endpoints[0].max_packet == 512);
    CHECK(interfaces[0].endpoints[0].burst == 15);
    CHECK(interfaces[0].endpoints[1].burst == 3);
    for (i = 0; i <= sizeof good; i++) {
        uint8_t *exact = malloc(i + 1); /* past its end: the sanitizer's */

        memcpy(exact, good, i);
        CHECK(walk(exact, i) <= 1);
        free(exact);
    }
    memcpy(bytes, good, sizeof good);
    bytes[9] = 0; /* a length of nothing would go round for ever */
    CHECK(walk(bytes, sizeof good) == 0);
    bytes[9] = 1;
    CHECK(walk(bytes, sizeof good) == 0);
    bytes[9] = 255;
    CHECK(walk(bytes, sizeof good) == 0);
    memcpy(bytes, good, sizeof good);
    bytes[18 + 2] = 2; /* the same endpoint twice */
    CHECK(walk(bytes, sizeof good) == 0);
    srand(1);
    for (round = 0; round < 20000; round++) {
        uint32_t count = (uint32_t)rand() % (uint32_t)sizeof good;
        uint8_t *exact = malloc(count + 1);

        memcpy(exact, good, count);
        for (i = 0; i < 4 && count > 0; i++) {
            exact[(uint32_t)rand() % count] = (uint8_t)rand();
        }
        CHECK(walk(exact, count) <= USB_INTERFACES);
        free(exact);
    }
    usb_string_ascii((const uint8_t *)"\x0a\x03"
                                      "A\0\xe4\0B\0C\0",
                     10, text, sizeof text);
    CHECK(strcmp(text, "A?BC") == 0);
    usb_string_ascii((const uint8_t *)"\xff\x03"
                                      "A\0B\0C\0D\0E\0F\0G\0H\0I\0",
                     20, text, sizeof text);
    CHECK(strcmp(text, "ABCDEFG") == 0);
    usb_string_ascii((const uint8_t *)"\x0a", 1, text, sizeof text);
    CHECK(text[0] == '\0');
}

static void test_bad_descriptors(void)
{
    static const uint8_t looping[] = {9, 2, 32, 0, 1, 1, 0, 0x80, 50, 0, 4};
    static const uint8_t one_pipe[] = {9, 2, 25,   0, 1, 1, 0, 0x80, 50,
                                       9, 4, 0,    0, 1, 8, 6, 0x50, 0,
                                       7, 5, 0x81, 2, 0, 2, 0};

    fresh();
    state.model.config = looping;
    state.model.config_bytes = sizeof looping;
    model_plug(&state.model);
    run_us(5000000);
    CHECK(!attached());
    leave();
    fresh();
    state.model.config = one_pipe;
    state.model.config_bytes = sizeof one_pipe;
    model_plug(&state.model);
    run_us(5000000);
    CHECK(!attached());
    leave();
    fresh();
    state.model.config_bytes = 5;
    model_plug(&state.model);
    run_us(5000000);
    CHECK(!attached());
    leave();
}

int main(void)
{
    static const struct usb_driver *const wanted = &usb_storage_driver;

    CHECK(wanted->attach != NULL); /* takes the driver out of the archive */
    timer_module_init();
    state.buffer = malloc(BYTES);
    state.now_us = 5000000;
    test_plain();
    test_order();
    test_transport_once();
    test_data_faults();
    test_hang();
    test_lost();
    test_sense();
    test_no_cache();
    test_medium();
    test_pulled();
    test_pulled_anywhere();
    test_bring_up();
    test_bring_up_faults();
    test_descriptors();
    test_bad_descriptors();
    free(state.buffer);
    free(state.model.disk);
    return check_report();
}
