/* Requests about the outgoing queue, and word of its changes: see st_queue.h.
 */
#include "store/st_queue.h"
#include "st_internal.h"
#include <stdio.h>

static struct {
    void (*changed)(void), (*acted)(void);
    bool told;       /* changed() is due */
    bool told_acted; /* acted() is */
} state;

/* ---- The relay ---------------------------------------------------------- */

static void read_due(struct st_request *request, struct store *store)
{
    struct st_due *due = (struct st_due *)request;

    request->result = store_queue_due(store, &due->list);
}

void st_queue_due(struct st_due *due)
{
    due->request.work = read_due;
    due->list.count = 0;
    st_queue(&st_context.writes, &due->request);
}

static void settle_rows(struct st_request *request, struct store *store)
{
    struct st_settle *settle = (struct st_settle *)request;

    request->result = store_queue_settle(store, &settle->settlement);
}

void st_queue_settle(struct st_settle *settle)
{
    settle->request.work = settle_rows;
    st_queue(&st_context.writes, &settle->request);
}

/* ---- The menu ----------------------------------------------------------- */

static void act(struct st_request *request, struct store *store)
{
    struct st_queue_action *action = (struct st_queue_action *)request;

    request->result = store_queue_act(store, action->queue_id, action->action);
}

void st_queue_act(struct st_queue_action *action)
{
    action->request.work = act;
    st_queue(&st_context.writes, &action->request);
}

static enum err view_row(void *context, const struct store_queue_info *info)
{
    struct st_queue_view *view = context;

    if (view->count == view->room)
        return ERR_FULL;
    view->rows[view->count++] = *info;
    return OK;
}

static void read_view(struct st_request *request, struct store *store)
{
    struct st_queue_view *view = (struct st_queue_view *)request;

    view->count = 0;
    request->result = store_list_queue(store, view->skip, view_row, view);
    if (request->result == ERR_FULL)
        request->result = OK;
    if (!request->result)
        request->result = store_queue_count(store, &view->all, &view->held);
}

void st_queue_view(struct st_queue_view *view)
{
    view->request.work = read_view;
    st_queue(&st_context.reads, &view->request);
}

/* ---- Routes ------------------------------------------------------------- */

static void put_route(struct st_request *request, struct store *store)
{
    struct st_route_change *change = (struct st_route_change *)request;

    request->result = store_route_put(store, change->domain, &change->route);
}

void st_route_put(struct st_route_change *change)
{
    change->request.work = put_route;
    st_queue(&st_context.writes, &change->request);
}

static enum err view_route(void *context, const char *domain,
                           const struct store_route *route)
{
    struct st_route_view *view = context;

    if (view->count == view->room)
        return ERR_FULL;
    (void)snprintf(view->rows[view->count].domain,
                   sizeof view->rows[view->count].domain, "%s", domain);
    view->rows[view->count++].route = *route;
    return OK;
}

static void read_routes(struct st_request *request, struct store *store)
{
    struct st_route_view *view = (struct st_route_view *)request;

    view->count = 0;
    request->result = store_list_routes(store, view_route, view);
    if (request->result == ERR_FULL)
        request->result = OK;
}

void st_route_view(struct st_route_view *view)
{
    view->request.work = read_routes;
    st_queue(&st_context.reads, &view->request);
}

/* ---- Changes ------------------------------------------------------------ */

void st_queue_on_change(void (*changed)(void), void (*acted)(void))
{
    state.changed = changed;
    state.acted = acted;
}

void st_queue_note_change(void)
{
    state.told = true;
}

void st_queue_note_act(void)
{
    state.told_acted = true;
}

bool st_queue_run(void)
{
    bool changed = state.told, acted = state.told_acted;

    state.told = state.told_acted = false;
    if (acted && state.acted)
        state.acted();
    if (changed && state.changed)
        state.changed();
    return changed || acted;
}
