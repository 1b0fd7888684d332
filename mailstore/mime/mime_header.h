/* Fields of a header that stands in memory: found, unfolded, decoded to UTF-8
 * (RFC 5322, 2047, 2231, 6532, and what programs make of them).
 *
 * Text that comes out is always well-formed UTF-8 in one line, without control
 * characters and without characters that turn the direction of writing, ends in
 * NUL, and is cut between characters when there is no room. */
#ifndef MIME_MIME_HEADER_H
#define MIME_MIME_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes in somebody else's memory; not NUL-terminated. */
struct mime_span {
    const char *text;
    size_t len;
};

/* ---- Fields ------------------------------------------------------------- */

/* mime_field_next - the next field of a header. rest: the header (or a message;
 * the walk ends with its header), moved on with each call. name: without the
 * colon. value: as it stands, with its folds, without space at both ends.
 * Returns false when there is none any more. */
bool mime_field_next(struct mime_span *rest, struct mime_span *name,
                     struct mime_span *value);

/* mime_field - the first field of that name (caseless). Returns false, with an
 * empty value, when there is none. */
bool mime_field(const void *header, size_t len, const char *name,
                struct mime_span *value);

/* mime_text - an unstructured field (Subject, Comments) as text: unfolded,
 * encoded words decoded, bytes over 127 taken for UTF-8 where they are, else
 * for windows-1252. Returns the length of text; room is at least 1. */
size_t mime_text(struct mime_span value, char *text, size_t room);

/* mime_field_text - the first field of that name as text; "" without one. */
size_t mime_field_text(const void *header, size_t len, const char *name,
                       char *text, size_t room);

/* ---- Addresses ---------------------------------------------------------- */

#define MIME_NAME    256
#define MIME_ADDRESS 321 /* 64@255 and NUL */

struct mime_address {
    char name[MIME_NAME];       /* "" when none is given */
    char address[MIME_ADDRESS]; /* "" for the name of a group without members */
};

/* mime_address_next - the next address of a list: From, To, Cc, Reply-To.
 * Groups give their members, an empty one its name; routes are dropped. A
 * comment behind an address is its name when it has no other. What is no
 * address at all comes as a name with an empty address.
 * rest: the value, moved on. Returns false at the end. */
bool mime_address_next(struct mime_span *rest, struct mime_address *address);

/* ---- Date, message ids -------------------------------------------------- */

/* mime_date - a date of RFC 5322 3.3 and 4.3, also of RFC 850 and asctime form,
 * as Unix time in ms, and its zone in minutes east of UTC. Returns false when
 * it is none. */
bool mime_date(struct mime_span value, int64_t *unix_ms, int *zone);

/* mime_id_next - the next message id of Message-ID, In-Reply-To or References,
 * without < >; phrases between them are skipped. Returns false at the end. */
bool mime_id_next(struct mime_span *rest, struct mime_span *id);

/* mime_subject_base - the subject without Re:, Fwd: and list tags in front (RFC
 * 5256 2.1, with the usual words of other languages), for threads. Returns a
 * part of the text. */
struct mime_span mime_subject_base(const char *subject);

#endif
