/* mkusb --list: the USB sticks that are plugged in, through libusb.
 *
 * Descriptors are read from the kernel's copy and need no rights. The strings
 * in them need the device opened (root, or a udev rule); where that is denied
 * the kernel's copies in /sys are taken, and what neither gives is shown as
 * "?". Size and device node are those of the block device that hangs on the
 * same bus and port. A reader with several cards has a line for each. */
#include "mkusb/list.h"
#include "mkusb/say.h"
#include "mkusb/sysfs.h"
#include <dirent.h>
#include <libusb-1.0/libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTS_MAX 7 /* USB 3.2, 8.9: tiers */

struct stick {
    unsigned bus, address;
    uint16_t vendor_id, product_id;
    char vendor[128], product[128], serial[128];
    char *usb_folder; /* in /sys, NULL when it is not there */
};

/* A disk, or a device whose interfaces are storage (class 8: mass storage). */
static bool is_storage(libusb_device *device,
                       const struct libusb_device_descriptor *descriptor)
{
    struct libusb_config_descriptor *config = NULL;
    bool found = descriptor->bDeviceClass == LIBUSB_CLASS_MASS_STORAGE;

    if (found || libusb_get_config_descriptor(device, 0, &config) != 0)
        return found;
    for (unsigned i = 0; i < config->bNumInterfaces; i++) {
        const struct libusb_interface *interface = &config->interface[i];

        for (int k = 0; k < interface->num_altsetting; k++)
            if (interface->altsetting[k].bInterfaceClass ==
                LIBUSB_CLASS_MASS_STORAGE)
                found = true;
    }
    libusb_free_config_descriptor(config);
    return found;
}

/* "/sys/bus/usb/devices/1-4.2", resolved. */
static char *find_usb_folder(libusb_device *device, unsigned bus)
{
    uint8_t port[PORTS_MAX];
    int ports = libusb_get_port_numbers(device, port, PORTS_MAX);
    char name[64], *path, *folder;
    int at;

    if (ports <= 0)
        return NULL;
    at = snprintf(name, sizeof(name), "%u-%u", bus, port[0]);
    for (int i = 1; i < ports; i++)
        at += snprintf(name + at, sizeof(name) - (size_t)at, ".%u", port[i]);
    path = sysfs_join("/sys/bus/usb/devices", name);
    folder = path == NULL ? NULL : realpath(path, NULL);
    free(path);
    return folder;
}

static void read_string(libusb_device_handle *handle, uint8_t index,
                        const struct stick *stick, const char *attribute,
                        char text[128])
{
    unsigned char *bytes = (unsigned char *)text;

    text[0] = '\0';
    if (handle != NULL && index != 0 &&
        libusb_get_string_descriptor_ascii(handle, index, bytes, 127) > 0) {
        for (char *at = text; *at != '\0'; at++)
            if ((unsigned char)*at < 0x20 || *at == 0x7F)
                *at = '?';
        return;
    }
    text[0] = '\0';
    if (stick->usb_folder != NULL)
        sysfs_read(stick->usb_folder, attribute, text, 128);
    if (text[0] == '\0')
        snprintf(text, 128, "?");
}

static void print_stick(const struct stick *stick, const char *size,
                        const char *node)
{
    printf("%03u:%03u  %04x:%04x  %-12s  %10s  %s %s  serial %s\n", stick->bus,
           stick->address, stick->vendor_id, stick->product_id, node, size,
           stick->vendor, stick->product, stick->serial);
}

/* One line for each block device that hangs on the stick. */
static void print_disks(const struct stick *stick)
{
    DIR *folder = opendir("/sys/block");
    const struct dirent *entry;
    size_t len = stick->usb_folder == NULL ? 0 : strlen(stick->usb_folder);
    unsigned lines = 0;

    while (folder != NULL && len > 0 && (entry = readdir(folder)) != NULL) {
        char *path = sysfs_join("/sys/block", entry->d_name);
        char *disk = path == NULL ? NULL : realpath(path, NULL);
        char size[SAY_SIZE_BYTES], node[300];

        free(path);
        if (disk != NULL && strncmp(disk, stick->usb_folder, len) == 0 &&
            disk[len] == '/') {
            uint64_t bytes = sysfs_number(disk, "size", 0) * 512;

            snprintf(node, sizeof(node), "/dev/%s", entry->d_name);
            print_stick(stick, bytes == 0 ? "no medium" : say_size(bytes, size),
                        node);
            lines++;
        }
        free(disk);
    }
    if (folder != NULL)
        closedir(folder);
    if (lines == 0)
        print_stick(stick, "?", "no device");
}

/* Returns whether its strings could not be asked for lack of rights. */
static bool list_device(libusb_device *device,
                        const struct libusb_device_descriptor *descriptor)
{
    libusb_device_handle *handle = NULL;
    struct stick stick = {
        .bus = libusb_get_bus_number(device),
        .address = libusb_get_device_address(device),
        .vendor_id = descriptor->idVendor,
        .product_id = descriptor->idProduct,
    };
    int opened = libusb_open(device, &handle);

    if (opened != 0)
        handle = NULL;
    stick.usb_folder = find_usb_folder(device, stick.bus);
    read_string(handle, descriptor->iManufacturer, &stick, "manufacturer",
                stick.vendor);
    read_string(handle, descriptor->iProduct, &stick, "product", stick.product);
    read_string(handle, descriptor->iSerialNumber, &stick, "serial",
                stick.serial);
    print_disks(&stick);
    if (handle != NULL)
        libusb_close(handle);
    free(stick.usb_folder);
    return opened == LIBUSB_ERROR_ACCESS;
}

static void list_devices(libusb_device **device, ssize_t count)
{
    struct libusb_device_descriptor descriptor;
    unsigned sticks = 0;
    bool denied = false;

    for (ssize_t i = 0; i < count; i++) {
        if (libusb_get_device_descriptor(device[i], &descriptor) != 0 ||
            !is_storage(device[i], &descriptor))
            continue;
        if (sticks++ == 0)
            printf("BUS:DEV  VENDOR:PR  DEVICE        %10s  NAME\n", "SIZE");
        denied |= list_device(device[i], &descriptor);
    }
    if (sticks == 0)
        printf("No USB storage is plugged in.\n");
    if (denied)
        say_line("mkusb: some devices could not be opened without root; their "
                 "names are those that the kernel keeps, \"?\" is unknown");
}

enum err list_sticks(void)
{
    libusb_context *context = NULL;
    libusb_device **device = NULL;
    ssize_t count;
    int code = libusb_init(&context);

    /* Without a single USB controller there is no /dev/bus/usb to look in. */
    if (code == LIBUSB_ERROR_OTHER || code == LIBUSB_ERROR_NOT_FOUND ||
        code == LIBUSB_ERROR_NO_DEVICE) {
        printf("No USB storage is plugged in.\n");
        say_line("mkusb: this machine shows no USB bus at all (libusb: %s)",
                 libusb_strerror(code));
        return OK;
    }
    if (code != 0)
        return say_refused("USB cannot be asked: libusb: %s",
                           libusb_strerror(code));
    count = libusb_get_device_list(context, &device);
    if (count < 0) {
        libusb_exit(context);
        return say_refused("USB cannot be asked: libusb: %s",
                           libusb_strerror((int)count));
    }
    list_devices(device, count);
    libusb_free_device_list(device, 1);
    libusb_exit(context);
    return OK;
}
