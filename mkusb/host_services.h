/* What the shared rooms (mailstore, userdb, core) want of the machine they run
 * on, given by a workstation: memory for SQLite, clock, entropy, the texts of
 * failed checks. */
#ifndef MKUSB_HOST_SERVICES_H
#define MKUSB_HOST_SERVICES_H

#include "core/err.h"
#include <stddef.h>

/* host_services_init - memory for the store and for password hashes; call
 * before anything of mailstore or userdb. OK, or ERR_REFUSED after having said
 * that memory is out. */
enum err host_services_init(void) MUST_CHECK;

/* host_random - from the kernel's generator, which never fails once the
 * machine has started. */
void host_random(void *buffer, size_t bytes);

#endif
