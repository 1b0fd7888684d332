/* The watchdog within Intel's south bridges from ICH6 to the 9 series (TCO
 * timer; ICH9 data sheet 316972, sections 13.9 and 10.1.75).
 *
 * Its ports lie 60h behind those of power management; it counts in 0.6 s. It
 * restarts the PC only while NO_REBOOT is clear, a bit that the firmware sets
 * and that some boards strap: then it is of no use and is left alone.
 *
 * Not supported: ICH to ICH5 (another place for NO_REBOOT), the 100 series and
 * later, where that bit is hidden behind the P2SB. */
#include "drivers/watchdog.h"
#include <stddef.h>

#define VENDOR           0x8086u
#define CLASS_ISA_BRIDGE 0x060100u

/* Configuration space of the bridge. */
#define PM_BASE         0x40u
#define PM_BASE_MASK    0xff80u
#define ACPI_CONTROL    0x44u
#define ACPI_ENABLED    0x80u
#define ROOT_BASE       0xf0u
#define ROOT_ENABLED    0x01u
#define ROOT_BASE_MASK  0xffffc000u
#define ROOT_BYTES      0x4000u
#define GENERAL_CONTROL 0x3410u
#define NO_REBOOT       0x20u

/* Ports. */
#define TCO              0x60u
#define TCO_RELOAD       0x00u
#define TCO_STATUS1      0x04u
#define STATUS1_TIMEOUT  0x0008u
#define TCO_STATUS2      0x06u
#define STATUS2_SECOND   0x0002u
#define STATUS2_BOOT     0x0004u
#define TCO_CONTROL1     0x08u
#define CONTROL1_HALT    0x0800u
#define CONTROL1_NMI_NOW 0x0100u /* written as 1 it acts */
#define TCO_TIMER        0x12u
#define STAGE_TICKS      ((WATCHDOG_STAGE_S * 10 + 5) / 6)

/* Which bridges have it where this file looks. */
static const struct {
    uint16_t first, last;
} bridges[] = {
    {0x2640, 0x2642}, /* ICH6 */
    {0x27b8, 0x27bd}, /* ICH7 */
    {0x2810, 0x2815}, /* ICH8 */
    {0x2912, 0x2919}, /* ICH9 */
    {0x3a14, 0x3a1a}, /* ICH10 */
    {0x3b00, 0x3b1f}, /* 5 series */
    {0x1c40, 0x1c5f}, /* 6 series */
    {0x1d40, 0x1d41}, /* C600 */
    {0x1e40, 0x1e5f}, /* 7 series */
    {0x8c40, 0x8c5f}, /* 8 series */
    {0x9c40, 0x9c47}, /* 8 series, mobile */
    {0x8cc0, 0x8cc9}, /* 9 series */
    {0x9cc0, 0x9cc9}, /* 9 series, mobile */
    {0x8d40, 0x8d5f}, /* C610 */
};

static struct watchdog_itco_state {
    uint16_t port;
} state;

static bool is_known(const struct pci_device *device)
{
    if (device->vendor_id != VENDOR || device->class_code != CLASS_ISA_BRIDGE)
        return false;
    for (size_t i = 0; i < sizeof(bridges) / sizeof(bridges[0]); i++) {
        if (device->device_id >= bridges[i].first &&
            device->device_id <= bridges[i].last)
            return true;
    }
    return false;
}

/* Clears NO_REBOOT; false when it stays. */
static bool let_restart(const struct pci_device *device)
{
    const uint32_t root = pci_read32(device, ROOT_BASE);
    struct io_region registers;
    uint32_t control;

    if (!(root & ROOT_ENABLED))
        return false;
    registers = io_map(root & ROOT_BASE_MASK, ROOT_BYTES);
    if (registers.base == 0)
        return false;
    control = io_read32(&registers, GENERAL_CONTROL);
    io_write32(&registers, GENERAL_CONTROL, control & ~NO_REBOOT);
    return !(io_read32(&registers, GENERAL_CONTROL) & NO_REBOOT);
}

static void halt(bool halted)
{
    const uint16_t control = io_in16((uint16_t)(state.port + TCO_CONTROL1)) &
                             (uint16_t) ~(CONTROL1_HALT | CONTROL1_NMI_NOW);

    io_out16((uint16_t)(state.port + TCO_CONTROL1),
             (uint16_t)(control | (halted ? CONTROL1_HALT : 0)));
}

/* A first count that has ended meanwhile is taken back, too. */
static void feed(void)
{
    io_out16((uint16_t)(state.port + TCO_STATUS1), STATUS1_TIMEOUT);
    io_out16((uint16_t)(state.port + TCO_RELOAD), 1);
}

static bool start(const struct pci_device *device, bool *fired)
{
    uint16_t port;

    if (!is_known(device) ||
        !(pci_read8(device, ACPI_CONTROL) & ACPI_ENABLED) ||
        !let_restart(device))
        return false;
    port = (uint16_t)((pci_read32(device, PM_BASE) & PM_BASE_MASK) + TCO);
    state.port = port;
    halt(true);
    *fired = (io_in16((uint16_t)(port + TCO_STATUS2)) & STATUS2_SECOND) != 0;
    io_out16((uint16_t)(port + TCO_STATUS2), STATUS2_SECOND);
    io_out16((uint16_t)(port + TCO_STATUS2), STATUS2_BOOT);
    io_out16((uint16_t)(port + TCO_TIMER), STAGE_TICKS);
    feed();
    halt(false);
    return true;
}

static void stop(void)
{
    halt(true);
}

const struct watchdog watchdog_itco = {
    .name = "iTCO",
    .start = start,
    .feed = feed,
    .stop = stop,
};
