/* Making messages, as a stream: header fields first, then the body or the
 * parts. All that comes out is ASCII in lines that end in CRLF, of at most 78
 * characters where the content allows it and never more than 998, so that it
 * can go anywhere: RFC 5322, 2045-2047, 2231, 3676.
 *
 * Order of calls for a message with attachments:
 *   mime_make_begin
 *   mime_make_date, _text, _addresses..., _ids     the header
 *   mime_make_multipart("mixed")
 *     mime_make_flowed                             the text
 *     mime_make_file (or _message), _data ... , _file_end   each file
 *   mime_make_end
 * and without: the header, mime_make_flowed, mime_make_end.
 * A failed write is remembered; everything after it does nothing, and
 * mime_make_end returns it. */
#ifndef MIME_MIME_MAKE_H
#define MIME_MIME_MAKE_H

#include "mailstore/mime/mime.h"

#define MIME_MAKE_DEPTH 4
#define MIME_MAKE_OUT   512

struct mime_make {
    uint32_t bytes; /* written so far; the result */

    /* The generator's own. */
    struct mime_sink sink;
    enum err error;
    uint64_t random;     /* boundaries are made of it */
    const char *list;    /* field of the addresses that are being written */
    uint16_t list_count; /* of them */
    uint16_t column;     /* in the line */
    uint8_t depth;       /* open multiparts */
    uint8_t serial;      /* of the last multipart */
    uint8_t serials[MIME_MAKE_DEPTH];
    bool ended;       /* there is a body */
    uint8_t encoding; /* of the open part: enum mime_encoding */
    uint8_t held[3];  /* base64: of the next three; quoted-printable: a space */
    uint8_t held_bytes;
    uint16_t out_bytes;
    char out[MIME_MAKE_OUT];
};

/* mime_make_begin - random: 64 bits nobody can guess, new for each message. */
void mime_make_begin(struct mime_make *make, const struct mime_sink *sink,
                     uint64_t random);

/* ---- Header fields ------------------------------------------------------ */

/* mime_make_text - an unstructured field, from UTF-8. Line ends in it become
 * spaces, as in all below: no text can add a field. */
void mime_make_text(struct mime_make *make, const char *field,
                    const char *text);

/* mime_make_date - Date, from Unix time, with the zone in minutes east. */
void mime_make_date(struct mime_make *make, int64_t unix_ms, int zone);

/* mime_make_addresses, _address, _addresses_end - a field of addresses, one by
 * one. field: until the end. name: in UTF-8, may be "". address: local@domain,
 * ASCII, or UTF-8 for those who have SMTPUTF8 (this alone then is not ASCII). A
 * list without an address writes nothing. */
void mime_make_addresses(struct mime_make *make, const char *field);
void mime_make_address(struct mime_make *make, const char *name,
                       const char *address);
void mime_make_addresses_end(struct mime_make *make);

/* mime_make_ids - Message-ID, In-Reply-To, References: message ids without < >,
 * separated by spaces. None writes nothing. */
void mime_make_ids(struct mime_make *make, const char *field, const char *ids);

/* mime_make_id - writes a new message id without < > into id: 128 random bits
 * and the host's name. Returns id. */
#define MIME_MAKE_ID 300
char *mime_make_id(char id[MIME_MAKE_ID], uint64_t random_a, uint64_t random_b,
                   const char *host);

/* ---- Body --------------------------------------------------------------- */

/* mime_make_multipart - opens a multipart (subtype: "mixed") as the body, or as
 * the next part, at most MIME_MAKE_DEPTH deep. mime_make_multipart_end closes
 * the innermost; mime_make_end closes all. */
void mime_make_multipart(struct mime_make *make, const char *subtype);
void mime_make_multipart_end(struct mime_make *make);

/* mime_make_flowed - text/plain; format=flowed: the body, or the next part.
 * text: UTF-8, lines end in LF or CRLF, a line is a paragraph of any length;
 * lines with ">" in front are quotes, and stay so when they are wrapped. */
void mime_make_flowed(struct mime_make *make, const char *text, size_t len);

/* mime_make_file, _data, _file_end - a file as the next part (or as the body),
 * in base64. type: "" for application/octet-stream; of its parameters a text's
 * charset is kept ("text/csv; charset=koi8-r"), the others are dropped, and a
 * message is sent as such a file, since it must not be encoded as what it
 * is. name: in UTF-8, "" for none. content_id: without < >, NULL for none; with
 * one the file is inline. */
void mime_make_file(struct mime_make *make, const char *type, const char *name,
                    const char *content_id);
void mime_make_data(struct mime_make *make, const void *bytes, size_t len);
void mime_make_file_end(struct mime_make *make);

/* mime_make_message - a message (message/rfc822) as the next part, as it
 * stands: mime_make_fits must have said so. Its bytes by mime_make_data, then
 * mime_make_file_end. */
void mime_make_message(struct mime_make *make, const char *name);

/* mime_make_fits - whether a message can stand in another as it is: ASCII
 * without NUL, in lines of at most 998. Returns 1, 0, or the source's error. */
int mime_make_fits(const struct mime_source *source);

/* mime_make_end - closes what is open. Returns OK or the first error of the
 * sink. make->bytes is the size of the message. */
enum err mime_make_end(struct mime_make *make) MUST_CHECK;

#endif
