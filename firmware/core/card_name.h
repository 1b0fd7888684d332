/* How a network card is named in the setting "card". Header only: mkusb checks
 * it as well. */
#ifndef CORE_CARD_NAME_H
#define CORE_CARD_NAME_H

#include <stdbool.h>

/* Whether every x of the pattern is a hexadecimal digit, and the rest the same.
 */
static inline bool card_name_has_shape(const char *value, const char *pattern)
{
    for (; *pattern != '\0'; pattern++, value++) {
        const bool digit = (*value >= '0' && *value <= '9') ||
                           (*value >= 'a' && *value <= 'f') ||
                           (*value >= 'A' && *value <= 'F');

        if (*pattern == 'x' ? !digit : *pattern != *value)
            return false;
    }
    return *value == '\0';
}

/* card_name_valid - an address like 52:54:00:12:34:56, a place in the PC like
 * 03:00.0, or "": whichever has link. */
static inline bool card_name_valid(const char *value)
{
    return *value == '\0' || card_name_has_shape(value, "xx:xx:xx:xx:xx:xx") ||
           card_name_has_shape(value, "xx:xx.x");
}

#endif
