/* Static files: those of firmware/web/assets are in the AO. */
#ifndef HTTP_HTTP_ASSET_H
#define HTTP_HTTP_ASSET_H

#include "core/err.h"
#include <stdint.h>

struct http_exchange;

/* Characters of a tag that make an address of its own for each content. */
#define HTTP_ASSET_VERSION 8

struct http_asset {
    const char *path; /* "/assets/style.css" */
    const char *type;
    const char *etag, *etag_gzip; /* in quotes */
    const char *head, *head_gzip; /* of an answer, up to its date */
    const uint8_t *bytes, *gzip;  /* one of them is NULL */
    uint32_t len, gzip_len;
    uint16_t path_len; /* with NUL */
    uint16_t head_len, head_gzip_len;
};

/* Made of firmware/web/assets by assets.py when the AO is built. */
extern const struct http_asset http_assets[];
extern const unsigned http_asset_count;

/* http_asset_init - unpacks what is packed, for clients that cannot.
 * Returns OK or ERR_MEMORY. */
enum err http_asset_init(void) MUST_CHECK;

/* http_asset_url - writes the address of a file by its name, such that browsers
 * keep it until its content changes. */
void http_asset_url(struct http_exchange *x, const char *name);

#endif
