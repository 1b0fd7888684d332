/* ESMTP parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152, 3030),
 * SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY, ORCPT (RFC 3461), AUTH (RFC 4954).
 * Pure functions. */
#ifndef SMTP_SMTP_PARAMETERS_H
#define SMTP_SMTP_PARAMETERS_H

#include "core/err.h"
#include "mailstore/store.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_ENVID_MAX 100 /* RFC 3461 4.4 */
#define SMTP_ORCPT_MAX 500 /* RFC 3461 4.2 */

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };

/* Texts point into the line, as they were written. */
struct smtp_parameters {
    uint64_t size; /* 0: not given */
    const char *envid, *orcpt;
    size_t envid_len, orcpt_len; /* 0: not given */
    enum smtp_body body;         /* SMTP_BODY_7BIT when not given */
    enum store_return returning;
    uint8_t notify; /* STORE_NOTIFY_* */
    bool smtputf8;
};

/* smtp_parameters_parse - the words behind the path of MAIL (for_mail) or RCPT.
 * Returns OK; ERR_INVALID (malformed, twice, bad value); ERR_UNSUPPORTED
 * (keyword not known for this command). */
enum err smtp_parameters_parse(const char *text, size_t len, bool for_mail,
                               struct smtp_parameters *parameters) MUST_CHECK;

#endif
