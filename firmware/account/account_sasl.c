/* Responses of PLAIN and LOGIN. */
#include "account/account_sasl.h"
#include <string.h>

static bool take_part(char *to, size_t room, const char *text, size_t len)
{
    if (len == 0 || len >= room || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(to, text, len);
    to[len] = '\0';
    return true;
}

bool account_sasl_name(struct account_login *login, const char *response,
                       size_t len)
{
    return take_part(login->name, sizeof(login->name), response, len);
}

bool account_sasl_password(struct account_login *login, const char *response,
                           size_t len)
{
    return take_part(login->password, sizeof(login->password), response, len);
}

bool account_sasl_plain(struct account_login *login, const char *response,
                        size_t len)
{
    const char *end = response + len;
    const char *name = memchr(response, '\0', len);
    const char *password;
    size_t identity;

    if (name == NULL)
        return false;
    identity = (size_t)(name - response);
    name++;
    password = memchr(name, '\0', (size_t)(end - name));
    if (password == NULL ||
        !account_sasl_name(login, name, (size_t)(password - name)))
        return false;
    password++;
    return (identity == 0 || (identity == strlen(login->name) &&
                              memcmp(response, login->name, identity) == 0)) &&
           account_sasl_password(login, password, (size_t)(end - password));
}
