/* mkusb --users and mkusb --update. */
#ifndef MKUSB_MAKE_STICK_H
#define MKUSB_MAKE_STICK_H

#include "core/err.h"
#include "mkusb/options.h"

/* make_stick - writes a new stick. Users, options and target are checked and
 * the whole stick is made in memory before the first byte of the target is
 * written. update_stick - renews boot loader, menu and AO; mail.db and its WAL
 * are not touched.
 * ao: path of the AO. OK, or ERR_REFUSED after having said why. */
enum err make_stick(const struct options *options, const char *ao) MUST_CHECK;
enum err update_stick(const struct options *options, const char *ao) MUST_CHECK;

#endif
