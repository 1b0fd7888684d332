/* Next hops: jobs wait at them, and how many sessions each gets.
 *
 * A host begins with few sessions; every connection that works allows one more,
 * up to the setting "queue_host_sessions"; one that fails halves them. Sessions
 * are given out to the hosts with waiting jobs in turn. A host that could not
 * be reached is left alone for a minute: what becomes due meanwhile is put off
 * for the same reason.
 *
 * Messages without sender, notices and the like, may be for whomever a stranger
 * wants, who may answer as slowly as he likes: for them no session is begun
 * while as many of them are under way as half of all sessions.
 *
 * No more jobs are under way at a host, from the first command until their
 * outcome is durable, than it may have sessions: that is what a power cut can
 * make it get twice. */
#include "core/check.h"
#include "core/log.h"
#include "core/memory.h"
#include "protocol/text.h"
#include "core/timer.h"
#include "relay/relay_internal.h"
#include <stdio.h>
#include <string.h>

#define SMTP_PORT       25
#define SESSIONS_FIRST  5
#define SESSIONS_MAX    20
#define DEAD_MS         60000
#define PAUSE_MS        1000
#define AUTOMATIC_SHARE 2 /* of the sessions */

static struct {
    struct list used, free; /* link */
    struct list ready;      /* ready */
    struct timer pause;     /* runs: no session is begun */
    unsigned automatic;     /* jobs under way whose message has no sender */
} state;

static void pause_over(struct timer *timer)
{
    (void)timer;
    relay_host_schedule();
}

void relay_host_pause(void)
{
    timer_start(&state.pause, PAUSE_MS);
}

enum err relay_host_init(unsigned hosts)
{
    struct relay_host *host = memory_take("relay", hosts * sizeof(*host), 64);

    list_init(&state.used);
    list_init(&state.free);
    list_init(&state.ready);
    timer_init(&state.pause, pause_over);
    state.automatic = 0;
    if (host == NULL)
        return ERR_MEMORY;
    for (unsigned i = 0; i < hosts; i++) {
        list_init(&host[i].link);
        list_init(&host[i].ready);
        list_init(&host[i].jobs);
        list_init(&host[i].waiting);
        list_append(&state.free, &host[i].link);
    }
    return OK;
}

static unsigned sessions_max(void)
{
    const char *text = st_setting("queue_host_sessions");
    uint64_t value;

    if (text_number(text, strlen(text), &value) && value > 0 &&
        value <= UINT16_MAX)
        return (unsigned)value;
    return SESSIONS_MAX;
}

/* ---- Finding ------------------------------------------------------------- */

static void lower(char *text)
{
    for (; *text; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
    }
}

static uint16_t port_of(const struct store_route *route)
{
    return route->port ? route->port : SMTP_PORT;
}

static bool is_host(const struct relay_host *host, const char *name,
                    const struct store_route *route)
{
    bool routed = route->host[0] != '\0';

    if (host->routed != routed || strcmp(host->name, name) != 0)
        return false;
    return !routed || (host->port == port_of(route) &&
                       strcmp(host->login, route->login) == 0 &&
                       strcmp(host->password, route->password) == 0);
}

/* A host that is not in use, or the one that was used longest ago. */
static struct relay_host *take_host(void)
{
    struct list *node = list_take_first(&state.free);

    if (node != NULL)
        return LIST_ELEMENT(node, struct relay_host, link);
    for (node = state.used.next; node != &state.used; node = node->next) {
        struct relay_host *host = LIST_ELEMENT(node, struct relay_host, link);

        if (host->active == 0 && host->under_way == 0 &&
            list_empty(&host->jobs)) {
            list_remove(&host->link);
            return host;
        }
    }
    return NULL;
}

static struct relay_host *make_host(const char *name,
                                    const struct store_route *route)
{
    struct relay_host *host = take_host();

    if (host == NULL)
        return NULL;
    host->active = 0;
    host->under_way = 0;
    host->limit = SESSIONS_FIRST;
    if (host->limit > sessions_max())
        host->limit = sessions_max();
    host->dead_until_ms = 0;
    host->reply[0] = '\0';
    host->routed = route->host[0] != '\0';
    host->port = host->routed ? port_of(route) : SMTP_PORT;
    (void)snprintf(host->name, sizeof(host->name), "%s", name);
    (void)snprintf(host->login, sizeof(host->login), "%s", route->login);
    (void)snprintf(host->password, sizeof(host->password), "%s",
                   route->password);
    return host;
}

struct relay_host *relay_host_find(const struct store_due *due)
{
    const char *at = strrchr(due->recipient, '@');
    char name[USER_DOMAIN_BYTES];
    struct relay_host *found = NULL;

    /* What no name server could be asked for is left as it is: it has none. */
    if (due->route.host[0] != '\0')
        (void)snprintf(name, sizeof(name), "%s", due->route.host);
    else if (user_domain_to_ascii(at + 1, strlen(at + 1), name) != OK)
        (void)snprintf(name, sizeof(name), "%s", at + 1);
    lower(name);
    for (struct list *node = state.used.previous;
         node != &state.used && found == NULL; node = node->previous) {
        struct relay_host *host = LIST_ELEMENT(node, struct relay_host, link);

        if (is_host(host, name, &due->route))
            found = host;
    }
    if (found != NULL)
        list_remove(&found->link);
    else
        found = make_host(name, &due->route);
    if (found != NULL)
        list_append(&state.used, &found->link);
    return found;
}

/* ---- Jobs ---------------------------------------------------------------- */

void relay_host_add(struct relay_job *job, bool first)
{
    struct relay_host *host = job->host;

    relay_host_settled(job);
    list_insert(first ? host->jobs.next : &host->jobs, &job->link);
    if (list_empty(&host->ready))
        list_append(&state.ready, &host->ready);
}

static bool is_automatic(const struct relay_job *job)
{
    return job->sender[0] == '\0';
}

/* The first job of a host; NULL: it has none. */
static struct relay_job *take_job(struct relay_host *host)
{
    struct list *node = list_take_first(&host->jobs);

    if (list_empty(&host->jobs))
        list_remove(&host->ready);
    return node ? LIST_ELEMENT(node, struct relay_job, link) : NULL;
}

struct relay_job *relay_host_next_job(struct relay_host *host)
{
    struct relay_job *job = take_job(host);

    if (job == NULL)
        return NULL;
    job->under_way = true;
    host->under_way++;
    state.automatic += is_automatic(job);
    return job;
}

struct relay_job *relay_host_any_job(void)
{
    return list_empty(&state.ready)
               ? NULL
               : take_job(
                     LIST_ELEMENT(state.ready.next, struct relay_host, ready));
}

static bool is_full(const struct relay_host *host)
{
    return host->under_way >= sessions_max();
}

bool relay_host_must_wait(const struct relay_host *host)
{
    return !list_empty(&host->jobs) && is_full(host);
}

void relay_host_settled(struct relay_job *job)
{
    struct relay_host *host = job->host;

    if (!job->under_way)
        return;
    job->under_way = false;
    ASSERT(host->under_way > 0);
    host->under_way--;
    state.automatic -= is_automatic(job);
    if (!relay_session_resume(host) &&
        (is_automatic(job) || !list_empty(&host->jobs)))
        relay_host_schedule();
}

void relay_host_failed(struct relay_host *host, bool permanent,
                       const char *reply)
{
    struct relay_job *job;

    if (!permanent) {
        host->dead_until_ms = timer_now_ms() + DEAD_MS;
        host->limit = host->limit / 2 + 1;
        (void)snprintf(host->reply, sizeof(host->reply), "%s", reply);
    }
    while ((job = relay_host_next_job(host)) != NULL) {
        relay_decide(job, permanent ? RELAY_FAILED : RELAY_DEFERRED, reply);
        relay_settle(job);
    }
}

void relay_host_works(struct relay_host *host)
{
    host->dead_until_ms = 0;
    if (host->limit < sessions_max())
        host->limit++;
}

void relay_host_left(struct relay_host *host)
{
    ASSERT(host->active > 0);
    host->active--;
    (void)relay_session_resume(host);
    relay_host_schedule();
}

/* Whether a session may be begun for a host that has jobs; the one that it is
 * for is made the first. */
static bool may_begin(struct relay_host *host)
{
    struct list *node = host->jobs.next;

    if (host->active >= host->limit || is_full(host))
        return false;
    if (state.automatic < relay_context.pool.count / AUTOMATIC_SHARE)
        return true;
    while (node != &host->jobs &&
           is_automatic(LIST_ELEMENT(node, struct relay_job, link)))
        node = node->next;
    if (node == &host->jobs)
        return false;
    list_remove(node);
    list_insert(host->jobs.next, node);
    return true;
}

static void move_all(struct list *to, struct list *from)
{
    struct list *node;

    while ((node = list_take_first(from)) != NULL)
        list_append(to, node);
}

/* One session for each host of the ring that may have one: who gets it goes to
 * the end of the ring, the others keep their places. Returns whether any did.
 */
static bool give_round(void)
{
    struct list round, served;
    struct list *node;
    bool started = false;

    list_init(&round);
    list_init(&served);
    move_all(&round, &state.ready);
    while ((node = list_take_first(&round)) != NULL) {
        struct relay_host *host = LIST_ELEMENT(node, struct relay_host, ready);

        if (!may_begin(host) || !relay_session_begin(host)) {
            list_append(&state.ready, node);
            continue;
        }
        started = true;
        if (!list_empty(&host->jobs))
            list_append(&served, node);
    }
    move_all(&state.ready, &served);
    return started;
}

void relay_host_schedule(void)
{
    if (timer_running(&state.pause) || list_empty(&state.ready))
        return;
    if (!relay_context.network->is_up()) {
        relay_host_pause();
        return;
    }
    while (!relay_context.stopping && give_round())
        ;
}
