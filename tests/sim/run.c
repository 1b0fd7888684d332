/* Runs: options, boots in child processes, results, replay.
 *
 * The parent stays free of any AO state; each boot is a fork of it, so that the
 * AO always starts from its initialised data, as after power-on. */
#include "main.h"
#include "tests/sim/sim.h"
#include "tests/sim/stick.h"
#include "tests/sim/wire.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Processor seconds that one boot may take: an endless loop of the AO must not
 * hold up the test. */
#define CPU_SECONDS 120

struct sim_options sim_options = {
    .seed = 1,
    .command_line = "mode=run",
    .memory_bytes = 64u << 20,
    .limit_ns = 3600 * SIM_SECOND,
};

struct sim_shared *sim_shared;

static struct {
    const struct sim_program *program;
    uint64_t from, runs;
    bool one, twice;
    bool in_child;
    int child_output;
    struct sim_event limit;
} state = {.from = 1, .child_output = -1};

void *sim_shared_take(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

void sim_note(const char *format, ...)
{
    uint64_t now = sim_now();
    va_list arguments;

    if (!sim_options.verbose)
        return;
    printf("%llu.%06llu ", (unsigned long long)(now / SIM_SECOND),
           (unsigned long long)(now % SIM_SECOND / 1000));
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

_Noreturn static void leave(int status)
{
    fflush(NULL);
    _exit(status);
}

void sim_fail(const char *format, ...)
{
    va_list arguments;

    if (!sim_shared->failed) {
        sim_shared->failed = true;
        sim_shared->failed_ns = sim_now();
        va_start(arguments, format);
        vsnprintf(sim_shared->why, sizeof(sim_shared->why), format, arguments);
        va_end(arguments);
        sim_note("FAILED: %s", sim_shared->why);
    }
    if (!state.in_child) {
        fprintf(stderr, "%s\n", sim_shared->why);
        exit(2);
    }
    leave(1);
}

static void account(void)
{
    sim_shared->virtual_ns += sim_now();
    sim_wire_close();
}

void sim_finish(void)
{
    sim_note("the run ends this boot");
    account();
    leave(0);
}

void sim_power_cut(void)
{
    sim_note("power cut");
    sim_stick_cut();
    sim_shared->cuts++;
    account();
    leave(0);
}

void sim_digest(const void *data, size_t bytes)
{
    const uint8_t *from = data;
    uint64_t value = sim_shared->digest;

    for (size_t i = 0; i < bytes; i++)
        value = (value ^ from[i]) * 0x100000001b3ull;
    sim_shared->digest = value;
}

/* ---- Children ---------------------------------------------------------- */

static void out_of_time(struct sim_event *event)
{
    (void)event;
    sim_fail("not done after %llu virtual seconds",
             (unsigned long long)(sim_options.limit_ns / SIM_SECOND));
}

/* What a child writes to stderr (a sanitizer's report) is shown when the run
 * has failed. */
static void catch_output(void)
{
    if (state.child_output < 0)
        state.child_output = memfd_create("output", 0);
    if (state.child_output < 0 || ftruncate(state.child_output, 0) != 0)
        exit(2);
}

static void show_output(void)
{
    char buffer[4096];
    ssize_t got;

    lseek(state.child_output, 0, SEEK_SET);
    while ((got = read(state.child_output, buffer, sizeof(buffer))) > 0)
        fwrite(buffer, 1, (size_t)got, stdout);
}

static void enter_child(void)
{
    struct rlimit limit = {CPU_SECONDS, CPU_SECONDS};

    state.in_child = true;
    setrlimit(RLIMIT_CPU, &limit);
    lseek(state.child_output, 0, SEEK_SET);
    dup2(state.child_output, STDERR_FILENO);
}

static bool child_passed(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !sim_shared->failed)
        return true;
    if (!sim_shared->failed) {
        sim_shared->failed = true; /* it could not say so itself */
        snprintf(sim_shared->why, sizeof(sim_shared->why), "%s %d",
                 WIFSIGNALED(status) ? "killed by signal" : "exit status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    show_output();
    return false;
}

bool sim_child(void (*work)(void *context), void *context)
{
    pid_t child;

    catch_output();
    fflush(NULL);
    child = fork();
    if (child < 0)
        return false;
    if (child == 0) {
        enter_child();
        work(context);
        leave(0);
    }
    return child_passed(child);
}

struct boot {
    void (*prepare)(void *context);
    void *context;
};

static void boot_ao(void *context)
{
    struct boot *boot = context;

    sim_machine_start();
    sim_event_init(&state.limit, out_of_time);
    sim_event_start(&state.limit, sim_options.limit_ns);
    boot->prepare(boot->context);
    ao_main();
}

bool sim_boot(void (*prepare)(void *context), void *context)
{
    struct boot boot = {prepare, context};

    sim_shared->boot++;
    sim_shared->boots++;
    return sim_child(boot_ao, &boot);
}

/* ---- The program ------------------------------------------------------- */

static void usage(void)
{
    printf("%s [--seed N] [--runs M] [--from S] [--verbose] [--twice] "
           "[--pcap FILE] [--image FILE]\n"
           "  --seed N   only the run of this seed\n"
           "  --runs M   M runs, with the seeds S, S + 1, ... (default %llu)\n"
           "  --from S   the first seed (default 1)\n"
           "  --verbose  log and dialogues\n"
           "  --twice    every run two times: they must not differ\n"
           "  --pcap F   writes the frames of the last boot to F\n"
           "  --image F  writes the stick as it is after the run to F\n%s",
           state.program->name, (unsigned long long)state.runs,
           state.program->help);
}

static bool take_option(int argc, char **argv, int *i)
{
    const char *name = argv[*i];
    const char *value = *i + 1 < argc ? argv[*i + 1] : NULL;
    int took = 2;

    if (strcmp(name, "--verbose") == 0) {
        sim_options.verbose = true;
        took = 1;
    } else if (strcmp(name, "--twice") == 0) {
        state.twice = true;
        took = 1;
    } else if (value != NULL && strcmp(name, "--seed") == 0) {
        state.from = strtoull(value, NULL, 0);
        state.one = true;
    } else if (value != NULL && strcmp(name, "--runs") == 0) {
        state.runs = strtoull(value, NULL, 0);
    } else if (value != NULL && strcmp(name, "--from") == 0) {
        state.from = strtoull(value, NULL, 0);
    } else if (value != NULL && strcmp(name, "--pcap") == 0) {
        sim_options.pcap = value;
    } else if (value != NULL && strcmp(name, "--image") == 0) {
        sim_options.image = value;
    } else {
        took = state.program->option == NULL
                   ? 0
                   : state.program->option(name, value);
    }
    *i += took;
    return took > 0;
}

static bool run_once(uint64_t seed)
{
    sim_options.seed = seed;
    sim_shared->failed = false;
    sim_shared->failed_ns = 0;
    sim_shared->boot = 0;
    sim_shared->digest = 0xcbf29ce484222325ull;
    return state.program->run() && !sim_shared->failed;
}

static bool run_seed(uint64_t seed)
{
    bool passed = run_once(seed);
    uint64_t digest = sim_shared->digest;

    if (passed && state.twice) {
        passed = run_once(seed);
        if (passed && sim_shared->digest != digest) {
            snprintf(sim_shared->why, sizeof(sim_shared->why),
                     "two runs of this seed differ");
            passed = false;
        }
    }
    return passed;
}

static void print_command(char **argv, int argc, uint64_t seed)
{
    printf("  again: %s --seed %llu --verbose", argv[0],
           (unsigned long long)seed);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            continue;
        if (strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--runs") == 0 ||
            strcmp(argv[i], "--from") == 0) {
            i++;
            continue;
        }
        printf(" %s", argv[i]);
    }
    putchar('\n');
}

static void print_figures(double seconds)
{
    const struct sim_shared *s = sim_shared;

    printf(
        "%llu boots, %llu power cuts, %.0f s of virtual time in %.1f s\n"
        "frames: %llu in, %llu out, %llu lost; stick: %llu reads, %llu "
        "writes, %llu flushes\n"
        "unflushed writes at cuts: %llu kept, %llu lost, %llu torn\n"
        "messages: %llu accepted, %llu fetched and compared, %llu deleted; "
        "%llu stores checked\n",
        (unsigned long long)s->boots, (unsigned long long)s->cuts,
        (double)s->virtual_ns / 1e9, seconds, (unsigned long long)s->frames_in,
        (unsigned long long)s->frames_out, (unsigned long long)s->frames_lost,
        (unsigned long long)s->disk_reads, (unsigned long long)s->disk_writes,
        (unsigned long long)s->disk_flushes, (unsigned long long)s->writes_kept,
        (unsigned long long)s->writes_lost, (unsigned long long)s->writes_torn,
        (unsigned long long)s->accepted, (unsigned long long)s->fetched,
        (unsigned long long)s->deleted, (unsigned long long)s->checks);
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int sim_main(int argc, char **argv, const struct sim_program *program)
{
    unsigned long long passed = 0, failed = 0;
    double start = seconds_now();

    state.program = program;
    state.runs = program->default_runs;
    for (int i = 1; i < argc;) {
        if (!take_option(argc, argv, &i)) {
            usage();
            return 2;
        }
    }
    if (state.one)
        state.runs = 1;
    sim_shared = sim_shared_take(sizeof(*sim_shared));
    program->prepare();
    for (uint64_t i = 0; i < state.runs; i++) {
        if (run_seed(state.from + i)) {
            passed++;
            continue;
        }
        failed++;
        printf("seed %llu, boot %u, at %.6f s: %s\n",
               (unsigned long long)(state.from + i), sim_shared->boot,
               (double)sim_shared->failed_ns / 1e9, sim_shared->why);
        print_command(argv, argc, state.from + i);
    }
    print_figures(seconds_now() - start);
    if (program->report != NULL)
        program->report();
    printf("%llu passed, %llu failed\n", passed, failed);
    return failed != 0;
}
