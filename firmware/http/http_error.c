/* Statuses, pages of errors, and their log. */
#include "core/log.h"
#include "http/http_internal.h"
#include <string.h>

/* Errors that are logged in a second; the rest is counted only. */
#define LOGGED_MAX 8

static struct {
    uint64_t second;
    unsigned logged;
} state;

const char *http_status_text(unsigned status)
{
    static const struct {
        uint16_t status;
        const char *text;
    } texts[] = {
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {206, "Partial Content"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Status";
}

/* sentence: one of ours, or a page's; as text. */
static void put_page(struct text *text, unsigned status, const char *sentence)
{
    text_string(text, HTTP_PAGE_HEAD "<title>");
    text_string(text, http_status_text(status));
    text_string(text, "</title><main class=\"error\"><h1>");
    text_string(text, http_status_text(status));
    text_string(text, "</h1><p>");
    http_escape_put(text, sentence);
    text_string(text,
                "</p><p><a href=\"/\">To the first page</a></p></main>\n");
}

void http_error_page(struct http_exchange *x, unsigned status,
                     const char *sentence)
{
    char page[900];
    struct text text;
    uint16_t extra = x->status == status ? x->extra_len : 0;

    text_init(&text, page, sizeof(page));
    put_page(&text, status, sentence);
    http_begin(x, status, HTTP_HTML);
    x->extra_len = extra; /* Allow */
    if (status == 503)
        http_header(x, "Retry-After", "5");
    x->length = LENGTH_KNOWN;
    x->announced = text.len;
    x->written = text.len;
    http_answer_compose(x);
    if (x->head_only || text.len > sizeof(x->answer) - x->answer_len)
        return;
    memcpy(x->answer + x->answer_len, page, text.len);
    x->answer_len = (uint16_t)(x->answer_len + text.len);
}

void http_error(struct http_exchange *x, unsigned status, const char *sentence)
{
    char page[900];
    struct text text;

    /* What has gone out already would seem to be whole. */
    if (x->composed) {
        x->failed = true;
        return;
    }
    http_begin(x, status, HTTP_HTML);
    if (status == 503)
        http_header(x, "Retry-After", "5");
    text_init(&text, page, sizeof(page));
    put_page(&text, status, sentence);
    http_write(x, page, text.len);
}

void http_fail(struct http_exchange *x, enum err err)
{
    static const struct {
        int err;
        uint16_t status;
        const char *sentence;
    } answers[] = {
        {ERR_NOT_FOUND, 404, "There is no such thing (any more)."},
        {ERR_REFUSED, 403, "That is not allowed."},
        {ERR_TOO_BIG, 413, "That is more than this page takes."},
        {ERR_INVALID, 400, "What was sent is malformed."},
        {ERR_UNSUPPORTED, 415,
         "What was sent is of a type that this page does "
         "not take."},
        {ERR_EXISTS, 409, "That is there already."},
        {ERR_BUSY, 503, "The server is busy: try again in a moment."},
        {ERR_MEMORY, 503, "The server is short of memory: try again."},
        {ERR_GONE, 503,
         "The stick with the mail store is not there: try again "
         "when it was put back."},
        {ERR_FULL, 507, "There is no room left."},
    };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].err == (int)err) {
            http_error(x, answers[i].status, answers[i].sentence);
            return;
        }
    }
    http_error(x, 500, err_text(err));
}

/* ---- The log --------------------------------------------------------------
 */

static const char *method_text(const struct http_exchange *x)
{
    static const char *const names[] = {
        [METHOD_GET] = "GET",     [METHOD_HEAD] = "HEAD",
        [METHOD_POST] = "POST",   [METHOD_OPTIONS] = "OPTIONS",
        [METHOD_OTHER] = "other", [METHOD_UNKNOWN] = "unknown",
    };

    return names[x->head.method];
}

static bool may_log(void)
{
    uint64_t second = timer_now_ms() / 1000;

    if (second != state.second) {
        state.second = second;
        state.logged = 0;
    }
    return state.logged++ < LOGGED_MAX;
}

void http_error_log(struct http_exchange *x)
{
    struct http_figures *count = http_count();
    char address[NET_ADDRESS_TEXT];
    char path[256];
    const char *text = x->head.path ? x->head.bytes + x->head.path : "";

    count->requests++;
    count->bytes_out += x->sent;
    count->status[x->status / 100 % 6]++;
    if (x->status < 400 || !may_log())
        return;
    net_address_format(&x->session->peer, address);
    log_fact("http", "client=%s method=%s path=%s status=%u user=%s", address,
             method_text(x), log_value(path, sizeof(path), text, strlen(text)),
             x->status, x->logged_in ? x->user.name : "\"\"");
}
