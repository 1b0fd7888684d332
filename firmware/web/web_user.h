/* What a user has chosen for the webmail, as texts in the store. */
#ifndef WEB_WEB_USER_H
#define WEB_WEB_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define WEB_SIGNATURE "signature"

/* web_user_text - false, and "", when nothing was chosen. */
bool web_user_text(struct store *store, int64_t user_id, const char *key,
                   char *text, size_t bytes);

#endif
