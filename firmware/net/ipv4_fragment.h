/* Putting IPv4 fragments together again (RFC 791 3.2, RFC 815). */
#ifndef NET_IPV4_FRAGMENT_H
#define NET_IPV4_FRAGMENT_H

#include "core/err.h"
#include <stddef.h>
#include <stdint.h>

/* The longest datagram that is put together, without its IP header. */
#define IPV4_REASSEMBLED_BYTES 8192

/* ipv4_fragment_module_init - takes the memory; once. */
enum err ipv4_fragment_module_init(void) MUST_CHECK;

/* ipv4_fragment_add - one fragment.
 * header: its checked IP header of header_bytes; payload behind it.
 * Returns the whole payload, *total bytes long and with the first fragment's
 * header of *first_bytes in front of it, or NULL when parts are missing. The
 * memory is valid until the next call. */
const uint8_t *ipv4_fragment_add(const uint8_t *header, size_t header_bytes,
                                 size_t payload_bytes, size_t *first_bytes,
                                 size_t *total);

#endif
