/* Base64 (RFC 4648 section 4), as SASL has it: padded, without line ends. */
#ifndef PROTOCOL_BASE64_H
#define PROTOCOL_BASE64_H

#include "protocol/text.h"
#include <stddef.h>

/* base64_decode - returns how many bytes it gave; -1: not base64, or it gives
 * more than `room`. No bytes are good. */
int base64_decode(const char *text, size_t len, void *bytes, size_t room);

/* base64_put - appends what the bytes are in base64. */
void base64_put(struct text *text, const void *bytes, size_t len);

#endif
