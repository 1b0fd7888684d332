/* Which names, domains and aliases are taken: the syntax of RFC 5321 without
 * quoted local parts, so that every name is a local part as it stands. Aliases
 * and addresses may be internationalised (RFC 6531); names of users, which are
 * login names, are ASCII. */
#include "userdb/user.h"
#include <string.h>

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* RFC 5322 3.2.3 atext */
static bool is_atom_char(char c)
{
    return is_alphanumeric(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* utf8: bytes above 127 are let through; whoever asks has looked at them. */
static bool local_part_valid(const char *text, size_t len, bool utf8)
{
    bool dot = true; /* a dot may not stand here */

    if (len == 0 || len >= USER_NAME_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.') {
            if (dot)
                return false;
            dot = true;
        } else {
            if (!is_atom_char(text[i]) && !(utf8 && (text[i] & 0x80)))
                return false;
            dot = false;
        }
    }
    return !dot;
}

bool user_name_valid(const char *name)
{
    return local_part_valid(name, strnlen(name, USER_NAME_BYTES), false);
}

bool user_domain_valid(const char *domain, size_t len)
{
    size_t label = 0;

    if (len == 0 || len >= USER_DOMAIN_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = domain[i];

        if (c == '.') {
            if (label == 0 || domain[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!is_alphanumeric(c) && (c != '-' || label == 0))
            return false;
        if (++label > 63)
            return false;
    }
    return label > 0 && domain[len - 1] != '-';
}

/* How many bytes follow the first one of a character, 9: it cannot be one. */
static unsigned bytes_after(uint8_t first)
{
    if (first < 0x80)
        return 0;
    if (first < 0xc2)
        return 9;
    if (first < 0xe0)
        return 1;
    if (first < 0xf0)
        return 2;
    return first < 0xf5 ? 3 : 9;
}

bool user_text_valid(const char *text, size_t len)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + len;

    while (at < end) {
        unsigned more = bytes_after(*at);

        if (more > (size_t)(end - at - 1) || *at < 0x20 || *at == 0x7f)
            return false;
        /* Neither longer than need be, nor surrogates, nor beyond the end. */
        if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
            (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
            return false;
        for (at++; more; more--, at++) {
            if ((*at & 0xc0) != 0x80)
                return false;
        }
    }
    return true;
}

const char *user_address_at(const char *address, size_t len)
{
    while (len > 0) {
        if (address[--len] == '@')
            return address + len;
    }
    return NULL;
}

static bool whole_address_valid(const char *text, bool bare, bool rest)
{
    size_t len = strnlen(text, USER_ADDRESS_BYTES);
    const char *at = user_address_at(text, len);
    char ascii[USER_DOMAIN_BYTES];

    if (len == USER_ADDRESS_BYTES || !user_text_valid(text, len))
        return false;
    if (!at)
        return bare && local_part_valid(text, len, true);
    if (user_domain_to_ascii(at + 1, len - (size_t)(at + 1 - text), ascii))
        return false;
    return (rest && at == text) ||
           local_part_valid(text, (size_t)(at - text), true);
}

bool user_alias_valid(const char *alias)
{
    return whole_address_valid(alias, true, true);
}

bool user_address_valid(const char *address)
{
    return whole_address_valid(address, true, false);
}
