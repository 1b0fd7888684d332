/* Grammar of SMTP arguments: see smtp_path.h.
 *
 * Not supported: internationalized addresses (RFC 6531); a byte above 127 is a
 * syntax error. */
#include "smtp/smtp_path.h"
#include "net/address.h"
#include "protocol/text.h"
#include <string.h>

static bool is_letter_or_digit(char c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10;
}

/* atext of RFC 5322 3.2.3. */
static bool is_atext(char c)
{
    return is_letter_or_digit(c) ||
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
        if (c < 32 || c > 126)
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

static enum err parse_domain(const char **at, const char *end,
                             struct smtp_path *path)
{
    path->domain = *at;
    while (*at < end && **at != '>' && **at != ' ')
        (*at)++;
    path->domain_len = (size_t)(*at - path->domain);
    if (path->domain_len > SMTP_DOMAIN_MAX)
        return ERR_TOO_BIG;
    if (smtp_domain_valid(path->domain, path->domain_len) ||
        smtp_literal_valid(path->domain, path->domain_len))
        return OK;
    return ERR_INVALID;
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
    return OK;
}

/* One "KEYWORD[=value]" (RFC 5321 4.1.2, esmtp-param). */
static enum err parse_parameter(const char *text, size_t len,
                                struct smtp_parameters *parameters,
                                unsigned *seen)
{
    const char *equals = memchr(text, '=', len);
    size_t keyword = equals != NULL ? (size_t)(equals - text) : len;
    const char *value = equals != NULL ? equals + 1 : text + len;
    size_t value_len = len - (size_t)(value - text);
    unsigned bit;
    size_t i;

    for (i = 0; i < keyword; i++)
        if (!is_letter_or_digit(text[i]) && (i == 0 || text[i] != '-'))
            return ERR_INVALID;
    if (keyword == 0 || (equals != NULL && value_len == 0))
        return ERR_INVALID;
    if (text_equal(text, keyword, "SIZE")) {
        bit = 1;
        /* RFC 1870 3: up to 20 digits; whatever has 20 is too big anyway. */
        if (value_len == 20 && text_number(value, 19, &parameters->size) &&
            value[19] >= '0' && value[19] <= '9')
            parameters->size = UINT64_MAX;
        else if (!text_number(value, value_len, &parameters->size))
            return ERR_INVALID;
    } else if (text_equal(text, keyword, "BODY")) {
        bit = 2;
        parameters->eight_bit = text_equal(value, value_len, "8BITMIME");
        if (!parameters->eight_bit && !text_equal(value, value_len, "7BIT"))
            return ERR_INVALID;
    } else {
        return ERR_UNSUPPORTED;
    }
    if ((*seen & bit) != 0)
        return ERR_INVALID;
    *seen |= bit;
    return OK;
}

enum err smtp_parameters_parse(const char *text, size_t len, bool for_mail,
                               struct smtp_parameters *parameters)
{
    const char *end = text + len;
    unsigned seen = 0;

    memset(parameters, 0, sizeof(*parameters));
    while (text < end) {
        const char *word;
        enum err error;

        if (*text == ' ') {
            text++;
            continue;
        }
        word = text;
        while (text < end && *text != ' ')
            text++;
        if (!for_mail)
            return ERR_UNSUPPORTED;
        error = parse_parameter(word, (size_t)(text - word), parameters, &seen);
        if (error != OK)
            return error;
    }
    return OK;
}
