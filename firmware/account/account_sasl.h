/* What SASL's mechanisms PLAIN (RFC 4616) and LOGIN say, for the protocols that
 * have them in AUTH. */
#ifndef ACCOUNT_ACCOUNT_SASL_H
#define ACCOUNT_ACCOUNT_SASL_H

#include "account/account.h"
#include <stdbool.h>
#include <stddef.h>

/* A decoded response: two names, a password, and what stands between them. */
#define ACCOUNT_SECRET_BYTES 900

/* What clients are asked for by LOGIN, in base64: "Username:", "Password:". */
#define ACCOUNT_PROMPT_NAME     "VXNlcm5hbWU6"
#define ACCOUNT_PROMPT_PASSWORD "UGFzc3dvcmQ6"

/* account_sasl_plain - fills name and password from a response of PLAIN:
 * [authorization identity] NUL name NUL password. Returns false when it is
 * none, or asks to act for another: nobody may. */
bool account_sasl_plain(struct account_login *login, const char *response,
                        size_t len);

/* account_sasl_name, account_sasl_password - fill one of them from a response
 * of LOGIN. Return false when it is empty or too long, or holds a NUL. */
bool account_sasl_name(struct account_login *login, const char *response,
                       size_t len);
bool account_sasl_password(struct account_login *login, const char *response,
                           size_t len);

#endif
