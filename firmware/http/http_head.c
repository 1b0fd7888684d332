/* Heads of requests: see http_head.h.
 *
 * Bytes are copied into the head's buffer up to the empty line; what line they
 * stand in is known by the line ends alone. Then the lines are gone through
 * once, each byte judged by the table of classes, names found by length. */
#include "http/http_head.h"
#include <string.h>

/* Digits of a Content-Length: less than 2^63. */
#define LENGTH_DIGITS 18

/* ---- Classes of bytes -----------------------------------------------------
 */

enum {
    TOKEN = 0x1,  /* RFC 9110 5.6.2 */
    VALUE = 0x2,  /* field-content and what stands between: 5.5 */
    TARGET = 0x4, /* RFC 3986: all but fragments; and what browsers leave */
    DIGIT = 0x8,
    HEX = 0x10,
    ESCAPE = 0x20, /* '%' */
    DOT = 0x40,
    UPPER = 0x80
};

#define ALPHA  (TOKEN | VALUE | TARGET)
#define HEXAL  (ALPHA | HEX)
#define NUMBER (ALPHA | DIGIT | HEX)
#define BOTH   (VALUE | TARGET)

static const uint8_t classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = ALPHA,
    ['"'] = VALUE,
    ['#'] = TOKEN | VALUE,
    ['$'] = ALPHA,
    ['%'] = ALPHA | ESCAPE,
    ['&'] = ALPHA,
    ['\''] = ALPHA,
    ['('] = BOTH,
    [')'] = BOTH,
    ['*'] = ALPHA,
    ['+'] = ALPHA,
    [','] = BOTH,
    ['-'] = ALPHA,
    ['.'] = ALPHA | DOT,
    ['/'] = BOTH,
    ['0' ... '9'] = NUMBER,
    [':'] = BOTH,
    [';'] = BOTH,
    ['<'] = VALUE,
    ['='] = BOTH,
    ['>'] = VALUE,
    ['?'] = BOTH,
    ['@'] = BOTH,
    ['A' ... 'F'] = HEXAL | UPPER,
    ['G' ... 'Z'] = ALPHA | UPPER,
    ['['] = BOTH,
    ['\\'] = VALUE,
    [']'] = BOTH,
    ['^'] = ALPHA,
    ['_'] = ALPHA,
    ['`'] = ALPHA,
    ['a' ... 'f'] = HEXAL,
    ['g' ... 'z'] = ALPHA,
    ['{'] = BOTH,
    ['|'] = ALPHA,
    ['}'] = BOTH,
    ['~'] = ALPHA,
    [0x80 ... 0xff] = VALUE,
};

static inline bool is(char c, unsigned class)
{
    return (classes[(uint8_t)c] & class) != 0;
}

static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The end of the bytes of a class that text begins with. */
static const char *span(const char *text, const char *end, unsigned class)
{
    while (text < end && (classes[(uint8_t)*text] & class))
        text++;
    return text;
}

/* The classes that one of those bytes is of; *common: those that all are of. */
static unsigned classes_in(const char *text, const char *end, unsigned *common)
{
    unsigned seen = 0, all = ~0u;

    while (text < end) {
        unsigned class = classes[(uint8_t)*text++];

        seen |= class;
        all &= class;
    }
    *common = all;
    return seen;
}

static bool same(const char *text, size_t len, const char *word)
{
    for (size_t i = 0; i < len; i++)
        if (lower(text[i]) != word[i])
            return false;
    return word[len] == '\0';
}

static int hex_value(char c)
{
    if (!is(c, HEX))
        return -1;
    return is(c, DIGIT) ? c - '0' : lower(c) - 'a' + 10;
}

int http_percent_decode(char *text, size_t len, bool plus)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return -1;
        text[out++] = c;
    }
    text[out] = '\0';
    return (int)out;
}

bool http_list_has(const char *list, const char *token)
{
    while (list && *list) {
        size_t len = strcspn(list, ",;");
        size_t end = strcspn(list, ",");
        size_t begin = strspn(list, " \t");
        const char *q = memchr(list, ';', end);

        while (len > begin && (list[len - 1] == ' ' || list[len - 1] == '\t'))
            len--;
        if (len >= begin && same(list + begin, len - begin, token)) {
            while (q && (*q == ';' || *q == ' ' || *q == '\t'))
                q++;
            return !q || lower(q[0]) != 'q' || q[1] != '=' || q[2] != '0' ||
                   (q[3] == '.' &&
                    strspn(q + 4, "0") != strspn(q + 4, "0123456789"));
        }
        list += end;
        list += *list == ',';
    }
    return false;
}

/* ---- The request line -----------------------------------------------------
 */

static const struct {
    const char *name;
    uint8_t len, method;
} methods[] = {
    {"GET", 3, METHOD_GET},       {"POST", 4, METHOD_POST},
    {"HEAD", 4, METHOD_HEAD},     {"OPTIONS", 7, METHOD_OPTIONS},
    {"PUT", 3, METHOD_OTHER},     {"DELETE", 6, METHOD_OTHER},
    {"PATCH", 5, METHOD_OTHER},   {"TRACE", 5, METHOD_OTHER},
    {"CONNECT", 7, METHOD_OTHER},
};

static enum http_method find_method(const char *text, size_t len)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (methods[i].len == len && memcmp(methods[i].name, text, len) == 0)
            return (enum http_method)methods[i].method;
    return METHOD_UNKNOWN;
}

/* Neither "." nor ".." as a segment: nobody who means well sends them, and two
 * programs may not agree on what they mean. No control characters either. */
static bool path_clean(const char *path)
{
    for (const char *at = path; *at; at++) {
        if ((uint8_t)*at < ' ' || *at == 0x7f || *at == '\\')
            return false;
        if (at[0] != '/' || at[1] != '.')
            continue;
        if (at[2] == '/' || at[2] == '\0')
            return false;
        if (at[2] == '.' && (at[3] == '/' || at[3] == '\0'))
            return false;
    }
    return true;
}

/* Behind scheme and host of the absolute form (RFC 9112 3.2.2), else 0. No path
 * means "/", which takes the place of the host's last letter. */
static size_t absolute_prefix(char *target, size_t len)
{
    size_t at = 7;

    if (len <= at || !same(target, at, "http://"))
        return 0;
    while (at < len && target[at] != '/' && target[at] != '?')
        at++;
    if (at == 7 || (at < len && target[at] == '/'))
        return at > 7 ? at : 0;
    target[--at] = '/';
    return at;
}

static uint16_t take_target(struct http_head *head, size_t at, size_t len)
{
    char *target = head->bytes + at;
    unsigned common, seen = classes_in(target, target + len, &common);
    size_t i, path_len;
    char *query;

    if (!(common & TARGET))
        return 400;
    if (len == 1 && target[0] == '*' && head->method == METHOD_OPTIONS) {
        target[1] = '\0';
        head->path = (uint16_t)at;
        return 0;
    }
    if (len > 0 && target[0] != '/') {
        i = absolute_prefix(target, len);
        if (i == 0)
            return 400;
        target += i;
        len -= i;
    }
    query = memchr(target, '?', len);
    path_len = query ? (size_t)(query - target) : len;
    target[len] = '\0';
    if (query)
        head->query = (uint16_t)(query + 1 - head->bytes);
    head->path = (uint16_t)(target - head->bytes);
    if (path_len == 0)
        return 400;
    target[path_len] = '\0';
    if ((seen & ESCAPE) && http_percent_decode(target, path_len, false) < 0)
        return 400;
    return (seen & (ESCAPE | DOT)) && !path_clean(target) ? 400 : 0;
}

/* method SP target SP HTTP/1.x; returns the status of what is wrong. */
static uint16_t take_request_line(struct http_head *head, size_t at, size_t end)
{
    char *line = head->bytes + at;
    size_t len = end - at;
    size_t method = (size_t)(span(line, line + len, TOKEN) - line);
    const char *version;

    if (method == 0 || method == len || line[method] != ' ' ||
        len < method + 11)
        return 400;
    version = line + len - 8;
    if (version[-1] != ' ' || memcmp(version, "HTTP/", 5) != 0 ||
        !is(version[5], DIGIT) || version[6] != '.' || !is(version[7], DIGIT))
        return 400;
    if (version[5] != '1')
        return 505;
    head->minor = version[7] != '0';
    head->method = (uint8_t)find_method(line, method);
    if (len - method - 10 > HTTP_TARGET_BYTES)
        return 414;
    return take_target(head, at + method + 1, len - method - 10);
}

/* ---- Fields ---------------------------------------------------------------
 */

/* In the order of their length; once: a second one is an attack. */
static const struct {
    const char *name;
    uint8_t len;
    bool once;
} fields[HTTP_FIELDS] = {
    [FIELD_HOST] = {"host", 4, true},
    [FIELD_RANGE] = {"range", 5, true},
    [FIELD_COOKIE] = {"cookie", 6, false},
    [FIELD_EXPECT] = {"expect", 6, true},
    [FIELD_ORIGIN] = {"origin", 6, true},
    [FIELD_IF_MATCH] = {"if-match", 8, false},
    [FIELD_IF_RANGE] = {"if-range", 8, true},
    [FIELD_CONNECTION] = {"connection", 10, false},
    [FIELD_CONTENT_TYPE] = {"content-type", 12, true},
    [FIELD_CSRF_TOKEN] = {"x-csrf-token", 12, true},
    [FIELD_IF_NONE_MATCH] = {"if-none-match", 13, false},
    [FIELD_CONTENT_LENGTH] = {"content-length", 14, true},
    [FIELD_FETCH_SITE] = {"sec-fetch-site", 14, true},
    [FIELD_ACCEPT_ENCODING] = {"accept-encoding", 15, false},
    [FIELD_MODIFIED_SINCE] = {"if-modified-since", 17, true},
    [FIELD_TRANSFER_ENCODING] = {"transfer-encoding", 17, true},
    [FIELD_UNMODIFIED_SINCE] = {"if-unmodified-since", 19, true},
};

/* The first of them that is so long, or longer. */
static const uint8_t first_of_length[20] = {
    [5] = FIELD_RANGE,
    [6] = FIELD_COOKIE,
    [7] = FIELD_IF_MATCH,
    [8] = FIELD_IF_MATCH,
    [9] = FIELD_CONNECTION,
    [10] = FIELD_CONNECTION,
    [11] = FIELD_CONTENT_TYPE,
    [12] = FIELD_CONTENT_TYPE,
    [13] = FIELD_IF_NONE_MATCH,
    [14] = FIELD_CONTENT_LENGTH,
    [15] = FIELD_ACCEPT_ENCODING,
    [16] = FIELD_MODIFIED_SINCE,
    [17] = FIELD_MODIFIED_SINCE,
    [18] = FIELD_UNMODIFIED_SINCE,
    [19] = FIELD_UNMODIFIED_SINCE,
};

static unsigned find_field(const char *name, size_t len)
{
    unsigned field;

    if (len > 19)
        return HTTP_FIELDS;
    for (field = first_of_length[len];
         field < HTTP_FIELDS && fields[field].len <= len; field++)
        if (fields[field].len == len &&
            memcmp(fields[field].name, name, len) == 0)
            return field;
    return HTTP_FIELDS;
}

static void make_lower(char *text, const char *end)
{
    for (; text < end; text++)
        if (classes[(uint8_t)*text] & UPPER)
            *text |= 0x20;
}

/* name ":" OWS value OWS. The line's CR becomes the value's NUL. */
static uint16_t take_field(struct http_head *head, size_t at, size_t end)
{
    char *bytes = head->bytes;
    size_t colon = (size_t)(span(bytes + at, bytes + end, TOKEN) - bytes);
    size_t value;
    unsigned field;

    /* Also a line that begins with a space: folding is not HTTP any more. */
    if (colon == at || colon == end || bytes[colon] != ':')
        return 400;
    for (value = colon + 1;
         value < end && (bytes[value] == ' ' || bytes[value] == '\t'); value++)
        ;
    if (span(bytes + value, bytes + end, VALUE) != bytes + end)
        return 400;
    while (end > value && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t'))
        end--;
    bytes[end] = '\0';
    bytes[colon] = '\0';
    make_lower(bytes + at, bytes + colon);
    field = find_field(bytes + at, colon - at);
    if (field == HTTP_FIELDS)
        return 0;
    if (head->field[field] && fields[field].once)
        return 400;
    if (field == FIELD_CONNECTION) {
        head->seen_connection_close |= http_list_has(bytes + value, "close");
        head->seen_connection_keep |=
            http_list_has(bytes + value, "keep-alive");
    }
    if (!head->field[field])
        head->field[field] = (uint16_t)value;
    return 0;
}

/* ---- What they mean together ----------------------------------------------
 */

static uint16_t take_length(struct http_head *head, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t length = 0;

    if (digits == 0 || text[digits] != '\0')
        return 400;
    if (digits > LENGTH_DIGITS)
        return 413;
    for (; *text; text++)
        length = length * 10 + (uint64_t)(*text - '0');
    head->length = length;
    head->framing = FRAMING_LENGTH;
    return 0;
}

static bool ends_chunked(const char *codings)
{
    const char *last = strrchr(codings, ',');

    last = last ? last + 1 : codings;
    return http_list_has(last, "chunked");
}

/* RFC 9112 6.1 to 6.3. */
static uint16_t take_framing(struct http_head *head)
{
    const char *length = http_head_field(head, FIELD_CONTENT_LENGTH);
    const char *coding = http_head_field(head, FIELD_TRANSFER_ENCODING);

    if (!coding)
        return length ? take_length(head, length) : 0;
    if (length || head->minor == 0)
        return 400;
    head->framing = FRAMING_CHUNKED;
    if (same(coding, strlen(coding), "chunked"))
        return 0;
    /* Another coding last leaves open where the body ends. */
    return ends_chunked(coding) ? 501 : 400;
}

static bool host_valid(const char *host)
{
    for (; *host; host++)
        if (!is(*host, TARGET) || *host == '/' || *host == '?' || *host == '@')
            return false;
    return true;
}

static uint16_t take_meaning(struct http_head *head)
{
    const char *host = http_head_field(head, FIELD_HOST);
    const char *expect = http_head_field(head, FIELD_EXPECT);
    uint16_t status = take_framing(head);

    if (status)
        return status;
    if ((!host && head->minor > 0) || (host && !host_valid(host)))
        return 400;
    if (expect && head->minor > 0) {
        if (!same(expect, strlen(expect), "100-continue"))
            return 417;
        head->expects_continue = true;
    }
    head->keep_alive = head->minor > 0 ? !head->seen_connection_close
                                       : head->seen_connection_keep &&
                                             !head->seen_connection_close;
    if (head->method == METHOD_UNKNOWN)
        return 501;
    return 0;
}

/* ---- Collecting -----------------------------------------------------------
 */

void http_head_init(struct http_head *head)
{
    memset(head, 0, offsetof(struct http_head, bytes));
}

static uint16_t take_apart(struct http_head *head, size_t end)
{
    size_t at = head->lines;
    uint16_t status = 0;

    /* Stops behind the last field: at the empty line. */
    while (!status && at + 2 < end) {
        char *line_end = memchr(head->bytes + at, '\n', end - at);
        size_t next = (size_t)(line_end - head->bytes) + 1;

        status = take_field(head, at, next - 2);
        at = next;
    }
    return status ? status : take_meaning(head);
}

/* A line ends before `end`. Returns the status, 0: go on; *done: it was the
 * empty one, and the head is complete. */
static uint16_t end_line(struct http_head *head, size_t end, bool *done)
{
    size_t begin = head->line;
    uint16_t status = 0;

    *done = false;
    if (end - begin < 2 || head->bytes[end - 2] != '\r')
        return 400;
    head->line = (uint16_t)end;
    if (!head->lines) {
        head->lines = (uint16_t)end;
        return take_request_line(head, begin, end - 2);
    }
    if (end - begin == 2) {
        *done = true;
        status = take_apart(head, end);
    }
    return status;
}

enum http_head_result http_head_feed(struct http_head *head,
                                     const uint8_t *data, size_t len,
                                     size_t *taken)
{
    size_t before = head->used, room = HTTP_HEAD_BYTES - before, at = before;
    size_t bytes = len < room ? len : room, end = before + bytes;
    bool done = false;

    memcpy(head->bytes + before, data, bytes);
    *taken = bytes;
    while (at < end && !head->status && !done) {
        char *newline = memchr(head->bytes + at, '\n', end - at);

        if (!newline)
            break;
        at = (size_t)(newline - head->bytes) + 1;
        head->status = end_line(head, at, &done);
    }
    if (done || head->status) {
        *taken = at - before;
        head->used = (uint16_t)at;
        return head->status ? HEAD_BAD : HEAD_DONE;
    }
    head->used = (uint16_t)end;
    if (head->used < HTTP_HEAD_BYTES)
        return HEAD_MORE;
    head->status = head->lines ? 431 : 414;
    return HEAD_BAD;
}

const char *http_head_find(const struct http_head *head, const char *name)
{
    const char *at = head->bytes + head->lines;
    const char *end = head->bytes + head->used - 2;

    while (at < end) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return value + strspn(value, " \t");
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            break;
        at++;
    }
    return NULL;
}
