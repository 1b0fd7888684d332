/* Static files of the AO: answered where they lie, in the pass in which the
 * request came. Everything of their heads but date and connection was made when
 * the AO was built. Most are in the AO packed only, and unpacked at start. */
#include "http/http_asset.h"
#include "core/check.h"
#include "core/inflate.h"
#include "core/memory.h"
#include "http/http_internal.h"
#include "http/http_security.h"
#include <string.h>

#define FOLDER "/assets/"

static struct {
    const uint8_t **plain; /* of each asset */
} state;

/* Ours: what does not unpack was not built right. */
static const uint8_t *unpack(const struct http_asset *asset, uint8_t *memory)
{
    size_t got = 0;
    enum err err =
        inflate_gzip(asset->gzip, asset->gzip_len, memory, asset->len, &got);

    ASSERT(!err && got == asset->len);
    return memory;
}

enum err http_asset_init(void)
{
    size_t bytes = 0;
    uint8_t *memory;

    for (unsigned i = 0; i < http_asset_count; i++)
        bytes += http_assets[i].gzip ? http_assets[i].len : 0;
    state.plain = memory_take(
        "web files", http_asset_count * sizeof(*state.plain) + bytes, 64);
    if (!state.plain)
        return ERR_MEMORY;
    memory = (uint8_t *)(state.plain + http_asset_count);
    for (unsigned i = 0; i < http_asset_count; i++) {
        const struct http_asset *asset = &http_assets[i];

        state.plain[i] = asset->gzip ? unpack(asset, memory) : asset->bytes;
        memory += asset->gzip ? asset->len : 0;
    }
    return OK;
}

static const struct http_asset *find(const char *path)
{
    size_t len = strlen(path) + 1;

    for (unsigned i = 0; i < http_asset_count; i++)
        if (http_assets[i].path_len == len &&
            memcmp(http_assets[i].path, path, len) == 0)
            return &http_assets[i];
    return NULL;
}

/* "v=" and the begin of its tag: the address names this very content. */
static bool names_content(const struct http_exchange *x,
                          const struct http_asset *asset)
{
    const char *query = http_head_text(&x->head, x->head.query);

    return query && strncmp(query, "v=", 2) == 0 &&
           strlen(query + 2) == HTTP_ASSET_VERSION &&
           memcmp(query + 2, asset->etag + 1, HTTP_ASSET_VERSION) == 0;
}

void http_asset_url(struct http_exchange *x, const char *name)
{
    char path[64] = FOLDER;
    const struct http_asset *asset;

    http_text(x, FOLDER);
    http_url(x, name);
    if (strlen(name) + sizeof(FOLDER) > sizeof(path))
        return;
    memcpy(path + sizeof(FOLDER) - 1, name, strlen(name) + 1);
    asset = find(path);
    if (asset) {
        http_text(x, "?v=");
        http_write(x, asset->etag + 1, HTTP_ASSET_VERSION);
    }
}

/* The usual one: 200 with all of it. */
static void answer_whole(struct http_exchange *x,
                         const struct http_asset *asset, bool gzip)
{
    struct text text;
    size_t len;
    const char *date = http_answer_date(&len);

    x->status = 200;
    x->length = LENGTH_KNOWN;
    text_init(&text, x->answer, sizeof(x->answer));
    if (gzip)
        text_bytes(&text, asset->head_gzip, asset->head_gzip_len);
    else
        text_bytes(&text, asset->head, asset->head_len);
    text_string(&text, names_content(x, asset)
                           ? "Cache-Control: max-age=31536000, immutable\r\n"
                           : "Cache-Control: no-cache\r\n");
    text_bytes(&text, date, len);
    http_answer_end(x, &text);
    x->answer_len = (uint16_t)text.len;
    x->composed = true;
    if (x->head_only)
        return;
    x->fixed = gzip ? asset->gzip : state.plain[asset - http_assets];
    x->fixed_left = gzip ? asset->gzip_len : asset->len;
}

/* With conditions; false: it is to be answered as ever. Ranges are of the file
 * as it is: what is compressed has a tag of its own. */
static bool answer_condition(struct http_exchange *x,
                             const struct http_asset *asset, bool gzip)
{
    const char *etag = gzip ? asset->etag_gzip : asset->etag;
    uint64_t first, bytes;

    if (gzip && http_condition(&x->head, asset->gzip_len, etag, 0, &first,
                               &bytes) == CONDITION_WHOLE)
        return false;
    http_begin(x, 200, asset->type);
    http_header(x, "Cache-Control", "no-cache");
    http_header(x, "Vary", "Accept-Encoding");
    if (http_length(x, asset->len, etag, 0, &first, &bytes)) {
        x->fixed = state.plain[asset - http_assets] + first;
        x->fixed_left = (size_t)bytes;
    }
    http_answer_compose(x);
    return true;
}

bool http_asset_serve(struct http_exchange *x)
{
    static const struct http_route route = {.methods = HTTP_GET};
    const struct http_head *head = &x->head;
    const struct http_asset *asset = find(head->bytes + head->path);
    bool gzip;

    if (!asset)
        return false;
    if (head->method != METHOD_GET && head->method != METHOD_HEAD) {
        x->route = &route;
        return false;
    }
    http_count()->assets++;
    gzip = asset->gzip && !head->field[FIELD_RANGE] &&
           http_list_has(http_head_field(head, FIELD_ACCEPT_ENCODING), "gzip");
    if ((!head->field[FIELD_IF_NONE_MATCH] && !head->field[FIELD_RANGE] &&
         !head->field[FIELD_IF_MATCH]) ||
        !answer_condition(x, asset, gzip))
        answer_whole(x, asset, gzip);
    return true;
}
