/* Error numbers of the whole AO.
 *
 * Functions that can fail return enum err, or an int that is a count when it is
 * not negative and an enum err when it is. There is no errno. */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stdbool.h>

enum err {
    OK = 0,
    ERR_INVALID = -1,      /* what came from outside is malformed */
    ERR_MEMORY = -2,       /* a fixed pool is used up for the moment */
    ERR_FULL = -3,         /* the medium or the store has no room left */
    ERR_NOT_FOUND = -4,    /* there is no such thing */
    ERR_EXISTS = -5,       /* it is already there */
    ERR_IO = -6,           /* a device reported a failure */
    ERR_GONE = -7,         /* the device was removed, the peer went away */
    ERR_TIMEOUT = -8,      /* no answer in time */
    ERR_BUSY = -9,         /* in use by somebody else: try later */
    ERR_CORRUPT = -10,     /* stored data contradicts itself */
    ERR_VERSION = -11,     /* made by another version of Barepost */
    ERR_REFUSED = -12,     /* understood, and not allowed */
    ERR_TOO_BIG = -13,     /* over a fixed limit */
    ERR_UNSUPPORTED = -14, /* a device or request this code does not handle */
    ERR_RESET = -15,       /* the peer has reset the connection */
};

/* For every function whose result says whether it worked. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* err_text - a short English phrase for an error, e.g. "no room left".
 * Never NULL, also for numbers that are not in the list. */
const char *err_text(int error);

/* err_unreadable - whether something that is stored cannot be had: it is
 * damaged, or the medium does not give it back. */
static inline bool err_unreadable(int error)
{
    return error == ERR_CORRUPT || error == ERR_IO;
}

#endif
