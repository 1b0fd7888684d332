/* The machine seam: all that the AO knows of the world.
 *
 * Two things implement it: drivers/ (a real PC) and tests/sim/ (a simulated PC:
 * virtual clock, wire and stick, all decided by one seed). Everything is called
 * from the one thread of the AO; nothing here waits. Interrupt handlers of the
 * real PC only end machine_idle(). */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include "core/err.h"
#include "core/iobuf.h"
#include "core/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- The loop ---------------------------------------------------------- */

/* machine_poll - lets the devices move on: finishes disk requests (their done()
 * runs inside this call), notices sticks and links that come and go, empties
 * the serial queue. Called by MT each turn. Returns true when anything
 * happened, so that MT does not idle. */
bool machine_poll(void);

/* machine_idle - sleeps until a device has something or the monotonic clock
 * reaches deadline_ns (UINT64_MAX: no deadline). May return early. */
void machine_idle(uint64_t deadline_ns);

/* machine_command_line - what the boot loader passed, e.g. "mode=run". */
const char *machine_command_line(void);

/* ---- Memory ------------------------------------------------------------ */

/* machine_memory_take - zeroed, physically contiguous, below 4 GiB, never given
 * back; NULL when there is not so much. Use memory_take() of core/memory.h. */
void *machine_memory_take(size_t bytes, size_t alignment);
size_t machine_memory_left(void);

/* machine_memory_total - what there was of it before anything was taken. */
size_t machine_memory_total(void);

/* machine_memory_read - copies bytes from any virtual address, for the memory
 * dump; at most 16, within one multiple of 16. Returns false where there is no
 * memory: nothing is mapped, or registers, which reading might change. */
bool machine_memory_read(uint64_t address, void *buffer, size_t bytes);

/* machine_stack_take - the lowest address of a stack of `bytes` (a multiple of
 * 4096) with an unmapped page below it; NULL when there is not so much. */
void *machine_stack_take(size_t bytes);

/* ---- Clock, entropy, power --------------------------------------------- */

/* Nanoseconds since start; never goes back. */
uint64_t machine_monotonic_ns(void);

/* Milliseconds since 1970-01-01 UTC, as the PC's clock has it, or as it was
 * set last by machine_wall_clock_set(). */
int64_t machine_wall_clock_ms(void);
void machine_wall_clock_set(int64_t unix_ms);

/* Fills buffer from RDSEED/RDRAND where there is one, else from jitter. */
void machine_entropy(void *buffer, size_t bytes);

_Noreturn void machine_restart(void);
_Noreturn void machine_power_off(void);

/* machine_power_button - whether the PC's power button was pressed since the
 * last call. To be asked a few times a second. */
bool machine_power_button(void);

/* machine_watchdog_feed - MT is alive. Once a second; when it is not called for
 * 20 s, a PC with a watchdog restarts. */
void machine_watchdog_feed(void);

/* ---- Parts ------------------------------------------------------------- */

/* Something that the PC is made of, for people. */
struct machine_part {
    const char *kind;   /* "Processor", "PCI", "USB" */
    char place[16];     /* where it is: "00:1f.2"; may be "" */
    char id[12];        /* "8086:100e"; may be "" */
    char what[64];      /* what it is */
    const char *driver; /* what drives it, NULL: nothing does */
};

/* machine_part - the index-th part; false behind the last. */
bool machine_part(unsigned index, struct machine_part *part);

/* ---- Network card ------------------------------------------------------ */

#define MACHINE_NIC_PLACE_BYTES 8

struct machine_nic_info {
    const char *name;                    /* "Intel 82540EM" */
    char place[MACHINE_NIC_PLACE_BYTES]; /* in the PC: "03:00.0" */
    uint8_t address[6];
    bool present;
    bool serving; /* frames go through this one */
    bool link_up;
    uint32_t speed_mbit; /* 0: not known */
    uint64_t frames_in, frames_out;
    uint64_t bytes_in, bytes_out;
    uint64_t errors_in; /* received broken, or no buffer free */
    uint64_t errors_out;
};

/* machine_nic_send - queues one Ethernet frame: header first, without FCS, 14
 * to 1514 bytes; short frames are padded by the card or driver. The card takes
 * a reference of its own and gives it up when the frame is out; until then the
 * caller must not change the bytes.
 * Returns false when the queue is full or there is no card: nothing taken. */
bool machine_nic_send(struct iobuf *frame);

/* machine_nic_receive - the next received frame, or NULL. The caller owns the
 * reference. data points at the Ethernet header; FCS is removed. */
struct iobuf *machine_nic_receive(void);

/* machine_nic_join - frames to this group address are to be received, too; the
 * last one given counts. Others may come as well: the card's filter is coarse.
 */
void machine_nic_join(const uint8_t group[6]);

/* machine_nic_info - the card that serves, its link and its figures. */
void machine_nic_info(struct machine_nic_info *info);

/* machine_nic_at - the index-th card of the PC; false behind the last. */
bool machine_nic_at(unsigned index, struct machine_nic_info *info);

/* machine_nic_choose - which card serves: by its address "52:54:00:12:34:56" or
 * its place. "", or a card that is not there: the first one with link, for as
 * long as it has link. */
void machine_nic_choose(const char *card);

/* ---- Disks (sticks) ---------------------------------------------------- */

#define MACHINE_DISKS        4
#define MACHINE_SECTOR_BYTES 512

struct machine_disk_info {
    bool present;
    bool read_only;
    uint32_t generation; /* grows each time something is plugged in here */
    uint64_t sectors;    /* of MACHINE_SECTOR_BYTES */
    char vendor[9];      /* from INQUIRY, space-trimmed */
    char product[17];
    char serial[33];
    uint64_t reads, writes, flushes;
    uint64_t bytes_read, bytes_written;
    uint64_t errors;
};

enum machine_disk_operation {
    MACHINE_DISK_READ,
    MACHINE_DISK_WRITE,
    MACHINE_DISK_FLUSH, /* everything written before it is durable after it */
};

/* One request. The memory belongs to the caller and must stay until done() was
 * called, which happens exactly once for each accepted request, from
 * machine_poll(). Requests of one disk are carried out in the order in which
 * they were submitted. */
struct machine_disk_request {
    struct list link; /* for the driver while it is queued */
    enum machine_disk_operation operation;
    unsigned disk; /* 0 .. MACHINE_DISKS - 1 */
    uint64_t sector;
    uint32_t sectors; /* at most MACHINE_DISK_SECTORS_MAX */
    void *buffer;     /* memory_take() memory or the AO's own */
    enum err result;  /* OK, ERR_IO, ERR_GONE, ERR_REFUSED
                         (write-protected), ERR_INVALID */
    void (*done)(struct machine_disk_request *request);
    void *context; /* for the caller */
};

/* A request may be this long; the driver splits it as the stick needs. */
#define MACHINE_DISK_SECTORS_MAX 2048

/* machine_disk_submit - starts a request; failures, too, come by done(). */
void machine_disk_submit(struct machine_disk_request *request);

/* machine_disk_info - state and figures of one disk place; present is false
 * where there is none. */
void machine_disk_info(unsigned disk, struct machine_disk_info *info);

/* ---- Console ----------------------------------------------------------- */

#define MACHINE_ROWS    25
#define MACHINE_COLUMNS 80

/* One character on the screen: code page 437, and a VGA text attribute
 * (foreground bits 0-3, background bits 4-6). */
struct machine_cell {
    uint8_t character;
    uint8_t attribute;
};

/* machine_screen_write - shows `count` cells of one row from a column on. */
void machine_screen_write(unsigned row, unsigned column,
                          const struct machine_cell *cells, unsigned count);

/* machine_screen_cursor - places the cursor; row MACHINE_ROWS hides it. */
void machine_screen_cursor(unsigned row, unsigned column);

/* machine_serial_write - queues bytes for COM1; returns how many fitted. */
size_t machine_serial_write(const void *bytes, size_t count);

/* machine_serial_read - the next byte from COM1, or -1. */
int machine_serial_read(void);

/* Keys of the keyboard: ASCII as typed (13 Enter, 27 Esc, 8 Backspace, 9 Tab),
 * or one of these. */
enum machine_key {
    KEY_NONE = 0,
    KEY_UP = 0x100,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_INSERT,
    KEY_DELETE,
    KEY_F1,
    KEY_F2,
    KEY_F3,
    KEY_F4,
    KEY_F5,
    KEY_F6,
    KEY_F7,
    KEY_F8,
    KEY_F9,
    KEY_F10,
    KEY_F11,
    KEY_F12,
};

/* machine_key_read - the next key from a keyboard, or KEY_NONE. */
int machine_key_read(void);

/* machine_emergency_write - last words: puts text on screen and serial at once,
 * by waiting if need be, without using any queue. */
void machine_emergency_write(const char *text);

/* machine_fail - the AO cannot go on: shows what has happened, the calls that
 * led here and the last log lines, keeps all that over the restart, leaves a
 * person some seconds to photograph it, restarts. */
_Noreturn void machine_fail(const char *what);

/* machine_last_failure - what machine_fail(), or an exception, had to say
 * before this start: lines with a line feed behind each; NULL when there was
 * none. Told once: the start after this one does not know it any more. */
const char *machine_last_failure(void);

#endif
