/* The head of an answer. */
#include "http/http_internal.h"
#include "core/machine.h"
#include "http/http_security.h"
#include <strings.h>
#include <string.h>

static struct {
    int64_t second;
    char date[40];
    size_t date_len;
} state;

const char *http_answer_date(size_t *len)
{
    int64_t now = machine_wall_clock_ms();

    if (now / 1000 != state.second || state.date_len == 0) {
        state.second = now / 1000;
        memcpy(state.date, "Date: ", 6);
        http_date_put(now, state.date + 6);
        memcpy(state.date + 35, "\r\n", 3);
        state.date_len = 37;
    }
    *len = state.date_len;
    return state.date;
}

static void put_length(const struct http_exchange *x, struct text *text)
{
    if (x->status == 204 || x->status == 304)
        return;
    if (x->length == LENGTH_CHUNKED) {
        text_string(text, "Transfer-Encoding: chunked\r\n");
    } else if (x->length == LENGTH_KNOWN) {
        text_string(text, "Content-Length: ");
        text_decimal(text, x->announced);
        text_string(text, "\r\n");
    }
}

static void put_policies(const struct http_exchange *x, struct text *text)
{
    text_string(text, HTTP_SECURITY_ALWAYS);
    if (!x->has_csp)
        text_string(text, HTTP_SECURITY_CONTENT);
    if (!x->has_referrer)
        text_string(text, HTTP_SECURITY_REFERRER);
    if (!x->has_cache)
        text_string(text, "Cache-Control: no-store\r\n");
}

void http_answer_end(const struct http_exchange *x, struct text *text)
{
    if (x->close_after)
        text_string(text, "Connection: close\r\n");
    else if (x->head.minor == 0)
        text_string(text, "Connection: keep-alive\r\n");
    text_string(text, "\r\n");
}

void http_answer_compose(struct http_exchange *x)
{
    struct text text;
    size_t len;
    const char *date = http_answer_date(&len);

    text_init(&text, x->answer, sizeof(x->answer));
    text_string(&text, "HTTP/1.1 ");
    text_decimal(&text, x->status);
    text_string(&text, " ");
    text_string(&text, http_status_text(x->status));
    text_string(&text, "\r\n");
    text_bytes(&text, date, len);
    put_policies(x, &text);
    if (x->type[0]) {
        text_string(&text, "Content-Type: ");
        text_string(&text, x->type);
        text_string(&text, "\r\n");
    }
    text_bytes(&text, x->extra, x->extra_len);
    put_length(x, &text);
    http_answer_end(x, &text);
    x->answer_len = (uint16_t)text.len;
    x->answer_sent = 0;
    x->composed = true;
}

/* ---- What pages say -------------------------------------------------------
 */

/* A page that begins again, say with an error, has not said anything. */
void http_begin(struct http_exchange *x, unsigned status, const char *type)
{
    size_t len = type ? strlen(type) : 0;

    if (x->composed)
        return;
    http_out_drop(x);
    x->written = 0;
    x->length = LENGTH_OPEN;
    x->failed = false;
    x->extra_len = 0;
    x->has_csp = x->has_cache = x->has_referrer = false;
    x->status = (uint16_t)status;
    if (len >= sizeof(x->type))
        len = 0;
    for (size_t i = 0; i < len; i++)
        x->type[i] = type[i] < ' ' || type[i] > '~' ? '_' : type[i];
    x->type[len] = '\0';
}

void http_header(struct http_exchange *x, const char *name, const char *value)
{
    struct text text;

    if (x->composed)
        return;
    text_init(&text, x->extra, sizeof(x->extra));
    text.len = x->extra_len;
    text_string(&text, name);
    text_string(&text, ": ");
    for (; *value; value++) {
        char c = (uint8_t)*value < ' ' || *value == 0x7f ? '_' : *value;

        text_bytes(&text, &c, 1);
    }
    text_string(&text, "\r\n");
    if (text.cut)
        return;
    x->extra_len = (uint16_t)text.len;
    x->has_csp |= strcasecmp(name, "Content-Security-Policy") == 0;
    x->has_cache |= strcasecmp(name, "Cache-Control") == 0;
    x->has_referrer |= strcasecmp(name, "Referrer-Policy") == 0;
}

void http_redirect(struct http_exchange *x, const char *path)
{
    http_begin(x, 303, NULL);
    http_header(x, "Location", path);
}

/* The name in ASCII, for old clients. */
static void put_plain_name(struct text *text, const char *file_name)
{
    text_string(text, "; filename=\"");
    for (const char *at = file_name; *at; at++) {
        char c =
            *at < ' ' || *at > '~' || *at == '"' || *at == '\\' ? '_' : *at;

        text_bytes(text, &c, 1);
    }
    text_string(text, "\"");
}

/* RFC 6266: an ASCII form, and the name as it is; of a long one with many
 * characters that are not ASCII only that, which the longest name fits into. */
void http_download(struct http_exchange *x, const char *disposition,
                   const char *file_name)
{
    char value[HTTP_DOWNLOAD_BYTES];
    struct text text;
    bool plain = true;

    do {
        text_init(&text, value, sizeof(value) - 1);
        text_string(&text, disposition);
        if (plain)
            put_plain_name(&text, file_name);
        text_string(&text, "; filename*=UTF-8''");
        http_url_put(&text, file_name);
        value[text.len] = '\0';
        plain = !plain;
    } while (text.cut && !plain);
    http_header(x, "Content-Disposition", text.cut ? disposition : value);
}

/* "bytes first-last/total", or "bytes * /total" where nothing is there. */
static void put_range(struct http_exchange *x, uint64_t first, uint64_t bytes,
                      uint64_t total)
{
    char value[80];
    struct text text;

    text_init(&text, value, sizeof(value) - 1);
    text_string(&text, "bytes ");
    if (bytes > 0) {
        text_decimal(&text, first);
        text_string(&text, "-");
        text_decimal(&text, first + bytes - 1);
    } else {
        text_string(&text, "*");
    }
    text_string(&text, "/");
    text_decimal(&text, total);
    value[text.len] = '\0';
    http_header(x, "Content-Range", value);
}

bool http_length(struct http_exchange *x, uint64_t total, const char *etag,
                 int64_t modified_ms, uint64_t *first, uint64_t *bytes)
{
    static const uint16_t statuses[] = {
        [CONDITION_WHOLE] = 200,  [CONDITION_PART] = 206,
        [CONDITION_SAME] = 304,   [CONDITION_OUTSIDE] = 416,
        [CONDITION_FAILED] = 412,
    };
    char date[HTTP_DATE_BYTES];
    enum http_condition condition =
        http_condition(&x->head, total, etag, modified_ms, first, bytes);

    if (etag)
        http_header(x, "ETag", etag);
    if (modified_ms > 0) {
        http_date_put(modified_ms, date);
        http_header(x, "Last-Modified", date);
    }
    http_header(x, "Accept-Ranges", "bytes");
    x->status = statuses[condition];
    if (condition == CONDITION_PART || condition == CONDITION_OUTSIDE)
        put_range(x, *first, *bytes, total);
    x->length = LENGTH_KNOWN;
    x->announced = *bytes;
    return *bytes > 0 && !x->head_only;
}
