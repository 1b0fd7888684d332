#ifndef MKUSB_LIST_H
#define MKUSB_LIST_H

#include "core/err.h"

/* list_sticks - prints every USB storage device with bus address, vendor,
 * product, serial, size and device node to stdout (mkusb --list).
 * Returns OK, also when there is none, or ERR_REFUSED after having said why USB
 * cannot be asked. */
enum err list_sticks(void) MUST_CHECK;

#endif
