/* Grammar of SMTP arguments (RFC 5321 4.1.2 and 4.1.3). Pure functions. */
#ifndef SMTP_SMTP_PATH_H
#define SMTP_SMTP_PATH_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_LOCAL_MAX  64  /* RFC 5321 4.5.3.1.1 */
#define SMTP_DOMAIN_MAX 255 /* RFC 5321 4.5.3.1.2 */
#define SMTP_PATH_MAX   256 /* RFC 5321 4.5.3.1.3, with its brackets */

/* One reverse-path or forward-path; points into the line. */
struct smtp_path {
    const char *mailbox; /* as written, without brackets and source route */
    size_t mailbox_len;  /* 0: the null path <> */
    const char *domain;  /* name or "[literal]" */
    size_t domain_len;   /* 0: none was given */
    char local[SMTP_LOCAL_MAX]; /* without quotes */
    size_t local_len;
    bool utf8; /* it has characters beyond ASCII (RFC 6531) */
};

/* smtp_path_parse - reads "<...>" at *at and moves *at behind it. A mailbox
 * without domain is let through: the caller knows whether it may be.
 * Returns OK; ERR_INVALID (syntax), ERR_TOO_BIG (one of the limits). */
enum err smtp_path_parse(const char **at, const char *end,
                         struct smtp_path *path) MUST_CHECK;

/* smtp_domain_valid - Domain, with "_" tolerated as in the DNS. */
bool smtp_domain_valid(const char *text, size_t len);

/* smtp_literal_valid - "[...]", an address-literal. */
bool smtp_literal_valid(const char *text, size_t len);

#endif
