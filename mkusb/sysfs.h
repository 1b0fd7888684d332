/* What Linux says of block devices and USB devices in /sys. */
#ifndef MKUSB_SYSFS_H
#define MKUSB_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* sysfs_read - the attribute folder/name as one line without spaces at its
 * ends. Returns false, and "" in text, when it cannot be read. */
bool sysfs_read(const char *folder, const char *name, char *text, size_t bytes);

/* sysfs_number - the attribute as a decimal number; fallback when there is
 * none. */
uint64_t sysfs_number(const char *folder, const char *name, uint64_t fallback);

bool sysfs_exists(const char *folder, const char *name);

/* sysfs_join - "folder/name", to be freed; NULL when memory is out. */
char *sysfs_join(const char *folder, const char *name);

/* sysfs_usb_folder - the folder of the USB device that a device's real folder
 * lies under, to be freed; NULL when it hangs on no USB. */
char *sysfs_usb_folder(const char *folder);

/* sysfs_describe_usb - "SanDisk Ultra (serial 4C53...)" of such a folder. */
void sysfs_describe_usb(const char *usb_folder, char *text, size_t bytes);

#endif
