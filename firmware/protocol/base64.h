/* Base64 (RFC 4648 section 4), as SASL has it: padded, without line ends. */
#ifndef PROTOCOL_BASE64_H
#define PROTOCOL_BASE64_H

#include <stddef.h>

/* base64_decode - returns how many bytes it gave; -1: not base64, or it gives
 * more than `room`. No bytes are good. */
int base64_decode(const char *text, size_t len, void *bytes, size_t room);

#endif
