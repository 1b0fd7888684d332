/* The simulated PC: firmware/core/machine.h for a Linux process.
 *
 * The complete AO runs in a child process of the test program ("a boot"), on a
 * virtual clock, wire and stick; whatever looks like chance is drawn from
 * streams of one seed, so that a run can be repeated exactly. What outlives a
 * power cut (the sticks, the ledger of what was answered) lies in memory shared
 * with the parent.
 *
 * Everything happens in one thread: the AO calls machine_poll() each turn,
 * which fires the events that are due; machine_idle() moves the clock on to the
 * next event. Peers, links and sticks are nothing but events. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_US     1000ull
#define SIM_MS     1000000ull
#define SIM_SECOND 1000000000ull

/* ---- Chance ------------------------------------------------------------ */

/* xoshiro256** (Blackman, Vigna), one generator per purpose: a further draw in
 * one place shifts no other. */
struct sim_random {
    uint64_t s[4];
};

void sim_random_init(struct sim_random *random, uint64_t seed,
                     const char *stream, uint64_t index);
uint64_t sim_random_u64(struct sim_random *random);
/* Uniform in 0 .. limit - 1, limit > 0; in low .. high. */
uint64_t sim_random_below(struct sim_random *random, uint64_t limit);
uint64_t sim_random_range(struct sim_random *random, uint64_t low,
                          uint64_t high);
/* True in `ppm` of a million cases. */
bool sim_random_chance(struct sim_random *random, uint32_t ppm);
void sim_random_fill(struct sim_random *random, void *buffer, size_t bytes);

/* ---- Clock ------------------------------------------------------------- */

struct sim_event {
    uint64_t at_ns;
    uint64_t order; /* of events at the same time: first come, first served */
    size_t place;   /* in the heap, from 1; 0: not pending */
    void (*fire)(struct sim_event *event);
};

#define SIM_ELEMENT(pointer, type, member)                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

void sim_event_init(struct sim_event *event,
                    void (*fire)(struct sim_event *event));
/* Fires once, delay_ns from now; restarts a pending event. */
void sim_event_start(struct sim_event *event, uint64_t delay_ns);
void sim_event_stop(struct sim_event *event);

uint64_t sim_now(void);
/* The processor has been busy for that long. */
void sim_clock_spend(uint64_t ns);
/* Fires what is due. Returns whether there was anything. */
bool sim_clock_run(void);
/* Moves the clock to the next event or the deadline, what comes first. */
void sim_clock_sleep(uint64_t deadline_ns);

/* ---- A run ------------------------------------------------------------- */

struct sim_options {
    uint64_t seed;
    bool verbose;
    const char *pcap;  /* file to write frames to, or NULL */
    const char *image; /* file to write the stick to after the run, or NULL */
    const char *command_line;
    size_t memory_bytes;
    uint64_t limit_ns; /* virtual: a boot that lasts longer has failed */
    bool restart_expected;
};

extern struct sim_options sim_options;

/* Shared with the parent. */
struct sim_shared {
    bool failed;
    char why[1024];
    uint64_t failed_ns;
    unsigned boot; /* number of this boot in the run */
    uint64_t digest;
    uint64_t virtual_ns; /* of all boots */
    uint64_t boots, cuts;
    uint64_t frames_in, frames_out, frames_lost;
    uint64_t disk_reads, disk_writes, disk_flushes;
    uint64_t writes_kept, writes_lost, writes_torn;
    uint64_t accepted, fetched, deleted;
    uint64_t checks;
};

extern struct sim_shared *sim_shared;

/* sim_shared_take - zeroed memory that boots and parent share. */
void *sim_shared_take(size_t bytes);

/* sim_note - a line of the verbose log, with the virtual time before it. */
void sim_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* sim_fail - the run has failed: records why and ends the boot. */
_Noreturn void sim_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* sim_finish - ends the boot in order. sim_power_cut - ends it by taking the
 * power away from PC and sticks. */
_Noreturn void sim_finish(void);
_Noreturn void sim_power_cut(void);

/* sim_digest - mixes an observation into the run's digest, by which two runs of
 * one seed are compared. */
void sim_digest(const void *data, size_t bytes);

/* sim_boot - forks; the child calls prepare(context) and then the AO's
 * ao_main(). Returns whether it ended by sim_finish() or sim_power_cut(). */
bool sim_boot(void (*prepare)(void *context), void *context);

/* sim_child - forks; the child calls work(context) and ends. For host code that
 * must not leave anything in the parent (SQLite). */
bool sim_child(void (*work)(void *context), void *context);

struct sim_program {
    const char *name;
    unsigned default_runs;
    /* Once, before the runs. */
    void (*prepare)(void);
    /* One run of sim_options.seed; in the parent. True: passed. */
    bool (*run)(void);
    /* An option "--name" with its value (NULL: none follows). Returns how many
     * arguments it took, 0 when it knows no such option. */
    int (*option)(const char *name, const char *value);
    void (*report)(void); /* figures, before the closing line */
    const char *help;
};

int sim_main(int argc, char **argv, const struct sim_program *program);

/* ---- Machine and console ----------------------------------------------- */

/* sim_machine_start - in the child, before prepare(). */
void sim_machine_start(void);
/* For host code that wants random numbers: another `index`, other ones. */
void sim_machine_entropy(uint64_t index);
/* turn: called at the begin of each turn of the AO's loop. */
void sim_machine_watch(void (*turn)(void));
void sim_console_key(int key);
/* The screen as text, 25 lines. Valid until the next call. */
const char *sim_console_text(void);
/* Whether a text stands on the screen, or came over the serial line. */
bool sim_console_shows(const char *text);
bool sim_serial_has(const char *text);
const char *sim_serial_text(void);
/* Where in it the text of a panic begins. */
size_t sim_serial_mark(void);

#endif
