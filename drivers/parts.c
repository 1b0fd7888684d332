/* What the PC is made of, one row after the other: processor, memory, clock,
 * display, watchdogs, PCI functions, USB devices. */
#include "core/bytes.h"
#include "core/machine.h"
#include "drivers/clock.h"
#include "drivers/console/display.h"
#include "drivers/pci.h"
#include "drivers/usb/usb.h"
#include "drivers/watchdog.h"
#include <stdio.h>
#include <string.h>

#define MIB                     (1024 * 1024)
#define BRAND_LEAF              0x80000002u
#define USB_CLASS_OF_INTERFACES 0

/* By class and subclass (PCI Code and ID Assignment, 1); the first row that
 * fits, subclass 0xff: any. */
static const struct {
    uint8_t class, subclass;
    const char *name;
} pci_classes[] = {
    {0x00, 0xff, "device of no class"},
    {0x01, 0x00, "SCSI controller"},
    {0x01, 0x01, "IDE controller"},
    {0x01, 0x04, "RAID controller"},
    {0x01, 0x06, "SATA controller"},
    {0x01, 0x08, "NVMe controller"},
    {0x01, 0xff, "disk controller"},
    {0x02, 0x00, "Ethernet card"},
    {0x02, 0xff, "network card"},
    {0x03, 0x00, "VGA display"},
    {0x03, 0xff, "display"},
    {0x04, 0xff, "sound or video"},
    {0x05, 0xff, "memory"},
    {0x06, 0x00, "host bridge"},
    {0x06, 0x01, "ISA bridge"},
    {0x06, 0x04, "PCI bridge"},
    {0x06, 0xff, "bridge"},
    {0x07, 0x00, "serial line"},
    {0x07, 0xff, "communication"},
    {0x08, 0xff, "system device"},
    {0x09, 0xff, "input device"},
    {0x0b, 0xff, "processor"},
    {0x0c, 0x03, "USB controller"},
    {0x0c, 0x05, "SMBus controller"},
    {0x0c, 0xff, "serial bus"},
    {0x0d, 0xff, "radio"},
    {0x10, 0xff, "encryption"},
    {0x11, 0xff, "signal processing"},
};

/* Interfaces of these have names in USB's list of classes. */
static const struct {
    uint8_t class;
    const char *name;
} usb_classes[] = {
    {0x01, "sound"},  {0x02, "communication"}, {0x03, "keyboard, mouse"},
    {0x06, "camera"}, {0x07, "printer"},       {0x08, "storage"},
    {0x09, "hub"},    {0x0b, "smart card"},    {0x0e, "video"},
    {0xe0, "radio"},  {0xff, "of its maker"},
};

static void set_what(struct machine_part *part, const char *text)
{
    (void)snprintf(part->what, sizeof(part->what), "%s", text);
}

/* ---- The board ------------------------------------------------------------
 */

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]),
                       "=c"(registers[2]), "=d"(registers[3])
                     : "a"(leaf), "c"(0));
}

/* The brand string, without the spaces that some put before it. */
static void describe_processor(struct machine_part *part)
{
    uint32_t words[12], registers[4];
    char brand[sizeof(words) + 1];

    part->kind = "Processor";
    part->driver = "the AO";
    set_what(part, "x86-64");
    cpuid(0x80000000u, registers);
    if (registers[0] < BRAND_LEAF + 2)
        return;
    for (uint32_t i = 0; i < 3; i++)
        cpuid(BRAND_LEAF + i, words + (size_t)4 * i);
    memcpy(brand, words, sizeof(words));
    brand[sizeof(words)] = '\0';
    set_what(part, brand + strspn(brand, " "));
}

static void describe_memory(struct machine_part *part)
{
    part->kind = "Memory";
    part->driver = "the AO";
    (void)snprintf(part->what, sizeof(part->what), "%zu MB below 4 GB",
                   (machine_memory_total() + MIB / 2) / MIB);
}

static void describe_clock(struct machine_part *part)
{
    part->kind = "Clock";
    part->driver = "clock";
    (void)snprintf(part->what, sizeof(part->what), "%llu MHz by %s",
                   (unsigned long long)(clock_hz() / 1000000), clock_source());
}

static void describe_display(struct machine_part *part)
{
    part->kind = "Display";
    part->driver = "screen";
    set_what(part, display_name());
}

static bool describe_watchdog(unsigned index, struct machine_part *part)
{
    const char *name = watchdog_name(index);

    if (name == NULL)
        return false;
    part->kind = "Watchdog";
    part->driver = "watchdog";
    set_what(part, name);
    return true;
}

/* ---- Buses ----------------------------------------------------------------
 */

/* What the driver calls this part, or NULL: it was bound by class. */
static const char *driver_row_name(const struct pci_device *device)
{
    const struct pci_driver *driver = device->driver;

    for (unsigned i = 0; driver != NULL && i < driver->id_count; i++) {
        if (driver->ids[i].vendor_id == device->vendor_id &&
            driver->ids[i].device_id == device->device_id)
            return driver->ids[i].name;
    }
    return NULL;
}

static const char *pci_class_name(uint32_t class_code)
{
    const uint8_t class = (uint8_t)(class_code >> 16);
    const uint8_t subclass = (uint8_t)(class_code >> 8);

    for (size_t i = 0; i < sizeof(pci_classes) / sizeof(pci_classes[0]); i++) {
        if (pci_classes[i].class == class &&
            (pci_classes[i].subclass == subclass ||
             pci_classes[i].subclass == 0xff))
            return pci_classes[i].name;
    }
    return "unknown device";
}

static bool describe_pci(unsigned index, struct machine_part *part)
{
    const struct pci_device *device = pci_device_at(index);
    const char *name;

    if (device == NULL)
        return false;
    part->kind = "PCI";
    part->driver = device->driver != NULL ? device->driver->name : NULL;
    (void)snprintf(part->place, sizeof(part->place), "%02x:%02x.%u",
                   device->bus, device->device, device->function);
    (void)snprintf(part->id, sizeof(part->id), "%04x:%04x", device->vendor_id,
                   device->device_id);
    name = driver_row_name(device);
    set_what(part, name != NULL ? name : pci_class_name(device->class_code));
    return true;
}

static const char *usb_class_name(const struct usb_device *device)
{
    uint8_t class = device->descriptor[4];

    if (class == USB_CLASS_OF_INTERFACES && device->interface_count > 0)
        class = device->interfaces[0].class;
    for (size_t i = 0; i < sizeof(usb_classes) / sizeof(usb_classes[0]); i++) {
        if (usb_classes[i].class == class)
            return usb_classes[i].name;
    }
    return "device";
}

static bool describe_usb(unsigned index, struct machine_part *part)
{
    static const char *const speeds[] = {"1.5 Mbit/s", "12 Mbit/s",
                                         "480 Mbit/s", "5 Gbit/s"};
    const struct usb_device *device = usb_device_at(index);

    if (device == NULL)
        return false;
    part->kind = "USB";
    if (device->interface_count > 0 && device->interfaces[0].driver != NULL)
        part->driver = device->interfaces[0].driver->name;
    (void)snprintf(part->place, sizeof(part->place), "%.7s-%u",
                   device->bus->name, device->port);
    (void)snprintf(part->id, sizeof(part->id), "%04x:%04x",
                   get_le16(device->descriptor + 8),
                   get_le16(device->descriptor + 10));
    (void)snprintf(part->what, sizeof(part->what), "%s, %s",
                   usb_class_name(device), speeds[device->speed & 3]);
    return true;
}

bool machine_part(unsigned index, struct machine_part *part)
{
    static void (*const board[])(struct machine_part * part) = {
        describe_processor,
        describe_memory,
        describe_clock,
        describe_display,
    };
    const unsigned board_count = sizeof(board) / sizeof(board[0]);
    static bool (*const lists[])(unsigned index, struct machine_part *part) = {
        describe_watchdog,
        describe_pci,
        describe_usb,
    };

    memset(part, 0, sizeof(*part));
    if (index < board_count) {
        board[index](part);
        return true;
    }
    index -= board_count;
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        unsigned count = 0;

        while (count <= index && lists[i](count, part))
            count++;
        if (count > index)
            return true;
        index -= count;
        memset(part, 0, sizeof(*part));
    }
    return false;
}
