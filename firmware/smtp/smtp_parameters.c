/* ESMTP parameters of MAIL and RCPT: see smtp_parameters.h. */
#include "smtp/smtp_parameters.h"
#include "protocol/text.h"
#include "userdb/user.h"
#include <string.h>

struct word {
    const char *text;
    size_t len;
};

static bool is_alphanumeric(char c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10;
}

static bool is_hex(char c)
{
    return (uint8_t)(c - '0') < 10 || (uint8_t)(c - 'A') < 6;
}

/* RFC 3461 section 4: xchar and "+" with two hexadecimal digits. What is
 * written by its number must be good as a character too: it stands in a header
 * line of a notice one day. Octets beyond ASCII are good there: so Postfix
 * writes addresses in UTF-8, and notices leave them as they came. utf8: RFC
 * 6533 section 3, where other characters stand as they are or as \x{...}. */
static bool xtext_valid(const struct word *word, bool utf8)
{
    size_t i;

    for (i = 0; i < word->len; i++) {
        const char *at = word->text + i;
        uint8_t c = (uint8_t)*at;

        if (c >= 0x80 ? !utf8 : c < 33 || c > 126 || c == '=')
            return false;
        if (c != '+' || utf8)
            continue;
        if (word->len - i < 3 || !is_hex(at[1]) || !is_hex(at[2]) ||
            at[1] < '2' || (at[1] == '7' && at[2] == 'F'))
            return false;
        i += 2;
    }
    return user_text_valid(word->text, word->len);
}

static enum err parse_size(const struct word *value,
                           struct smtp_parameters *parameters)
{
    /* RFC 1870 3: up to 20 digits; whatever has 20 is too big anyway. */
    if (value->len == 20 && text_number(value->text, 19, &parameters->size) &&
        value->text[19] >= '0' && value->text[19] <= '9')
        parameters->size = UINT64_MAX;
    else if (!text_number(value->text, value->len, &parameters->size))
        return ERR_INVALID;
    return OK;
}

static enum err parse_body(const struct word *value,
                           struct smtp_parameters *parameters)
{
    if (text_equal(value->text, value->len, "7BIT"))
        parameters->body = SMTP_BODY_7BIT;
    else if (text_equal(value->text, value->len, "8BITMIME"))
        parameters->body = SMTP_BODY_8BITMIME;
    else if (text_equal(value->text, value->len, "BINARYMIME"))
        parameters->body = SMTP_BODY_BINARYMIME;
    else
        return ERR_INVALID;
    return OK;
}

static enum err parse_smtputf8(const struct word *value,
                               struct smtp_parameters *parameters)
{
    (void)value;
    parameters->smtputf8 = true;
    return OK;
}

static enum err parse_ret(const struct word *value,
                          struct smtp_parameters *parameters)
{
    if (text_equal(value->text, value->len, "FULL"))
        parameters->returning = STORE_RETURN_FULL;
    else if (text_equal(value->text, value->len, "HDRS"))
        parameters->returning = STORE_RETURN_HEADERS;
    else
        return ERR_INVALID;
    return OK;
}

static enum err parse_envid(const struct word *value,
                            struct smtp_parameters *parameters)
{
    parameters->envid = value->text;
    parameters->envid_len = value->len;
    return value->len <= SMTP_ENVID_MAX && xtext_valid(value, false)
               ? OK
               : ERR_INVALID;
}

/* "NEVER", or a list of others without doubles. */
static enum err parse_notify(const struct word *value,
                             struct smtp_parameters *parameters)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } names[] = {{"SUCCESS", STORE_NOTIFY_SUCCESS},
                 {"FAILURE", STORE_NOTIFY_FAILURE},
                 {"DELAY", STORE_NOTIFY_DELAY},
                 {"NEVER", STORE_NOTIFY_NEVER}};
    const char *at = value->text;
    const char *end = at + value->len;

    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        size_t i = 0;

        while (i < 4 && !text_equal(at, (size_t)(stop - at), names[i].name))
            i++;
        if (i == 4 || (parameters->notify & names[i].bit) != 0)
            return ERR_INVALID;
        parameters->notify |= names[i].bit;
        if (comma == NULL)
            break;
        at = comma + 1;
    }
    return (parameters->notify & STORE_NOTIFY_NEVER) != 0 &&
                   parameters->notify != STORE_NOTIFY_NEVER
               ? ERR_INVALID
               : OK;
}

/* addr-type ";" xtext */
static enum err parse_orcpt(const struct word *value,
                            struct smtp_parameters *parameters)
{
    const char *semicolon = memchr(value->text, ';', value->len);
    struct word address;
    size_t type_len, i;

    if (semicolon == NULL || value->len > SMTP_ORCPT_MAX)
        return ERR_INVALID;
    type_len = (size_t)(semicolon - value->text);
    for (i = 0; i < type_len; i++)
        if (!is_alphanumeric(value->text[i]) && value->text[i] != '-')
            return ERR_INVALID;
    address.text = semicolon + 1;
    address.len = value->len - type_len - 1;
    if (type_len == 0 || address.len == 0 ||
        !xtext_valid(&address, text_equal(value->text, type_len, "UTF-8")))
        return ERR_INVALID;
    parameters->orcpt = value->text;
    parameters->orcpt_len = value->len;
    return OK;
}

/* Who the submitter was, as another server says (RFC 4954 5): nobody believes
 * it, but it has to be well-formed. */
static enum err parse_auth(const struct word *value,
                           struct smtp_parameters *parameters)
{
    (void)parameters;
    return xtext_valid(value, false) ? OK : ERR_INVALID;
}

static const struct keyword {
    const char *name;
    bool of_mail, has_value;
    enum err (*parse)(const struct word *value,
                      struct smtp_parameters *parameters);
} keywords[] = {
    {"SIZE", true, true, parse_size},
    {"BODY", true, true, parse_body},
    {"SMTPUTF8", true, false, parse_smtputf8},
    {"RET", true, true, parse_ret},
    {"ENVID", true, true, parse_envid},
    {"AUTH", true, true, parse_auth},
    {"NOTIFY", false, true, parse_notify},
    {"ORCPT", false, true, parse_orcpt},
};
#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

/* One "KEYWORD[=value]" (RFC 5321 4.1.2, esmtp-param). */
static enum err parse_word(const struct word *word, bool for_mail,
                           struct smtp_parameters *parameters, unsigned *seen)
{
    const char *equals = memchr(word->text, '=', word->len);
    struct word value = {"", 0};
    size_t len = equals != NULL ? (size_t)(equals - word->text) : word->len;
    size_t i;

    for (i = 0; i < len; i++)
        if (!is_alphanumeric(word->text[i]) && (i == 0 || word->text[i] != '-'))
            return ERR_INVALID;
    if (equals != NULL) {
        value.text = equals + 1;
        value.len = word->len - len - 1;
    }
    if (len == 0 || (equals != NULL && value.len == 0))
        return ERR_INVALID;
    for (i = 0; i < KEYWORDS; i++)
        if (keywords[i].of_mail == for_mail &&
            text_equal(word->text, len, keywords[i].name))
            break;
    if (i == KEYWORDS)
        return ERR_UNSUPPORTED;
    if ((*seen >> i & 1) != 0 || keywords[i].has_value != (equals != NULL))
        return ERR_INVALID;
    *seen |= 1u << i;
    return keywords[i].parse(&value, parameters);
}

enum err smtp_parameters_parse(const char *text, size_t len, bool for_mail,
                               struct smtp_parameters *parameters)
{
    const char *end = text + len;
    unsigned seen = 0;

    memset(parameters, 0, sizeof(*parameters));
    parameters->envid = parameters->orcpt = "";
    while (text < end) {
        struct word word = {text, 0};
        enum err error;

        if (*text == ' ') {
            text++;
            continue;
        }
        while (text < end && *text != ' ')
            text++;
        word.len = (size_t)(text - word.text);
        error = parse_word(&word, for_mail, parameters, &seen);
        if (error != OK)
            return error;
    }
    return OK;
}
