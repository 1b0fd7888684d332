/* Loading files over the network: fetched by TFTP, checked, then used.
 *
 *   NAME.csv   users: those that are there are changed, as far as the file has
 *              columns for it, others are added, nobody is removed or enabled
 *              again. A line that is wrong stops it before anything was
 *              changed.
 *   NAME.sql   a script, and any other file: into the folder of shared files.
 *   NAME.update  a new version of Barepost, from `make`: into the spare slot of
 *              the stick (mailstore/slots.h), checked there; it starts next
 *              time when an administrator says so by load_install(). Mail is
 *              served all the while. */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "core/err.h"
#include "net/address.h"
#include <stdbool.h>

/* load_init - takes memory for one file. Returns OK or ERR_MEMORY. */
enum err load_init(void) MUST_CHECK;

/* load_begin - fetches a file from a server and uses it. Returns OK, ERR_BUSY
 * (another one is under way), ERR_INVALID (name), ERR_NOT_FOUND (no way
 * there). */
enum err load_begin(const struct net_address *server,
                    const char *file) MUST_CHECK;

/* load_install - the version that was fetched last becomes the one that starts
 * from the next start on, and the one that runs becomes the previous version;
 * back: the previous version does. Checked again before. Returns OK, or
 * ERR_BUSY (something is under way); the rest is told by load_text(). */
enum err load_install(bool back) MUST_CHECK;

/* load_at_start - fetches and uses what the setting "load_at_start" names, one
 * after the other: "ADDRESS/FILE", separated by spaces; as soon as there is a
 * way there. Programs are left out: see load_install(). */
void load_at_start(void);

/* load_busy - whether one is under way. load_text - a sentence about it, or
 * about the last one; "" at first. */
bool load_busy(void);
const char *load_text(void);

#endif
