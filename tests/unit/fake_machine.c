/* A machine for unit tests: memory, a clock that the test moves, entropy that
 * is the same in each run, and no devices. Every function is weak: a test that
 * wants another behaviour defines its own. */
#include "tests/unit/fake_machine.h"
#include "core/machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WEAK         __attribute__((weak))
#define MEMORY_LIMIT ((size_t)1 << 30)

struct fake_machine fake_machine;

WEAK bool machine_poll(void)
{
    return false;
}

WEAK void machine_idle(uint64_t deadline_ns)
{
    if (deadline_ns != UINT64_MAX && deadline_ns > fake_machine.now_ns)
        fake_machine.now_ns = deadline_ns;
}

WEAK const char *machine_command_line(void)
{
    return "";
}

WEAK void *machine_memory_take(size_t bytes, size_t alignment)
{
    void *memory = NULL;

    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    if (fake_machine.memory_taken + bytes > MEMORY_LIMIT ||
        posix_memalign(&memory, alignment, bytes) != 0)
        return NULL;
    fake_machine.memory_taken += bytes;
    memset(memory, 0, bytes);
    return memory;
}

WEAK size_t machine_memory_left(void)
{
    return MEMORY_LIMIT - fake_machine.memory_taken;
}

WEAK void *machine_stack_take(size_t bytes)
{
    uint8_t *memory = mmap(NULL, bytes + 4096, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_NONE) != 0)
        return NULL;
    return memory + 4096;
}

WEAK uint64_t machine_monotonic_ns(void)
{
    return fake_machine.now_ns;
}

WEAK int64_t machine_wall_clock_ms(void)
{
    return fake_machine.wall_clock_offset_ms +
           (int64_t)(fake_machine.now_ns / 1000000);
}

WEAK void machine_wall_clock_set(int64_t unix_ms)
{
    fake_machine.wall_clock_offset_ms =
        unix_ms - (int64_t)(fake_machine.now_ns / 1000000);
}

WEAK void machine_entropy(void *buffer, size_t bytes)
{
    uint8_t *out = buffer;

    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(fake_machine.entropy++ * 167 + 13);
}

WEAK _Noreturn void machine_restart(void)
{
    printf("machine_restart\n");
    exit(3);
}

WEAK _Noreturn void machine_power_off(void)
{
    printf("machine_power_off\n");
    exit(4);
}

WEAK _Noreturn void machine_fail(const char *what)
{
    printf("%s\n", what);
    fflush(stdout);
    abort();
}

WEAK const char *machine_last_failure(void)
{
    return NULL;
}

WEAK void machine_emergency_write(const char *text)
{
    fputs(text, stdout);
}

WEAK bool machine_nic_send(struct iobuf *frame)
{
    (void)frame;
    return false;
}

WEAK struct iobuf *machine_nic_receive(void)
{
    return NULL;
}

WEAK void machine_nic_join(const uint8_t group[6])
{
    (void)group;
}

WEAK void machine_nic_info(struct machine_nic_info *info)
{
    memset(info, 0, sizeof(*info));
}

WEAK bool machine_nic_at(unsigned index, struct machine_nic_info *info)
{
    (void)index;
    memset(info, 0, sizeof(*info));
    return false;
}

WEAK void machine_nic_choose(const char *card)
{
    (void)card;
}

WEAK void machine_disk_submit(struct machine_disk_request *request)
{
    (void)request;
    abort();
}

WEAK void machine_disk_info(unsigned disk, struct machine_disk_info *info)
{
    (void)disk;
    memset(info, 0, sizeof(*info));
}

WEAK void machine_screen_write(unsigned row, unsigned column,
                               const struct machine_cell *cells, unsigned count)
{
    (void)row;
    (void)column;
    (void)cells;
    (void)count;
}

WEAK void machine_screen_cursor(unsigned row, unsigned column)
{
    (void)row;
    (void)column;
}

WEAK size_t machine_serial_write(const void *bytes, size_t count)
{
    (void)bytes;
    return count;
}

WEAK int machine_serial_read(void)
{
    return -1;
}

WEAK int machine_key_read(void)
{
    return KEY_NONE;
}

WEAK bool machine_power_button(void)
{
    return false;
}

WEAK void machine_watchdog_feed(void)
{
}

WEAK size_t machine_memory_total(void)
{
    return MEMORY_LIMIT;
}

WEAK bool machine_memory_read(uint64_t address, void *buffer, size_t bytes)
{
    (void)address;
    (void)buffer;
    (void)bytes;
    return false;
}

WEAK bool machine_part(unsigned index, struct machine_part *part)
{
    (void)index;
    (void)part;
    return false;
}
