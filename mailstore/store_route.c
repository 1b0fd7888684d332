/* Routes: the servers that take mail for a domain instead of its MX, and how
 * people write them. */
#include "mailstore/store_internal.h"
#include "mailstore/store_queue.h"
#include <stdio.h>
#include <string.h>

#define SMTP_PORT 25

/* ---- As people write them ------------------------------------------------ */

/* Copies what does not end the text of a field. Returns false when it is too
 * long or holds what no line of a protocol may. */
static bool copy_part(char *to, size_t bytes, const char *from, size_t len)
{
    if (len >= bytes)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)from[i] < 0x20 || from[i] == 0x7f)
            return false;
    }
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

/* "host", "host:port", "[address]:port". */
static bool parse_host(const char *text, size_t len, struct store_route *route)
{
    const char *bracket = text[0] == '[' ? memchr(text, ']', len) : NULL;
    const char *from = bracket ? bracket : text;
    const char *colon = memchr(from, ':', len - (size_t)(from - text));
    size_t host_len = colon ? (size_t)(colon - text) : len;
    unsigned port = 0;

    route->port = SMTP_PORT;
    if (host_len == 0 || memchr(text, ' ', len) ||
        !copy_part(route->host, sizeof route->host, text, host_len))
        return false;
    if (!bracket && !user_domain_valid(route->host, host_len))
        return false;
    if (!colon)
        return true;
    for (const char *at = colon + 1; at < text + len; at++) {
        if (*at < '0' || *at > '9')
            return false;
        port = port * 10 + (unsigned)(*at - '0');
        if (port > UINT16_MAX)
            return false;
    }
    route->port = (uint16_t)port;
    return port > 0;
}

enum err store_route_parse(const char *text, char *domain, size_t bytes,
                           struct store_route *route)
{
    const char *equals = strchr(text, '=');
    size_t host_len = equals ? strcspn(equals + 1, ",") : 0;
    const char *login = equals ? equals + 1 + host_len : "";
    const char *password;

    memset(route, 0, sizeof *route);
    if (!equals || !copy_part(domain, bytes, text, (size_t)(equals - text)) ||
        !parse_host(equals + 1, host_len, route))
        return ERR_INVALID;
    if (strcmp(domain, "*") == 0)
        domain[0] = '\0';
    if (domain[0] && !user_domain_valid(domain, strlen(domain)))
        return ERR_INVALID;
    if (*login == '\0')
        return OK;
    login++;
    password = strchr(login, ',');
    if (!password || password == login ||
        !copy_part(route->login, sizeof route->login, login,
                   (size_t)(password - login)) ||
        !copy_part(route->password, sizeof route->password, password + 1,
                   strlen(password + 1)))
        return ERR_INVALID;
    return OK;
}

char *store_route_format(const char *domain, const struct store_route *route,
                         char *text)
{
    (void)snprintf(text, STORE_ROUTE_TEXT, "%.*s=%s:%u%s%s%s%s",
                   USER_DOMAIN_BYTES, domain[0] ? domain : "*", route->host,
                   (unsigned)route->port, route->login[0] ? "," : "",
                   route->login, route->login[0] ? "," : "",
                   route->login[0] ? route->password : "");
    return text;
}

/* ---- In the store ---------------------------------------------------------
 */

enum err store_route_put(struct store *store, const char *domain,
                         const struct store_route *route)
{
    bool removed = route->host[0] == '\0';
    sqlite3_stmt *statement;

    if (domain[0] && !user_domain_valid(domain, strlen(domain)))
        return ERR_INVALID;
    statement =
        store_statement(store, removed ? SQL_ROUTE_DROP : SQL_ROUTE_PUT);
    if (statement) {
        sqlite3_bind_text(statement, 1, domain, -1, SQLITE_STATIC);
        if (!removed) {
            sqlite3_bind_text(statement, 2, route->host, -1, SQLITE_STATIC);
            sqlite3_bind_int(statement, 3, route->port);
            sqlite3_bind_text(statement, 4, route->login, -1, SQLITE_STATIC);
            sqlite3_bind_text(statement, 5, route->password, -1, SQLITE_STATIC);
        }
    }
    return store_run(store, statement);
}

static void load_route(sqlite3_stmt *statement, struct store_route *route)
{
    store_copy_column(statement, 0, route->host, sizeof route->host);
    route->port = (uint16_t)sqlite3_column_int(statement, 1);
    store_copy_column(statement, 2, route->login, sizeof route->login);
    store_copy_column(statement, 3, route->password, sizeof route->password);
}

enum err store_route_find(struct store *store, const char *domain,
                          struct store_route *route)
{
    sqlite3_stmt *statement = store_statement(store, SQL_ROUTE_FIND);
    enum err err;
    int code;

    memset(route, 0, sizeof *route);
    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_text(statement, 1, domain, -1, SQLITE_STATIC);
    code = sqlite3_step(statement);
    err = store_error(store, code);
    if (code == SQLITE_ROW)
        load_route(statement, route);
    sqlite3_reset(statement);
    return err;
}

enum err store_list_routes(struct store *store,
                           enum err (*each)(void *context, const char *domain,
                                            const struct store_route *route),
                           void *context)
{
    sqlite3_stmt *statement = store_statement(store, SQL_ROUTE_LIST);
    struct store_route route;
    enum err err = OK;
    int code = SQLITE_ROW;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    while (!err && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *domain = (const char *)sqlite3_column_text(statement, 4);

        load_route(statement, &route);
        err = each(context, domain ? domain : "", &route);
    }
    if (!err)
        err = store_error(store, code);
    sqlite3_reset(statement);
    return err;
}
