/* The watchdog of the Intel 6300ESB (data sheet 300641, chapter 16), which is
 * also the one that hypervisors offer on PCI.
 *
 * Registers are written one at a time, each after the two unlocking writes.
 * Its time base is the PCI clock divided by 2^15: about a millisecond. */
#include "drivers/watchdog.h"

#define VENDOR 0x8086u
#define DEVICE 0x25abu

/* Configuration space. */
#define CONFIG 0x60u
#define CONFIG_NO_INTERRUPT                                                    \
    0x03u /* at the first stage; restart at the second */
#define LOCK        0x68u
#define LOCK_LOCKED 0x01u
#define LOCK_ENABLE 0x02u

/* Memory. */
#define TIMER1          0x00u
#define TIMER2          0x04u
#define RELOAD          0x0cu
#define RELOAD_NOW      0x0100u
#define RELOAD_TIMEOUT  0x0200u /* has fired; written to clear */
#define UNLOCK_FIRST    0x80u
#define UNLOCK_SECOND   0x86u
#define TICKS_OF_SECOND 1024u

static struct watchdog_i6300esb_state {
    struct pci_device device;
    struct io_region registers;
} state;

static void unlock(void)
{
    io_write16(&state.registers, RELOAD, UNLOCK_FIRST);
    io_write16(&state.registers, RELOAD, UNLOCK_SECOND);
}

static void feed(void)
{
    unlock();
    io_write16(&state.registers, RELOAD, RELOAD_NOW);
}

static void set_timers(void)
{
    unlock();
    io_write32(&state.registers, TIMER1, WATCHDOG_STAGE_S * TICKS_OF_SECOND);
    unlock();
    io_write32(&state.registers, TIMER2, WATCHDOG_STAGE_S * TICKS_OF_SECOND);
}

static bool map(const struct pci_device *device)
{
    uint64_t base, bytes;
    bool is_io;

    if (pci_bar(device, 0, &base, &bytes, &is_io) != OK || is_io)
        return false;
    state.registers = io_map(base, 16);
    return state.registers.base != 0;
}

static bool start(const struct pci_device *device, bool *fired)
{
    if (device->vendor_id != VENDOR || device->device_id != DEVICE)
        return false;
    pci_write16(device, PCI_COMMAND,
                pci_read16(device, PCI_COMMAND) | PCI_COMMAND_MEMORY);
    /* Locked, it runs as the firmware wants it: not ours to feed. */
    if (!map(device) || (pci_read8(device, LOCK) & LOCK_LOCKED))
        return false;
    state.device = *device;
    pci_write8(device, LOCK, 0);
    *fired = (io_read16(&state.registers, RELOAD) & RELOAD_TIMEOUT) != 0;
    unlock();
    io_write16(&state.registers, RELOAD, RELOAD_TIMEOUT);
    pci_write16(device, CONFIG, CONFIG_NO_INTERRUPT);
    set_timers();
    pci_write8(device, LOCK, LOCK_ENABLE);
    feed();
    return true;
}

static void stop(void)
{
    feed();
    pci_write8(&state.device, LOCK, 0);
}

const struct watchdog watchdog_i6300esb = {
    .name = "i6300esb",
    .start = start,
    .feed = feed,
    .stop = stop,
};
