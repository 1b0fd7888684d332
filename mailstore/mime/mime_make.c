/* Making messages: the stream, header fields, multiparts and files. */
#include "mailstore/mime/mime_make.h"
#include "core/date.h"
#include "mailstore/mime/make_internal.h"
#include "mailstore/mime/mime_internal.h"
#include <stdio.h>
#include <string.h>

/* RFC 5322 2.1.1 */
#define LINE       78
#define LINE_LIMIT 998

/* ---- The stream ---------------------------------------------------------- */

static void flush(struct mime_make *make)
{
    if (make->out_bytes > 0 && make->error == OK) {
        make->error =
            make->sink.put(make->sink.context, make->out, make->out_bytes);
        make->bytes += make->out_bytes;
    }
    make->out_bytes = 0;
}

void make_put(struct mime_make *make, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (make->out_bytes == MIME_MAKE_OUT)
            flush(make);
        make->out[make->out_bytes++] = text[i];
        make->column = text[i] == '\n' ? 0 : (uint16_t)(make->column + 1);
    }
}

void make_string(struct mime_make *make, const char *text)
{
    make_put(make, text, strlen(text));
}

void mime_make_begin(struct mime_make *make, const struct mime_sink *sink,
                     uint64_t random)
{
    memset(make, 0, offsetof(struct mime_make, out));
    make->sink = *sink;
    make->random = random;
}

/* ---- Header fields ------------------------------------------------------- */

bool make_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] == 0x7f)
            return false;
    }
    return true;
}

static void begin_field(struct mime_make *make, const char *field)
{
    make_string(make, field);
    make_string(make, ": ");
}

/* A word with the spaces in front of it, on a new line when it does not fit. */
static void put_folded(struct mime_make *make, const char *text, size_t len)
{
    if (make->column + len > LINE && text[0] == ' ')
        make_string(make, "\r\n");
    make_put(make, text, len);
}

/* Whether ASCII can stand as it is: no word that looks encoded or has no room
 * in a line. */
static bool is_plain(const char *text, size_t len)
{
    size_t word = 0;

    for (size_t i = 0; i < len; i++) {
        word = text[i] == ' ' ? 0 : word + 1;
        if (word > LINE_LIMIT / 2 ||
            (text[i] == '=' && i + 1 < len && text[i + 1] == '?'))
            return false;
    }
    return make_ascii(text, len);
}

static void put_text(struct mime_make *make, const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t end = at;

        while (end < len && text[end] == ' ')
            end++;
        while (end < len && text[end] != ' ')
            end++;
        put_folded(make, text + at, end - at);
        at = end;
    }
}

void mime_make_text(struct mime_make *make, const char *field, const char *text)
{
    struct mime_span span = mime_trim((struct mime_span){text, strlen(text)});

    begin_field(make, field);
    if (is_plain(span.text, span.len))
        put_text(make, span.text, span.len);
    else
        make_words(make, span.text, span.len);
    make_string(make, "\r\n");
}

void mime_make_date(struct mime_make *make, int64_t unix_ms, int zone)
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t local = unix_ms + zone * INT64_C(60000);
    struct date date;
    char text[64];

    if (local < 0)
        local = 0;
    date_of(local, &date);
    (void)snprintf(text, sizeof text,
                   "Date: %.3s, %d %.3s %04d %02d:%02d:%02d %c%02d%02d\r\n",
                   days + local / 86400000 % 7 * 3, date.day,
                   months + (date.month - 1) * 3, date.year, date.hour,
                   date.minute, date.second, zone < 0 ? '-' : '+',
                   (zone < 0 ? -zone : zone) / 60 % 24,
                   (zone < 0 ? -zone : zone) % 60);
    make_string(make, text);
}

/* ---- Addresses ----------------------------------------------------------- */

static bool is_atoms(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!mime_is_letter(text[i]) && !mime_is_digit(text[i]) &&
            strchr(" !#$%&'*+-/^_`{|}~", text[i]) == NULL)
            return false;
    }
    return true;
}

static void put_quoted(struct mime_make *make, const char *text, size_t len)
{
    make_string(make, "\"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            make_string(make, "\\");
        make_put(make, text + i, 1);
    }
    make_string(make, "\"");
}

static void put_name(struct mime_make *make, struct mime_span name)
{
    if (!is_plain(name.text, name.len) || name.len > LINE_LIMIT / 2)
        make_words(make, name.text, name.len);
    else if (is_atoms(name.text, name.len))
        put_text(make, name.text, name.len);
    else
        put_quoted(make, name.text, name.len);
}

/* Without what could end it, add another, or add to the header. */
static void put_address(struct mime_make *make, const char *address)
{
    bool quoted = false;

    for (; *address != '\0'; address++) {
        bool text = (uint8_t)*address >= ' ' && *address != 0x7f;

        if (*address == '"')
            quoted = !quoted;
        if (text && (quoted || strchr(" ,;()<>\\", *address) == NULL))
            make_put(make, address, 1);
    }
    if (quoted)
        make_string(make, "\"");
}

void mime_make_addresses(struct mime_make *make, const char *field)
{
    make->list = field;
    make->list_count = 0;
}

void mime_make_address(struct mime_make *make, const char *name,
                       const char *address)
{
    struct mime_span span = mime_trim((struct mime_span){name, strlen(name)});

    if (make->list_count == 0)
        begin_field(make, make->list);
    else
        make_string(make, ",\r\n ");
    if (make->list_count < UINT16_MAX)
        make->list_count++;
    if (span.len > 0) {
        put_name(make, span);
        if (make->column + strlen(address) + 3 > LINE)
            make_string(make, "\r\n");
        make_string(make, " <");
        put_address(make, address);
        make_string(make, ">");
        return;
    }
    put_address(make, address);
}

void mime_make_addresses_end(struct mime_make *make)
{
    if (make->list_count > 0)
        make_string(make, "\r\n");
    make->list_count = 0;
}

/* ---- Message ids --------------------------------------------------------- */

/* The next id among them: bytes without space, < and >. */
static struct mime_span next_id(const char **at)
{
    const char *start;

    while (**at != '\0' &&
           ((uint8_t) * *at <= ' ' || **at == '<' || **at == '>'))
        ++*at;
    start = *at;
    while ((uint8_t) * *at > ' ' && **at != '<' && **at != '>')
        ++*at;
    return (struct mime_span){start, (size_t)(*at - start)};
}

void mime_make_ids(struct mime_make *make, const char *field, const char *ids)
{
    struct mime_span id = next_id(&ids);
    bool any = false;

    while (id.len > 0) {
        /* One that cannot stand in a line is not one. */
        if (id.len < LINE_LIMIT / 2 && make_ascii(id.text, id.len)) {
            make_string(make, any ? "" : field);
            make_string(make, any ? "" : ":");
            any = true;
            if (make->column + id.len + 3 > LINE)
                make_string(make, "\r\n");
            make_string(make, " <");
            make_put(make, id.text, id.len);
            make_string(make, ">");
        }
        id = next_id(&ids);
    }
    make_string(make, any ? "\r\n" : "");
}

char *mime_make_id(char id[MIME_MAKE_ID], uint64_t random_a, uint64_t random_b,
                   const char *host)
{
    (void)snprintf(id, MIME_MAKE_ID, "%016llx%016llx@%s",
                   (unsigned long long)random_a, (unsigned long long)random_b,
                   host);
    return id;
}

/* ---- Multiparts ---------------------------------------------------------- */

/* "=_" stands neither in base64 nor in quoted-printable. */
static void put_boundary(struct mime_make *make, uint8_t serial)
{
    char boundary[32];

    (void)snprintf(boundary, sizeof boundary, "=_%016llx_%u",
                   (unsigned long long)make->random, serial);
    make_string(make, boundary);
}

void make_entity(struct mime_make *make)
{
    if (make->depth == 0) {
        make_string(make, "MIME-Version: 1.0\r\n");
    } else {
        /* The line end in front is part of it (RFC 2046 5.1.1). */
        make_string(make, "\r\n--");
        put_boundary(make, make->serials[make->depth - 1]);
        make_string(make, "\r\n");
    }
    make->ended = true;
}

void mime_make_multipart(struct mime_make *make, const char *subtype)
{
    if (make->depth == MIME_MAKE_DEPTH) {
        make->error = ERR_TOO_BIG;
        return;
    }
    make_entity(make);
    make_string(make, "Content-Type: multipart/");
    make_string(make, subtype);
    make_string(make, ";\r\n boundary=\"");
    make->serials[make->depth++] = ++make->serial;
    put_boundary(make, make->serial);
    make_string(make, "\"\r\n");
}

void mime_make_multipart_end(struct mime_make *make)
{
    if (make->depth == 0)
        return;
    make_string(make, "\r\n--");
    put_boundary(make, make->serials[--make->depth]);
    make_string(make, "--");
}

/* ---- Files --------------------------------------------------------------- */

/* What can stand as the type of an encoded part: all but composite ones. */
static bool is_type(const char *type, size_t len)
{
    const char *slash = memchr(type, '/', len);

    for (size_t i = 0; i < len; i++) {
        if (!mime_is_letter(type[i]) && !mime_is_digit(type[i]) &&
            strchr("/!#$&-^_.+", type[i]) == NULL)
            return false;
    }
    return slash != NULL && slash != type && slash + 1 < type + len &&
           len < LINE && !mime_same(type, 8, "message/") &&
           !mime_same(type, 10, "multipart/");
}

/* The charset that a type says, if it is a text and the name can stand without
 * quotes (RFC 2045 5.1); else nothing. */
static struct mime_span charset_of(const char *type)
{
    static const char name[] = "charset=";
    const char *at = strchr(type, ';');
    size_t len = 0;

    if (at == NULL || !mime_same(type, 5, "text/"))
        return (struct mime_span){type, 0};
    at += 1 + strspn(at + 1, " \t");
    if (strlen(at) < sizeof name || !mime_same(at, sizeof name - 1, name))
        return (struct mime_span){type, 0};
    at += sizeof name - 1;
    while (mime_is_letter(at[len]) || mime_is_digit(at[len]) ||
           (at[len] != '\0' && strchr("-_.:+", at[len]) != NULL))
        len++;
    return (struct mime_span){at, len < 48 && at[len] == '\0' ? len : 0};
}

/* A file name by RFC 2231, in pieces of a line each. */
static void put_extended(struct mime_make *make, const char *name)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned piece = 0;

    while (*name != '\0') {
        char start[40];

        (void)snprintf(start, sizeof start, ";\r\n filename*%u*=%s", piece,
                       piece == 0 ? "utf-8''" : "");
        make_string(make, start);
        for (piece++; *name != '\0' && make->column < LINE - 4; name++) {
            char escaped[3] = {'%', hex[(uint8_t)*name >> 4], hex[*name & 15]};
            bool plain = mime_is_letter(*name) || mime_is_digit(*name) ||
                         strchr("-_.", *name) != NULL;

            make_put(make, plain ? name : escaped, plain ? 1 : 3);
        }
    }
}

static void put_file_name(struct mime_make *make, const char *name)
{
    size_t len = strlen(name);

    if (len == 0)
        return;
    if (len > LINE - 16 || !is_plain(name, len)) {
        put_extended(make, name);
        return;
    }
    make_string(make, ";\r\n filename=");
    put_quoted(make, name, len);
}

void mime_make_file(struct mime_make *make, const char *type, const char *name,
                    const char *content_id)
{
    size_t len = strcspn(type, "; \t");
    bool sound = is_type(type, len);
    bool message = len >= 8 && mime_same(type, 8, "message/");
    struct mime_span charset = charset_of(type);

    make_entity(make);
    make_string(make, "Content-Type: ");
    make_put(make, sound ? type : "application/octet-stream", sound ? len : 24);
    if (sound && charset.len > 0) {
        make_string(make, ";\r\n charset=\"");
        make_put(make, charset.text, charset.len);
        make_string(make, "\"");
    }
    make_string(make, "\r\nContent-Transfer-Encoding: base64\r\n");
    if (content_id != NULL)
        mime_make_ids(make, "Content-ID", content_id);
    make_string(make, "Content-Disposition: ");
    make_string(make, content_id != NULL ? "inline" : "attachment");
    put_file_name(make, message && name[0] == '\0' ? "message.eml" : name);
    make_string(make, "\r\n\r\n");
    make->encoding = MIME_BASE64;
}

void mime_make_message(struct mime_make *make, const char *name)
{
    make_entity(make);
    make_string(make, "Content-Type: message/rfc822\r\n"
                      "Content-Disposition: attachment");
    put_file_name(make, name);
    make_string(make, "\r\n\r\n");
    make->encoding = MIME_7BIT;
}

void mime_make_data(struct mime_make *make, const void *bytes, size_t len)
{
    make_encode(make, bytes, len);
}

void mime_make_file_end(struct mime_make *make)
{
    make_encode_end(make);
}

int mime_make_fits(const struct mime_source *source)
{
    uint32_t at = 0, line = 0;
    char bytes[256];
    int got;

    while ((got = source->read(source, at, bytes, sizeof bytes)) > 0) {
        for (int i = 0; i < got; i++) {
            line = bytes[i] == '\n' ? 0 : line + 1;
            /* With its CR. */
            if (bytes[i] <= 0 || line > LINE_LIMIT + 1)
                return 0;
        }
        at += (uint32_t)got;
    }
    return got < 0 ? got : 1;
}

enum err mime_make_end(struct mime_make *make)
{
    if (!make->ended)
        make_string(make, "\r\n");
    while (make->depth > 0)
        mime_make_multipart_end(make);
    if (make->column > 0)
        make_string(make, "\r\n");
    flush(make);
    return make->error;
}
