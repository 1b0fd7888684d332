/* Reads attributes of /sys. They are untrusted only in so far as a USB device
 * chooses its own names: what is not printable is shown as '?'. */
#include "mkusb/sysfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *sysfs_join(const char *folder, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static void trim(char *text)
{
    size_t len = strlen(text), start = strspn(text, " \t\n");

    while (len > start && strchr(" \t\n", text[len - 1]) != NULL)
        len--;
    memmove(text, text + start, len - start);
    text[len - start] = '\0';
    for (char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            *at = '?';
}

bool sysfs_read(const char *folder, const char *name, char *text, size_t bytes)
{
    char *path = sysfs_join(folder, name);
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    size_t got;

    free(path);
    text[0] = '\0';
    if (file == NULL)
        return false;
    got = fread(text, 1, bytes - 1, file);
    text[got] = '\0';
    fclose(file);
    trim(text);
    return true;
}

uint64_t sysfs_number(const char *folder, const char *name, uint64_t fallback)
{
    char text[32], *end = text;
    uint64_t value;

    if (!sysfs_read(folder, name, text, sizeof(text)))
        return fallback;
    value = strtoull(text, &end, 10);
    return end == text || *end != '\0' ? fallback : value;
}

bool sysfs_exists(const char *folder, const char *name)
{
    char *path = sysfs_join(folder, name);
    bool exists = path != NULL && access(path, F_OK) == 0;

    free(path);
    return exists;
}

char *sysfs_usb_folder(const char *folder)
{
    char *path = strdup(folder);
    char *slash;

    while (path != NULL && (slash = strrchr(path, '/')) != NULL) {
        /* Root hubs have an idVendor as well, and no disk right under them. */
        if (sysfs_exists(path, "idVendor") && sysfs_exists(path, "devnum"))
            return path;
        *slash = '\0';
    }
    free(path);
    return NULL;
}

void sysfs_describe_usb(const char *usb_folder, char *text, size_t bytes)
{
    char vendor[64], product[64], serial[64];

    if (!sysfs_read(usb_folder, "manufacturer", vendor, sizeof(vendor)))
        sysfs_read(usb_folder, "idVendor", vendor, sizeof(vendor));
    if (!sysfs_read(usb_folder, "product", product, sizeof(product)))
        sysfs_read(usb_folder, "idProduct", product, sizeof(product));
    sysfs_read(usb_folder, "serial", serial, sizeof(serial));
    snprintf(text, bytes, "%s %s%s%s%s", vendor, product,
             serial[0] == '\0' ? "" : " (serial ", serial,
             serial[0] == '\0' ? "" : ")");
}
