/* Every card driver against the register model of its chip: the drivers as they
 * are in the AO, found by PCI, in a PC that the test turns through its faults.
 *
 * Each run is a process of its own: drivers keep what they have for ever. All
 * chance comes from one seed:
 *     test_nic_models [SEED [CHIP [RUN]]]
 * repeats a run by its names. */
#include "core/iobuf.h"
#include "core/machine.h"
#include "core/log.h"
#include "drivers/machine_parts.h"
#include "drivers/nic/nic_ring.h"
#include "drivers/pci.h"
#include "tests/models/pc.h"
#include "tests/models/traffic.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL       1500u
#define SETTLE_MS  1500u
#define NOTICE_MS  2500u /* a change of the link is seen */
#define RECOVER_MS 12000u
/* A turn of MT must not keep mail waiting; the rest is sums of accesses. */
#define TURN_US 4000u

static const struct chip *const chips[] = {
    &chip_intel_82540em, &chip_intel_82574l, &chip_intel_i217, &chip_intel_i219,
    &chip_intel_i350,    &chip_intel_i210,   &chip_intel_i225, &chip_intel_i226,
    &chip_rtl8139,       &chip_rtl8168b,     &chip_rtl8168h,   &chip_3c905c,
    &chip_vmxnet3,       &chip_virtio,
};

/* Of the 256 entries that the model has: two for a buffer. */
#define VIRTIO_HELD 128u

#define CHIPS (sizeof(chips) / sizeof(chips[0]))

static void print_log(void)
{
    if (getenv("VERBOSE") == NULL)
        return;
    for (unsigned back = LOG_LINES; back-- > 0;) {
        const char *line = log_line(back);

        if (line != NULL)
            printf("    %s\n", line);
    }
}

/* ---- Parts of runs ------------------------------------------------------- */

static struct machine_nic_info info(void)
{
    struct machine_nic_info now;

    machine_nic_info(&now);
    return now;
}

static unsigned best(const struct chip *chip)
{
    return chip->fastest == 0 ? 1000 : chip->fastest;
}

/* A PC with one card, its driver bound, link as fast as it can. */
static void start(const struct chip *chip, uint64_t seed)
{
    pc_power_on(seed, POOL);
    pc_plug(chip);
    chip->set_link(best(chip));
    machine_nic_join(traffic_group);
    pci_module_init();
    traffic_start(chip, 0);
    traffic_idle(SETTLE_MS);
}

/* Everything comes through, in time, unchanged. */
static void check_traffic(unsigned frames, unsigned burst, uint32_t pause_us)
{
    const struct traffic_plan plan = {frames, frames, burst, pause_us};
    struct traffic_result result;
    unsigned changed;

    (void)traffic_keep(48);
    result = traffic_run(&plan, 3000);
    changed = traffic_keep(0);
    CHECK(result.taken == frames && result.sent == frames);
    CHECK(result.received == result.arrived && result.wrong == 0);
    CHECK(result.arrived >= frames - frames / 20);
    CHECK(result.slowest_us < 5000);
    CHECK(result.longest_turn_us < TURN_US);
    CHECK(changed == 0);
    if (getenv("VERBOSE") != NULL)
        printf("    arrived %u received %u taken %u sent %u wrong %u "
               "refused %u slowest %u us turn %u us\n",
               result.arrived, result.received, result.taken, result.sent,
               result.wrong, result.refused, (unsigned)result.slowest_us,
               (unsigned)result.longest_turn_us);
}

/* The driver has given back what it does not need: its ring to receive is full,
 * or it has none. */
static void check_nothing_lost(void)
{
    size_t held;

    memset(&pc_faults, 0, sizeof(pc_faults));
    traffic_idle(3000);
    held = iobuf_total() - iobuf_free();
    CHECK(held == 0 || held == NIC_RING - 1 || held == VIRTIO_HELD);
    CHECK(pc_failures() == 0);
}

/* Whether a card with link serves within RECOVER_MS. */
static bool link_comes(void)
{
    for (unsigned ms = 0; ms < RECOVER_MS; ms += 100) {
        if (info().link_up)
            return true;
        traffic_idle(100);
    }
    return info().link_up;
}

/* ---- Runs ---------------------------------------------------------------- */

static void run_start(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    CHECK(info().present && info().link_up);
    CHECK(memcmp(info().address, pc_address(0), 6) == 0);
    CHECK(strcmp(info().name, chip->name) == 0);
    check_nothing_lost();
}

/* Thousands of frames: many turns of each ring. */
static void run_traffic(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    check_traffic(1500, 1, 20);
    check_traffic(1500, 20, 100);
    check_traffic(200, 1, 300000); /* asleep between frames */
    check_traffic(1, 1, 1);
    CHECK(info().frames_in >= 2900 && info().frames_out == 3201);
    CHECK(info().errors_out == 0);
    check_nothing_lost();
}

/* More at once than any ring holds: frames are lost, nothing else is. */
static void run_bursts(const struct chip *chip, uint64_t seed)
{
    const struct traffic_plan plan = {3000, 3000, 700, 20000};
    struct traffic_result result;

    start(chip, seed);
    result = traffic_run(&plan, 3000);
    CHECK(result.wrong == 0 && result.sent == result.taken);
    CHECK(result.received <= result.arrived);
    CHECK(result.received > 100);
    check_traffic(500, 2, 50);
    check_nothing_lost();
}

/* No buffer is left for a while. */
static void run_starved(const struct chip *chip, uint64_t seed)
{
    const struct traffic_plan plan = {900, 0, 10, 100};
    struct iobuf *held[POOL];
    unsigned count = 0;
    struct traffic_result result;

    start(chip, seed);
    while (count < POOL && (held[count] = iobuf_alloc_receive()) != NULL)
        count++;
    result = traffic_run(&plan, 1000);
    CHECK(result.wrong == 0);
    while (count > 0)
        iobuf_release(held[--count]);
    traffic_idle(1500);
    check_traffic(500, 2, 50);
    check_nothing_lost();
}

static void run_link(const struct chip *chip, uint64_t seed)
{
    static const unsigned speeds[] = {10, 100, 1000, 2500, 100};

    pc_power_on(seed, POOL);
    pc_plug(chip);
    machine_nic_join(traffic_group);
    pci_module_init();
    traffic_start(chip, 0);
    traffic_idle(NOTICE_MS);
    CHECK(info().present && !info().link_up); /* no link at start */
    for (unsigned i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        const struct traffic_plan into_nowhere = {0, 300, 10, 100};

        chip->set_link(speeds[i]);
        traffic_idle(NOTICE_MS);
        CHECK(info().link_up);
        CHECK(info().speed_mbit ==
              (speeds[i] < chip->fastest ? speeds[i] : chip->fastest));
        check_traffic(300, 5, 50);
        /* Without a stop between: another speed at the same plug. */
        if (i == 1)
            continue;
        chip->set_link(0);
        traffic_idle(NOTICE_MS);
        CHECK(!info().link_up && info().speed_mbit == 0);
        (void)traffic_run(&into_nowhere, 100);
        traffic_idle(4000);
        CHECK(pc_failures() == 0);
    }
    chip->set_link(100);
    traffic_idle(NOTICE_MS); /* what waited goes out */
    check_nothing_lost();
}

static bool serves(unsigned slot)
{
    return info().serving && memcmp(info().address, pc_address(slot), 6) == 0;
}

/* A card that does not serve keeps nothing of what comes in. */
static void check_discards(const struct chip *chip, unsigned slot)
{
    uint8_t frame[60] = {0};
    unsigned lost = 0;

    memcpy(frame, pc_address(slot), 6);
    for (unsigned i = 0; i < 1000; i++) {
        lost += !chip->arrive(frame, sizeof(frame));
        traffic_idle(1);
    }
    CHECK(lost < 50);
}

/* Another card beside it: the one with link serves, or the one chosen. */
static void run_two(const struct chip *chip, uint64_t seed)
{
    const struct chip *other =
        chip == &chip_rtl8139 ? &chip_intel_82540em : &chip_rtl8139;
    struct machine_nic_info second;

    pc_power_on(seed, POOL);
    pc_plug(other);
    pc_plug(chip);
    machine_nic_join(traffic_group);
    chip->set_link(best(chip));
    pci_module_init();
    traffic_start(chip, 1);
    traffic_idle(NOTICE_MS);
    CHECK(serves(1) && strcmp(info().place, "00:02.0") == 0);
    check_traffic(200, 3, 50);
    other->set_link(100);
    traffic_idle(NOTICE_MS);
    CHECK(serves(1)); /* as long as it has link */
    check_discards(other, 0);
    machine_nic_choose("00:01.0");
    traffic_start(other, 0);
    CHECK(serves(0));
    check_traffic(200, 3, 50);
    check_discards(chip, 1);
    machine_nic_choose("52:54:00:12:34:57");
    CHECK(serves(1));
    machine_nic_choose("52:54:00:12:34:99"); /* there is none */
    chip->set_link(0);
    traffic_idle(NOTICE_MS);
    CHECK(serves(0));
    check_traffic(200, 3, 50);
    machine_nic_choose("52:54:00:12:34:57"); /* link or not */
    CHECK(serves(1) && !info().link_up);
    CHECK(machine_nic_at(0, &second) && !second.serving && second.link_up);
    CHECK(!machine_nic_at(2, &second));
    CHECK(pc_failures() == 0);
}

/* ---- Runs with faults: whatever happens meanwhile, afterwards mail goes ----
 */

/* Traffic under a fault, of which only is asked that it ends. */
static void suffer_some(unsigned to_card, unsigned from_card)
{
    const struct traffic_plan plan = {to_card, from_card, 8, 400};
    struct traffic_result result;

    (void)traffic_keep(16);
    result = traffic_run(&plan, 2500);
    CHECK(result.longest_turn_us < TURN_US);
    (void)traffic_keep(0);
}

static void suffer(unsigned frames)
{
    suffer_some(frames, frames);
}

static void recover(const struct chip *chip)
{
    memset(&pc_faults, 0, sizeof(pc_faults));
    chip->set_link(best(chip));
    CHECK(link_comes());
    /* What is out of step shows with the first frames, and is mended. */
    suffer(50);
    traffic_idle(4000);
    CHECK(info().link_up);
    check_traffic(600, 3, 50);
    check_nothing_lost();
}

static void run_deaf(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    pc_faults.deaf = true;
    suffer(500);
    chip->set_link(0);
    traffic_idle(NOTICE_MS);
    CHECK(!info().link_up);
    recover(chip);
}

static void run_bad_lengths(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    pc_faults.bad_length = 100;
    suffer(1500);
    recover(chip);
}

static void run_bad_status(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    pc_faults.bad_status = 60;
    suffer(1500);
    recover(chip);
}

static void run_garbage(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    for (unsigned i = 0; i < 6; i++) {
        pc_faults.garbage = 20;
        suffer(500);
        traffic_idle(chip_random(3000));
    }
    pc_faults.garbage = 200;
    suffer_some(300, 0);
    /* What it wrote stays where it is: the driver has to notice. */
    recover(chip);
}

static void run_hold(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    pc_faults.hold = true;
    suffer(400);
    traffic_idle(6000);
    recover(chip);
}

static void run_gone(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    for (unsigned i = 0; i < 3; i++) {
        suffer(200);
        pc_faults.gone = true;
        suffer(200);
        traffic_idle(chip_random(4000));
        pc_faults.gone = false;
        traffic_idle(chip_random(4000));
    }
    recover(chip);
    pc_faults.gone = true;
    traffic_idle(NOTICE_MS);
    CHECK(info().present && !info().link_up && info().speed_mbit == 0);
}

/* A card that is stuck sending is reset, and that does not end. */
static void run_endless_reset(const struct chip *chip, uint64_t seed)
{
    uint64_t lines;

    start(chip, seed);
    pc_faults.hold = pc_faults.endless_reset = true;
    suffer(300);
    traffic_idle(10000);
    CHECK(!info().link_up);
    lines = log_count();
    traffic_idle(10000);
    CHECK(log_count() - lines < 30);
    recover(chip);
}

static void run_stuck_bits(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    for (unsigned i = 0; i < 12; i++) {
        pc_stick_a_bit();
        suffer(120);
        traffic_idle(chip_random(3000));
        pc_faults.stuck.active = false;
        traffic_idle(chip_random(1000));
    }
    recover(chip);
}

/* Everything at once, on and off. */
static void run_chaos(const struct chip *chip, uint64_t seed)
{
    start(chip, seed);
    for (unsigned i = 0; i < 40; i++) {
        pc_faults.gone = chip_random(8) == 0;
        pc_faults.deaf = chip_random(4) == 0;
        pc_faults.endless_reset = chip_random(4) == 0;
        pc_faults.hold = chip_random(6) == 0;
        pc_faults.bad_length = chip_random(3) == 0 ? 50 : 0;
        pc_faults.bad_status = chip_random(3) == 0 ? 50 : 0;
        pc_faults.garbage = chip_random(3) == 0 ? 50 : 0;
        pc_faults.stuck.active = false;
        if (chip_random(4) == 0)
            pc_stick_a_bit();
        if (chip_random(4) == 0)
            chip->set_link(chip_random(3) == 0 ? 0 : best(chip));
        suffer_some(chip_random(200), chip_random(200));
        traffic_idle(chip_random(1500));
    }
    recover(chip);
}

/* Wrong from the start: the card is not used, or comes up later. */
static void run_stuck_at_start(const struct chip *chip, uint64_t seed)
{
    pc_power_on(seed, POOL);
    pc_plug(chip);
    chip->set_link(best(chip));
    pc_faults.stuck.active = true;
    pc_faults.stuck.value = chip_random(2);
    pc_faults.stuck.offset = chip_random(chip->bars[0].bytes < 256 ? 64 : 256);
    pc_faults.stuck.bit = (uint8_t)chip_random(8);
    pc_faults.gone = chip_random(4) == 0;
    machine_nic_join(traffic_group);
    pci_module_init();
    traffic_start(chip, 0);
    suffer(50);
    if (info().present && memcmp(info().address, pc_address(0), 6) == 0)
        recover(chip);
    CHECK(pc_failures() == 0);
}

/* ---- Each run in a process of its own ------------------------------------ */

static const struct run {
    const char *name;
    void (*run)(const struct chip *chip, uint64_t seed);
    unsigned times;
} runs[] = {
    {"start", run_start, 1},
    {"traffic", run_traffic, 1},
    {"bursts", run_bursts, 1},
    {"starved", run_starved, 1},
    {"link", run_link, 1},
    {"two", run_two, 1},
    {"deaf", run_deaf, 1},
    {"bad_lengths", run_bad_lengths, 1},
    {"bad_status", run_bad_status, 1},
    {"garbage", run_garbage, 2},
    {"hold", run_hold, 1},
    {"gone", run_gone, 1},
    {"endless_reset", run_endless_reset, 1},
    {"stuck_bits", run_stuck_bits, 2},
    {"chaos", run_chaos, 1},
    {"stuck_at_start", run_stuck_at_start, 6},
};

#define RUNS (sizeof(runs) / sizeof(runs[0]))

/* In a child: its checks, and whether it ended as it should. */
static void carry_out(const struct chip *chip, const struct run *run,
                      uint64_t seed)
{
    unsigned counts[2] = {0, 1};
    int ends[2], status;
    pid_t child;

    if (pipe(ends) != 0)
        abort();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        check_passed_count = check_failed_count = 0;
        run->run(chip, seed);
        print_log();
        counts[0] = check_passed_count;
        counts[1] = check_failed_count + pc_failures();
        fflush(stdout);
        _exit(write(ends[1], counts, sizeof(counts)) != sizeof(counts));
    }
    close(ends[1]);
    if (read(ends[0], counts, sizeof(counts)) != sizeof(counts))
        counts[1] = 1;
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    check_passed_count += counts[0];
    check_failed_count += counts[1];
    if (counts[1] != 0 || status != 0)
        printf("  in: test_nic_models %llu '%s' %s\n", (unsigned long long)seed,
               chip->name, run->name);
}

int main(int count, char **words)
{
    const uint64_t seed = count > 1 ? strtoull(words[1], NULL, 10) : 1;

    for (size_t c = 0; c < CHIPS; c++) {
        for (size_t r = 0; r < RUNS; r++) {
            const unsigned times = count > 3 ? 1 : runs[r].times;

            if ((count > 2 && strcmp(words[2], chips[c]->name) != 0) ||
                (count > 3 && strcmp(words[3], runs[r].name) != 0))
                continue;
            for (unsigned i = 0; i < times; i++)
                carry_out(chips[c], &runs[r], seed + i);
        }
    }
    return check_report();
}
