/* Numbers with as many digits as there is room for: see figure.h. */
#include "menu/figure.h"
#include <stdio.h>

/* No counter ever gets that far. */
#define LARGEST 9999u

char *figure_count(uint64_t count, char *text)
{
    static const char units[] = "kMGT";
    unsigned unit = 0;

    if (count < 100000) {
        (void)snprintf(text, FIGURE_BYTES, "%u", (unsigned)count);
        return text;
    }
    for (count /= 1000; count >= 10000 && unit < 3; unit++)
        count /= 1000;
    if (count > LARGEST)
        count = LARGEST;
    (void)snprintf(text, FIGURE_BYTES, "%u%c", (unsigned)count, units[unit]);
    return text;
}

char *figure_bytes(uint64_t bytes, char *text)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    unsigned unit = 0;

    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    if (bytes > LARGEST)
        bytes = LARGEST;
    (void)snprintf(text, FIGURE_BYTES, "%u %s", (unsigned)bytes, units[unit]);
    return text;
}
