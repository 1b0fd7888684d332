/* Strangers and friends: who has sent mail before, as the store remembers. */
#ifndef STORE_ST_PEER_H
#define STORE_ST_PEER_H

#include "store/st.h"

#define ST_PEER_BYTES 320

struct st_peer {
    struct st_request request;
    char peer[ST_PEER_BYTES];
    bool known; /* out */
};

/* st_peer_find - whether this peer is known; request.result is OK also when it
 * is not. */
void st_peer_find(struct st_peer *peer);

/* st_peer_note - it has sent a message that was taken. Written with what else
 * is; when too much waits already, this time is not noted. */
void st_peer_note(const char *peer);

#endif
