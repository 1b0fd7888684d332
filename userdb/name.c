/* Which names, domains and aliases are taken: the syntax of RFC 5321 without
 * quoted local parts, so that every name is a local part as it stands.
 * Not supported: internationalised addresses (RFC 6531). */
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

static bool local_part_valid(const char *text, size_t len)
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
            if (!is_atom_char(text[i]))
                return false;
            dot = false;
        }
    }
    return !dot;
}

bool user_name_valid(const char *name)
{
    return local_part_valid(name, strnlen(name, USER_NAME_BYTES));
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

bool user_alias_valid(const char *alias)
{
    size_t len = strnlen(alias, USER_ADDRESS_BYTES);
    const char *at = memchr(alias, '@', len);

    if (len >= USER_ADDRESS_BYTES)
        return false;
    if (!at)
        return local_part_valid(alias, len);
    return local_part_valid(alias, (size_t)(at - alias)) &&
           user_domain_valid(at + 1, len - (size_t)(at + 1 - alias));
}
