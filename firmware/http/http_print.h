/* Escaping into short texts. */
#ifndef HTTP_HTTP_PRINT_H
#define HTTP_HTTP_PRINT_H

#include "protocol/text.h"

/* http_escape_put - as text in HTML, also in quoted attributes. http_url_put -
 * percent-encoded, slashes as they are. */
void http_escape_put(struct text *text, const char *string);
void http_url_put(struct text *text, const char *string);

#endif
