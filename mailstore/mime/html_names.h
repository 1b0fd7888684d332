/* Character references of HTML by name, made by html_names.py. */
#ifndef MIME_HTML_NAMES_H
#define MIME_HTML_NAMES_H

#include <stdint.h>

/* Names in the order of their bytes, each with NUL behind it; where each
 * begins; the character it stands for. */
extern const char html_name_text[];
extern const uint16_t html_name_offsets[];
extern const uint16_t html_name_codes[];
extern const unsigned html_name_count;

#endif
