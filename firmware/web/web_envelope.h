/* Who a message written in a browser goes to: what was typed into To, Cc and
 * Bcc, resolved as RCPT TO is for a user who has logged in (smtp/): addresses
 * of ours to mailboxes and on, all others into the outgoing queue. The limits
 * of users who send, quotas and limits of domains are the same. */
#ifndef WEB_WEB_ENVELOPE_H
#define WEB_WEB_ENVELOPE_H

#include "mailstore/mime/mime_header.h"
#include "mailstore/store.h"

#define WEB_WHY_BYTES 600

struct web_envelope {
    int64_t users[STORE_RECIPIENTS_MAX];
    struct store_remote remotes[STORE_RECIPIENTS_MAX];
    unsigned user_count, remote_count;
    bool utf8;               /* an address elsewhere is (RFC 6531) */
    uint64_t max_bytes;      /* of the message, 0: no limit of a domain's own */
    char why[WEB_WHY_BYTES]; /* a sentence, when something is wrong */

    /* Its own. */
    char texts[12288]; /* addresses of remotes */
    size_t texts_bytes;
    struct mime_address address;
};

/* web_envelope_begin - empty. Counts one message of the user's.
 * Returns OK, or ERR_BUSY with why: he has sent too much. */
enum err web_envelope_begin(struct web_envelope *envelope,
                            int64_t user_id) MUST_CHECK;

/* web_envelope_add - all addresses of a list as it was typed. Returns OK, or an
 * error with why. */
enum err web_envelope_add(struct web_envelope *envelope, int64_t user_id,
                          const char *list) MUST_CHECK;

/* web_address_next - the next address of a typed list: as mime_address_next(),
 * but the name alone of somebody here is his address. address.address is ""
 * when it is none. */
bool web_address_next(struct mime_span *rest, struct mime_address *address);

#endif
