/* Loading files over the network: fetched by TFTP, checked, then used.
 *
 *   NAME.csv   users: those that are there are changed, others are added,
 *              nobody is removed. A line that is wrong stops it before anything
 *              was changed.
 *   NAME.sql   a script, and any other file: into the folder of shared files.
 *
 * A new AO is not loaded this way: it would have to be written over the old one
 * in its place on the stick, and a power cut in the midst of that would leave a
 * stick that does not boot. mkusb --update does it on a workstation. */
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

/* load_at_start - fetches and uses what the setting "load_at_start" names, one
 * after the other: "ADDRESS/FILE", separated by spaces; as soon as there is a
 * way there. */
void load_at_start(void);

/* load_busy - whether one is under way. load_text - a sentence about it, or
 * about the last one; "" at first. */
bool load_busy(void);
const char *load_text(void);

#endif
