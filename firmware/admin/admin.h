/* The administrator's pages and the query page, on the web server's page jobs.
 *
 *   /sql              DB query: a statement typed, or a .sql file; for users
 *                     too, where the setting data_access says so
 *   /admin            what is going on: sessions, tasks, store, stick
 *   /admin/users      users, aliases, passwords, quotas
 *   /admin/domains    domains and what holds for them
 *   /admin/queue      mail that waits for other servers
 *   /admin/log        the log; the life of one message
 *   /admin/settings   settings of the store
 *   /admin/first      DNS records to publish, and whether they are there
 *   /metrics          counters as text for Prometheus
 *
 * They show and do what the pages of the console's menu do. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "core/err.h"

/* admin_init - adds the routes; after http_server_init(). */
void admin_init(void);

#endif
