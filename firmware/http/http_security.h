/* What every answer says for the safety of whoever reads it. Nothing is loaded
 * from elsewhere, no script stands in a page, no other site frames one. */
#ifndef HTTP_HTTP_SECURITY_H
#define HTTP_HTTP_SECURITY_H

#define HTTP_SECURITY_ALWAYS                                                   \
    "X-Content-Type-Options: nosniff\r\n"                                      \
    "Cross-Origin-Opener-Policy: same-origin\r\n"                              \
    "Cross-Origin-Resource-Policy: same-origin\r\n"

/* A page may have another one. */
#define HTTP_SECURITY_CONTENT                                                  \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; "         \
    "style-src 'self'; img-src 'self' data:; font-src 'self'; "                \
    "connect-src 'self'; frame-src 'self'; form-action 'self'; "               \
    "manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"

/* With "no-referrer" browsers would say "Origin: null" for our own forms. */
#define HTTP_SECURITY_REFERRER "Referrer-Policy: same-origin\r\n"

#define HTTP_SECURITY                                                          \
    HTTP_SECURITY_ALWAYS HTTP_SECURITY_CONTENT HTTP_SECURITY_REFERRER

#endif
