/* Unpacking what gzip has packed (RFC 1951, RFC 1952), from memory to memory.
 * Its checksum is not looked at: whoever needs to know has a better one. */
#ifndef CORE_INFLATE_H
#define CORE_INFLATE_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* inflate_is_packed - whether it begins as a file of gzip does. */
bool inflate_is_packed(const uint8_t *in, size_t in_bytes);

/* inflate_gzip - unpacks one member of a gzip file; what follows is not read.
 * *got: the bytes at `out`, also with an error.
 * Returns OK; ERR_TOO_BIG when `room` is used up before the end, ERR_INVALID
 * when it is malformed or ends too early: then those bytes are right. */
enum err inflate_gzip(const uint8_t *in, size_t in_bytes, uint8_t *out,
                      size_t room, size_t *got) MUST_CHECK;

#endif
