/* What the files that make messages share. */
#ifndef MIME_MAKE_INTERNAL_H
#define MIME_MAKE_INTERNAL_H

#include "mailstore/mime/mime_make.h"

/* make_put, make_string - out as it stands; keeps the column. */
void make_put(struct mime_make *make, const char *text, size_t len);
void make_string(struct mime_make *make, const char *text);

/* make_words - UTF-8 as encoded words (RFC 2047), folded, from the column on.
 */
void make_words(struct mime_make *make, const char *text, size_t len);

/* make_ascii - whether all of it is printable ASCII, with spaces. */
bool make_ascii(const char *text, size_t len);

/* make_encode - content of the open part through its transfer encoding: lines
 * of text end in CRLF. make_encode_end: what is held back. */
void make_encode(struct mime_make *make, const char *bytes, size_t len);
void make_encode_end(struct mime_make *make);

/* make_entity - a body or part begins: MIME-Version, or the delimiter. */
void make_entity(struct mime_make *make);

#endif
