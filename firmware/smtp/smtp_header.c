/* The header of a submitted message (RFC 6409 section 8, RFC 5322 2.2): which
 * fields are there, and whose From it is.
 *
 * From is read as a list of mailboxes: comments, quoted strings and display
 * names are gone over, and what is left of each member is its address, in angle
 * brackets if there are any. Not supported: the obsolete route in brackets, and
 * spaces inside an address; such a From is nobody's. */
#include "protocol/text.h"
#include "smtp/smtp_author.h"
#include "userdb/directory.h"
#include <string.h>

void smtp_header_init(struct smtp_header *header)
{
    memset(header, 0, offsetof(struct smtp_header, from_text));
}

/* The length of a field's name; 0: the line is no field. Spaces before the
 * colon are obsolete (RFC 5322 4.5), but they occur. */
static size_t field_name(const char *line, size_t len)
{
    size_t name = 0, at;

    while (name < len && line[name] > 32 && line[name] < 127 &&
           line[name] != ':')
        name++;
    at = name;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at < len && line[at] == ':' ? name : 0;
}

static void keep_from(struct smtp_header *header, const char *text, size_t len)
{
    if (len > sizeof(header->from_text) - header->from_bytes) {
        header->from_cut = true;
        return;
    }
    memcpy(header->from_text + header->from_bytes, text, len);
    header->from_bytes = (uint16_t)(header->from_bytes + len);
}

static void begin_field(struct smtp_header *header, const char *line,
                        size_t name, size_t len)
{
    size_t colon = name;

    header->any = true;
    header->in_from = text_equal(line, name, "FROM");
    if (text_equal(line, name, "DATE"))
        header->date = true;
    else if (text_equal(line, name, "MESSAGE-ID"))
        header->message_id = true;
    if (!header->in_from)
        return;
    while (line[colon] != ':')
        colon++;
    /* A second From makes the first one's list longer: neither can hide. */
    if (header->from)
        keep_from(header, ",", 1);
    header->from = true;
    keep_from(header, line + colon + 1, len - colon - 1);
}

enum smtp_header_line smtp_header_look(struct smtp_header *header,
                                       const char *line, size_t len,
                                       bool complete)
{
    bool inside = header->in_line;
    size_t name;

    header->in_line = !complete;
    if (!inside && len == 2 && line[0] == '\r' && line[1] == '\n') {
        header->over = true;
        return SMTP_HEADER_END;
    }
    if (inside || (header->any && (line[0] == ' ' || line[0] == '\t'))) {
        if (header->in_from)
            keep_from(header, line, len);
        return SMTP_HEADER_FIELD;
    }
    name = field_name(line, len);
    if (name == 0) {
        header->over = true;
        return SMTP_HEADER_BODY;
    }
    begin_field(header, line, name, len);
    return SMTP_HEADER_FIELD;
}

/* ---- From ------------------------------------------------------------------
 */

/* One member of the list while it is read. */
struct member {
    char address[USER_ADDRESS_BYTES];
    size_t len;
    bool bracket; /* inside angle brackets */
    bool closed;  /* behind them */
    bool gap;     /* a space was seen behind the address so far */
    bool bad;
};

static void add(struct member *member, char c)
{
    /* Two words without brackets are no address; before brackets they are a
     * name, which is forgotten at the bracket. */
    if (member->gap || member->closed ||
        member->len == sizeof(member->address) - 1)
        member->bad = true;
    else
        member->address[member->len++] = c;
}

static bool is_own(const struct member *member, int64_t user)
{
    const char *at = user_address_at(member->address, member->len);
    size_t local;

    if (member->bad || member->bracket || at == NULL)
        return false;
    local = (size_t)(at - member->address);
    return directory_may_send_as(user, member->address, local, at + 1,
                                 member->len - local - 1);
}

/* Behind an opening parenthesis: the index behind the closing one. */
static size_t skip_comment(const char *text, size_t len, size_t at)
{
    unsigned depth = 1;

    while (at < len && depth > 0) {
        if (text[at] == '\\' && at + 1 < len)
            at++;
        else if (text[at] == '(')
            depth++;
        else if (text[at] == ')')
            depth--;
        at++;
    }
    return at;
}

/* Behind an opening quote: the index behind the closing one. */
static size_t take_quoted(const char *text, size_t len, size_t at,
                          struct member *member)
{
    while (at < len && text[at] != '"') {
        if (text[at] == '\\' && at + 1 < len)
            at++;
        add(member, text[at++]);
    }
    return at + 1;
}

static void take_character(struct member *member, char c)
{
    if (c == '<' && !member->bracket && !member->closed) {
        memset(member, 0, sizeof(*member));
        member->bracket = true;
    } else if (c == '>' && member->bracket) {
        member->bracket = false;
        member->closed = true;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        member->gap = member->len > 0 && !member->closed;
    } else {
        add(member, c);
    }
}

bool smtp_header_from_allowed(const struct smtp_header *header, int64_t user)
{
    const char *text = header->from_text;
    size_t len = header->from_bytes;
    struct member member;
    unsigned members = 0;
    size_t at = 0;

    memset(&member, 0, sizeof(member));
    if (header->from_cut)
        return false;
    while (at < len) {
        char c = text[at++];

        if (c == '(') {
            at = skip_comment(text, len, at);
        } else if (c == '"') {
            at = take_quoted(text, len, at, &member);
        } else if (c == ',' && !member.bracket) {
            if (member.len > 0 && !is_own(&member, user))
                return false;
            members += member.len > 0;
            memset(&member, 0, sizeof(member));
        } else {
            take_character(&member, c);
        }
    }
    if (member.len > 0 && !is_own(&member, user))
        return false;
    return members + (member.len > 0) > 0;
}
