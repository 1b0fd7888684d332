/* Who a message written in a browser goes to: what was typed into To, Cc and
 * Bcc, taken as RCPT TO is for a user who has logged in (envelope/), with a
 * sentence where it cannot be. */
#ifndef WEB_WEB_ENVELOPE_H
#define WEB_WEB_ENVELOPE_H

#include "envelope/envelope.h"
#include "mailstore/mime/mime_header.h"
#include "mailstore/store.h"

#define WEB_WHY_BYTES 600

struct web_envelope {
    struct envelope all;
    struct envelope_lists lists; /* of all that was added */
    uint64_t bytes_max;          /* of the message */
    char why[WEB_WHY_BYTES];     /* a sentence, when something is wrong */

    struct mime_address address; /* its own */
};

/* web_envelope_begin - empty. Counts one message of the user's.
 * Returns OK, or ERR_BUSY with why: he has sent too much.
 * web_envelope_end - gives back what it holds; also of one that is all zeros.
 */
enum err web_envelope_begin(struct web_envelope *envelope,
                            int64_t user_id) MUST_CHECK;
void web_envelope_end(struct web_envelope *envelope);

/* web_envelope_add - all addresses of a list as it was typed. Returns OK, or an
 * error with why. */
enum err web_envelope_add(struct web_envelope *envelope, int64_t user_id,
                          const char *list) MUST_CHECK;

/* web_address_next - the next address of a typed list: as mime_address_next(),
 * but the name alone of somebody here is his address. address.address is ""
 * when it is none. */
bool web_address_next(struct mime_span *rest, struct mime_address *address);

#endif
