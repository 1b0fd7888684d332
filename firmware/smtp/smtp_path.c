/* Grammar of SMTP arguments: see smtp_path.h. */
#include "smtp/smtp_path.h"
#include "net/address.h"
#include "protocol/text.h"
#include "userdb/user.h"
#include <string.h>

static bool is_letter_or_digit(char c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10;
}

/* atext of RFC 5322 3.2.3, with what RFC 6531 3.3 adds: that it is UTF-8 is
 * looked at in the end. */
static bool is_atext(char c)
{
    return is_letter_or_digit(c) || (c & 0x80) != 0 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

bool smtp_domain_valid(const char *text, size_t len)
{
    const char *end = text + len;
    size_t label = 0; /* characters of the current label so far */
    char last = '-';

    if (len == 0 || len > SMTP_DOMAIN_MAX)
        return false;
    for (; text < end; text++) {
        const char c = *text;

        if (c == '.') {
            if (label == 0 || last == '-')
                return false;
            label = 0;
        } else {
            if (c == '-' ? label == 0 : !is_letter_or_digit(c) && c != '_')
                return false;
            if (++label > 63)
                return false;
        }
        last = c;
    }
    return label > 0 && last != '-';
}

bool smtp_literal_valid(const char *text, size_t len)
{
    char address[NET_ADDRESS_TEXT];
    struct net_address parsed;
    bool is_v6;

    if (len < 3 || text[0] != '[' || text[len - 1] != ']')
        return false;
    text++;
    len -= 2;
    is_v6 = len > 5 && text_equal(text, 5, "IPV6:");
    if (is_v6) {
        text += 5;
        len -= 5;
    }
    if (len >= sizeof(address) || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    return (strchr(address, ':') != NULL) == is_v6 &&
           net_address_parse(address, &parsed) == OK;
}

static enum err add_local(struct smtp_path *path, char c)
{
    if (path->local_len >= sizeof(path->local))
        return ERR_TOO_BIG;
    path->local[path->local_len++] = c;
    return OK;
}

/* Quoted-string; *at is behind the opening quote. */
static enum err parse_quoted(const char **at, const char *end,
                             struct smtp_path *path)
{
    while (*at < end) {
        char c = *(*at)++;

        if (c == '"')
            return OK;
        if (c == '\\') {
            if (*at == end)
                return ERR_INVALID;
            c = *(*at)++;
        }
        if ((uint8_t)c < 32 || c == 127)
            return ERR_INVALID;
        if (add_local(path, c) != OK)
            return ERR_TOO_BIG;
    }
    return ERR_INVALID;
}

/* Dot-string: atoms with single dots between them. */
static enum err parse_dot_string(const char **at, const char *end,
                                 struct smtp_path *path)
{
    bool atom = false;

    while (*at < end && (is_atext(**at) || **at == '.')) {
        if (**at == '.' && !atom)
            return ERR_INVALID;
        atom = **at != '.';
        if (add_local(path, *(*at)++) != OK)
            return ERR_TOO_BIG;
    }
    return atom ? OK : ERR_INVALID;
}

/* A-d-l ":" (RFC 5321 4.1.1.3): taken, checked, ignored. */
static enum err skip_source_route(const char **at, const char *end)
{
    for (;;) {
        const char *domain;

        if (*at == end || **at != '@')
            return ERR_INVALID;
        domain = ++*at;
        while (*at < end && **at != ',' && **at != ':')
            (*at)++;
        if (*at == end || !smtp_domain_valid(domain, (size_t)(*at - domain)))
            return ERR_INVALID;
        if (*(*at)++ == ':')
            return OK;
    }
}

static bool is_ascii(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if ((text[i] & 0x80) != 0)
            return false;
    return true;
}

/* A domain with labels in UTF-8 (U-label, RFC 6531 3.3). */
static bool domain_valid(const char *text, size_t len)
{
    char ascii[USER_DOMAIN_BYTES];

    if (is_ascii(text, len))
        return smtp_domain_valid(text, len) || smtp_literal_valid(text, len);
    return user_domain_to_ascii(text, len, ascii) == OK;
}

static enum err parse_domain(const char **at, const char *end,
                             struct smtp_path *path)
{
    path->domain = *at;
    while (*at < end && **at != '>' && **at != ' ')
        (*at)++;
    path->domain_len = (size_t)(*at - path->domain);
    if (path->domain_len > SMTP_DOMAIN_MAX)
        return ERR_TOO_BIG;
    return domain_valid(path->domain, path->domain_len) ? OK : ERR_INVALID;
}

static enum err parse_mailbox(const char **at, const char *end,
                              struct smtp_path *path)
{
    enum err error;

    path->mailbox = *at;
    if (*at < end && **at == '"') {
        (*at)++;
        error = parse_quoted(at, end, path);
    } else {
        error = parse_dot_string(at, end, path);
    }
    if (error == OK && *at < end && **at == '@') {
        (*at)++;
        error = parse_domain(at, end, path);
    }
    path->mailbox_len = (size_t)(*at - path->mailbox);
    if (error == OK && path->mailbox_len > SMTP_PATH_MAX - 2)
        error = ERR_TOO_BIG;
    return error;
}

enum err smtp_path_parse(const char **at, const char *end,
                         struct smtp_path *path)
{
    enum err error = OK;

    memset(path, 0, sizeof(*path));
    path->mailbox = path->domain = "";
    if (*at == end || *(*at)++ != '<')
        return ERR_INVALID;
    if (*at < end && **at == '>') {
        (*at)++;
        return OK;
    }
    if (*at < end && **at == '@')
        error = skip_source_route(at, end);
    if (error == OK)
        error = parse_mailbox(at, end, path);
    if (error != OK)
        return error;
    if (*at == end || *(*at)++ != '>')
        return ERR_INVALID;
    path->utf8 = !is_ascii(path->mailbox, path->mailbox_len);
    if (path->utf8 && !user_text_valid(path->mailbox, path->mailbox_len))
        return ERR_INVALID;
    return OK;
}
