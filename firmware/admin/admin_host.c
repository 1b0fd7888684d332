/* Whether a request was sent to this machine by a name of its own.
 *
 * A page of another site can have its name lead to an address in the network
 * that its reader is in (DNS rebinding), and then reads what is given there
 * without a login, as if it were its own. The Host field (RFC 9110 7.2) gives
 * it away: an address, and names that only this network gives, are nobody
 * else's. */
#include "admin/admin_page.h"
#include "net/address.h"
#include "net/mdns.h"
#include "store/st.h"
#include <string.h>
#include <strings.h>

/* Longest name, with a dot at its end. */
#define NAME_BYTES 256

/* The name without port and without the dot of the root; false: too long. */
static bool take_name(const char *host, char *name)
{
    size_t len = strcspn(host, ":");

    if (len > 0 && host[len - 1] == '.')
        len--;
    if (len >= NAME_BYTES)
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return true;
}

static bool is_name(const char *name, const char *own)
{
    return own[0] != '\0' && strcasecmp(name, own) == 0;
}

/* The host name, or its first label alone. */
static bool is_hostname(const char *name)
{
    const char *own = st_setting("hostname");
    size_t label = strcspn(own, ".");

    return is_name(name, own) || (label > 0 && strlen(name) == label &&
                                  strncasecmp(name, own, label) == 0);
}

bool admin_host_own(const struct http_exchange *x)
{
    const char *host = http_request_header(x, "host");
    struct net_address address;
    char name[NAME_BYTES];

    /* No browser leaves it out; brackets hold addresses only. */
    if (host == NULL || host[0] == '[')
        return true;
    if (!take_name(host, name))
        return false;
    return net_address_parse(name, &address) == OK ||
           is_name(name, "localhost") || is_name(name, mdns_name()) ||
           is_hostname(name);
}
