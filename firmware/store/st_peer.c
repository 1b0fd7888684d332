/* Asking and noting: see st_peer.h. A friend who writes every day is noted once
 * a day. */
#include "mailstore/store_peer.h"
#include "st_internal.h"
#include "store/st_peer.h"
#include <stdio.h>
#include <string.h>

#define NOTES      32
#define NOTE_AGAIN (INT64_C(24) * 3600 * 1000)

static struct {
    struct st_peer notes[NOTES];
    bool used[NOTES];
} state;

static void find_peer(struct st_request *request, struct store *store)
{
    struct st_peer *peer = (struct st_peer *)request;
    int64_t last_ms;
    enum err err = store_peer_find(store, peer->peer, &last_ms);

    peer->known = err == OK;
    request->result = err == ERR_NOT_FOUND ? OK : err;
}

void st_peer_find(struct st_peer *peer)
{
    peer->known = false;
    peer->request.work = find_peer;
    st_queue(&st_context.reads, &peer->request);
}

static void note_peer(struct st_request *request, struct store *store)
{
    struct st_peer *peer = (struct st_peer *)request;
    int64_t now = machine_wall_clock_ms();
    int64_t last_ms;
    enum err err = store_peer_find(store, peer->peer, &last_ms);

    if (err == ERR_NOT_FOUND || (!err && now - last_ms > NOTE_AGAIN))
        err = store_peer_note(store, peer->peer, now);
    request->result = err;
}

static void noted(struct st_request *request)
{
    state.used[(struct st_peer *)request - state.notes] = false;
}

void st_peer_note(const char *peer)
{
    for (unsigned i = 0; i < NOTES; i++) {
        struct st_peer *note = &state.notes[i];

        if (state.used[i])
            continue;
        state.used[i] = true;
        (void)snprintf(note->peer, sizeof note->peer, "%s", peer);
        note->request.work = note_peer;
        note->request.done = noted;
        st_queue(&st_context.writes, &note->request);
        return;
    }
}
