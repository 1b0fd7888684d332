/* Which page answers which path. */
#include "core/check.h"
#include "http/http_internal.h"
#include <string.h>

#define TABLES 16

static struct {
    struct {
        const struct http_route *routes;
        size_t count;
    } tables[TABLES];
    unsigned count;
} state;

void http_add_routes(const struct http_route *routes, size_t count)
{
    ASSERT(state.count < TABLES);
    state.tables[state.count].routes = routes;
    state.tables[state.count++].count = count;
}

/* How well a route fits: 0 not at all; the longer its prefix the better, best
 * of all the whole path. */
static size_t fit(const struct http_route *route, const char *path)
{
    size_t len = strlen(route->path);

    if (len > 0 && route->path[len - 1] == '*')
        return strncmp(route->path, path, len - 1) == 0 ? len : 0;
    return strcmp(route->path, path) == 0 ? SIZE_MAX : 0;
}

static const struct http_route *find(const char *path, unsigned methods,
                                     size_t *rest)
{
    const struct http_route *best = NULL;
    size_t best_fit = 0;

    for (unsigned t = state.count; t-- > 0;) {
        for (size_t i = 0; i < state.tables[t].count; i++) {
            const struct http_route *route = &state.tables[t].routes[i];
            size_t now = route->methods & methods ? fit(route, path) : 0;

            if (now > best_fit) {
                best = route;
                best_fit = now;
            }
        }
    }
    *rest = best_fit == SIZE_MAX ? strlen(path) : best_fit ? best_fit - 1 : 0;
    /* The engine's own pages, unless somebody has a better one. */
    if (best_fit != SIZE_MAX) {
        const struct http_route *own = http_login_route(path);

        if (own && own->methods & methods) {
            *rest = strlen(path);
            return own;
        }
    }
    return best;
}

const struct http_route *http_route_find(const char *path, unsigned method,
                                         size_t *rest)
{
    const struct http_route *route = find(path, method, rest);

    return route ? route : find(path, HTTP_GET | HTTP_POST, rest);
}
