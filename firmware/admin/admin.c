/* The routes of the administrator's pages: see admin.h. */
#include "admin/admin.h"
#include "admin/admin_page.h"

/* A .sql file and its form; what is longer than a query's text is refused. */
#define SQL_BODY_MAX ((uint64_t)4 * 1024 * 1024)

static const struct http_route routes[] = {
    {"/sql", HTTP_GET | HTTP_POST, HTTP_USER, admin_sql_page, SQL_BODY_MAX},
    {"/sql/stop", HTTP_POST, HTTP_USER, admin_sql_stop_page, 0},
    {"/admin", HTTP_GET, HTTP_ADMIN, admin_home_page, 0},
    {"/admin/users", HTTP_GET | HTTP_POST, HTTP_ADMIN, admin_users_page, 0},
    {"/admin/user", HTTP_GET | HTTP_POST, HTTP_ADMIN, admin_user_page, 0},
    {"/admin/domains", HTTP_GET | HTTP_POST, HTTP_ADMIN, admin_domains_page, 0},
    {"/admin/queue", HTTP_GET | HTTP_POST, HTTP_ADMIN, admin_queue_page, 0},
    {"/admin/log", HTTP_GET, HTTP_ADMIN, admin_log_page, 0},
    {"/admin/settings", HTTP_GET | HTTP_POST, HTTP_ADMIN, admin_settings_page,
     0},
    {"/admin/first", HTTP_GET, HTTP_ADMIN, admin_first_page, 0},
    {"/metrics", HTTP_GET, HTTP_PUBLIC, admin_metrics_page, 0},
};

void admin_init(void)
{
    http_add_routes(routes, sizeof(routes) / sizeof(routes[0]));
}
