/* The simulated stick: what it promises and, as much, what it does not. Tests
 * of power cuts are worth what this model is worth. */
#include "tests/sim/stick.h"
#include "tests/unit/check.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SECTORS 4096
#define TRIALS  2000
#define BYTES   MACHINE_SECTOR_BYTES

struct sim_options sim_options = {.seed = 7};
static struct sim_shared shared;
struct sim_shared *sim_shared = &shared;

static struct sim_medium *medium;
static const struct sim_stick_profile plain = {
    .read_ns = 1000, .write_ns = 2000, .flush_ns = 5000};

void sim_note(const char *format, ...)
{
    (void)format;
}

void sim_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    exit(1);
}

void sim_digest(const void *data, size_t bytes)
{
    (void)data;
    (void)bytes;
}

void *sim_shared_take(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        exit(1);
    return memory;
}

/* ---- Requests ---------------------------------------------------------- */

static unsigned finished;

static void done(struct machine_disk_request *request)
{
    finished++;
    request->context = (void *)(uintptr_t)finished;
}

static void submit(struct machine_disk_request *request,
                   enum machine_disk_operation operation, uint64_t sector,
                   uint32_t sectors, void *buffer)
{
    memset(request, 0, sizeof(*request));
    request->operation = operation;
    request->sector = sector;
    request->sectors = sectors;
    request->buffer = buffer;
    request->done = done;
    machine_disk_submit(request);
}

/* Until `count` requests are done. */
static void run_until(unsigned count)
{
    for (unsigned turn = 0; finished < count && turn < 1000; turn++) {
        sim_clock_run();
        if (!sim_stick_finish() && finished < count)
            sim_clock_sleep(UINT64_MAX);
    }
    CHECK(finished == count);
    finished = 0;
}

static enum err one(enum machine_disk_operation operation, uint64_t sector,
                    uint32_t sectors, void *buffer)
{
    struct machine_disk_request request;

    submit(&request, operation, sector, sectors, buffer);
    run_until(1);
    return request.result;
}

static uint8_t durable(uint64_t sector)
{
    const uint8_t *bytes = medium->durable + sector * BYTES;

    for (unsigned i = 1; i < BYTES; i++)
        if (bytes[i] != bytes[0])
            return 255; /* no sector is ever half of one */
    return bytes[0];
}

/* ---- Tests ------------------------------------------------------------- */

static void test_plain(void)
{
    static uint8_t out[8 * BYTES], in[8 * BYTES];
    struct machine_disk_info info;
    struct machine_disk_request requests[3];

    machine_disk_info(0, &info);
    CHECK(!info.present);
    CHECK(one(MACHINE_DISK_READ, 0, 1, in) == ERR_GONE);
    sim_stick_insert(0, medium, &plain);
    machine_disk_info(0, &info);
    CHECK(info.present && info.generation == 1 && info.sectors == SECTORS);
    memset(out, 1, sizeof(out));
    CHECK(one(MACHINE_DISK_WRITE, 100, 8, out) == OK);
    CHECK(one(MACHINE_DISK_READ, 100, 8, in) == OK);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    CHECK(durable(100) == 0); /* written, seen, and not durable */
    CHECK(one(MACHINE_DISK_FLUSH, 0, 0, NULL) == OK);
    CHECK(durable(100) == 1 && durable(107) == 1 && durable(108) == 0);
    CHECK(one(MACHINE_DISK_READ, SECTORS - 1, 2, in) == ERR_INVALID);
    CHECK(one(MACHINE_DISK_READ, UINT64_MAX, 2, in) == ERR_INVALID);
    submit(&requests[0], MACHINE_DISK_WRITE, 0, 8, out);
    submit(&requests[1], MACHINE_DISK_READ, 0, 8, in);
    submit(&requests[2], MACHINE_DISK_FLUSH, 0, 0, NULL);
    CHECK(finished == 0); /* never from inside the call */
    run_until(3);
    CHECK(requests[0].context == (void *)1 && requests[1].context == (void *)2);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    machine_disk_info(0, &info);
    CHECK(info.writes == 2 && info.reads == 2 && info.flushes == 2);
    sim_stick_remove(0);
}

/* One unflushed write of 8 sectors, cut off: all outcomes must be there. */
static void test_cut(void)
{
    static uint8_t old[8 * BYTES], out[8 * BYTES];
    unsigned kept = 0, lost = 0, torn = 0, tail_only = 0;

    for (unsigned i = 0; i < TRIALS; i++) {
        unsigned written = 0, broken = 0;

        memset(old, 2, sizeof(old));
        memset(out, 3, sizeof(out));
        sim_medium_write(medium, 200, 8, old);
        sim_stick_insert(0, medium, &plain);
        CHECK(one(MACHINE_DISK_WRITE, 200, 8, out) == OK);
        sim_stick_remove(0);
        for (unsigned s = 0; s < 8; s++) {
            written += durable(200 + s) == 3;
            broken += durable(200 + s) != 3 && durable(200 + s) != 2;
        }
        CHECK(broken == 0);
        kept += written == 8;
        lost += written == 0;
        torn += written > 0 && written < 8;
        tail_only += durable(200) == 2 && durable(207) == 3;
    }
    printf("unflushed: %u kept, %u lost, %u torn\n", kept, lost, torn);
    CHECK(kept > TRIALS / 5);
    CHECK(lost > TRIALS / 5);
    CHECK(torn > TRIALS / 20);
    CHECK(tail_only > TRIALS / 100);
}

/* Two writes: the later may survive alone; of two to one sector either may. */
static void test_order(void)
{
    static uint8_t zero[BYTES], a[BYTES], b[BYTES];
    unsigned later_only = 0, older = 0, newer = 0;

    memset(a, 4, sizeof(a));
    memset(b, 5, sizeof(b));
    for (unsigned i = 0; i < TRIALS; i++) {
        sim_medium_write(medium, 300, 1, zero);
        sim_medium_write(medium, 301, 1, zero);
        sim_stick_insert(0, medium, &plain);
        CHECK(one(MACHINE_DISK_WRITE, 300, 1, a) == OK);
        CHECK(one(MACHINE_DISK_WRITE, 300, 1, b) == OK);
        CHECK(one(MACHINE_DISK_WRITE, 301, 1, b) == OK);
        sim_stick_remove(0);
        later_only += durable(300) == 0 && durable(301) == 5;
        older += durable(300) == 4;
        newer += durable(300) == 5;
    }
    CHECK(later_only > TRIALS / 50);
    CHECK(older > TRIALS / 50);
    CHECK(newer > TRIALS / 5);
}

/* What a flush has covered is there after every cut; if it lies, it is not. */
static void test_flush(bool lying)
{
    static uint8_t zero[BYTES], a[BYTES], b[BYTES];
    struct sim_stick_profile profile = plain;
    unsigned missing = 0, later = 0;

    profile.lying_flush = lying;
    memset(a, 6, sizeof(a));
    memset(b, 7, sizeof(b));
    for (unsigned i = 0; i < TRIALS; i++) {
        sim_medium_write(medium, 400, 1, zero);
        sim_medium_write(medium, 401, 1, zero);
        sim_stick_insert(0, medium, &profile);
        CHECK(one(MACHINE_DISK_WRITE, 400, 1, a) == OK);
        CHECK(one(MACHINE_DISK_FLUSH, 0, 0, NULL) == OK);
        CHECK(one(MACHINE_DISK_WRITE, 401, 1, b) == OK);
        sim_stick_remove(0);
        missing += durable(400) != 6;
        later += durable(401) == 7;
    }
    CHECK(later > TRIALS / 5 && later < TRIALS);
    if (lying)
        CHECK(missing > TRIALS / 5);
    else
        CHECK(missing == 0);
}

/* Pulled with requests under way: all of them are answered, and the one that
 * was at work may have left any part behind. */
static void test_pulled(void)
{
    static uint8_t old[8 * BYTES], out[8 * BYTES];
    struct machine_disk_request requests[3];
    struct machine_disk_info info;
    unsigned some = 0, none = 0;

    memset(old, 8, sizeof(old));
    memset(out, 9, sizeof(out));
    for (unsigned i = 0; i < TRIALS; i++) {
        unsigned written = 0;

        sim_medium_write(medium, 500, 8, old);
        sim_medium_write(medium, 508, 8, old);
        sim_stick_insert(0, medium, &plain);
        submit(&requests[0], MACHINE_DISK_WRITE, 500, 8, out);
        submit(&requests[1], MACHINE_DISK_WRITE, 508, 8, out);
        submit(&requests[2], MACHINE_DISK_FLUSH, 0, 0, NULL);
        sim_stick_remove(0);
        run_until(3);
        for (unsigned r = 0; r < 3; r++)
            CHECK(requests[r].result == ERR_GONE);
        for (unsigned s = 0; s < 8; s++) {
            written += durable(500 + s) == 9;
            CHECK(durable(508 + s) == 8);
        }
        some += written > 0;
        none += written == 0;
    }
    CHECK(some > TRIALS / 5 && none > TRIALS / 5);
    machine_disk_info(0, &info);
    CHECK(!info.present && info.generation > TRIALS);
}

static void test_faults(void)
{
    static uint8_t bytes[8 * BYTES];
    struct sim_stick_profile profile = plain;
    uint64_t start;

    sim_stick_insert(0, medium, &plain);
    sim_stick_fail(0, MACHINE_DISK_WRITE, ERR_IO, 1000000);
    CHECK(one(MACHINE_DISK_WRITE, 600, 8, bytes) == ERR_IO);
    CHECK(one(MACHINE_DISK_READ, 600, 8, bytes) == OK);
    sim_stick_fail(0, MACHINE_DISK_WRITE, OK, 0);
    sim_stick_fail(0, MACHINE_DISK_FLUSH, ERR_IO, 1000000);
    CHECK(one(MACHINE_DISK_WRITE, 600, 8, bytes) == OK);
    CHECK(one(MACHINE_DISK_FLUSH, 0, 0, NULL) == ERR_IO);
    sim_stick_fail(0, MACHINE_DISK_FLUSH, OK, 0);
    sim_stick_stall(0, SIM_SECOND);
    start = sim_now();
    CHECK(one(MACHINE_DISK_READ, 600, 8, bytes) == OK);
    CHECK(sim_now() - start >= SIM_SECOND);
    sim_stick_remove(0);
    profile.read_only = true;
    sim_stick_insert(0, medium, &profile);
    CHECK(one(MACHINE_DISK_WRITE, 600, 8, bytes) == ERR_REFUSED);
    sim_stick_remove(0);
}

static void test_restore(void)
{
    static struct sim_medium *original;
    static uint8_t bytes[BYTES];

    original = sim_medium_make(SECTORS);
    memset(bytes, 11, sizeof(bytes));
    sim_medium_write(medium, 700, 1, bytes);
    sim_medium_restore(medium, original);
    CHECK(memcmp(medium->durable, original->durable, SECTORS * BYTES) == 0);
}

int main(void)
{
    medium = sim_medium_make(SECTORS);
    test_plain();
    test_cut();
    test_order();
    test_flush(false);
    test_flush(true);
    test_pulled();
    test_faults();
    test_restore();
    return check_report();
}
