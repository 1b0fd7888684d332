/* RFC 9293 3.3.2 as a table: one row for each state, one column for each event.
 * All changes of state in TCP go through it. */
#include "net/tcp_state.h"
#include <stdint.h>

#define CL TCP_CLOSED
#define LI TCP_LISTEN
#define SS TCP_SYN_SENT
#define SR TCP_SYN_RECEIVED
#define ES TCP_ESTABLISHED
#define F1 TCP_FIN_WAIT_1
#define F2 TCP_FIN_WAIT_2
#define CW TCP_CLOSE_WAIT
#define CG TCP_CLOSING
#define LA TCP_LAST_ACK
#define TW TCP_TIME_WAIT

/* clang-format off */
static const uint8_t next[TCP_STATES][TCP_EVENTS] = {
    /*                     pass act  syn  synA close fin finA rst  abrt time */
    [TCP_CLOSED] =       { LI,  SS,  CL,  CL,  CL,  CL,  CL,  CL,  CL,  CL },
    [TCP_LISTEN] =       { LI,  SS,  SR,  LI,  CL,  LI,  LI,  LI,  CL,  LI },
    [TCP_SYN_SENT] =     { SS,  SS,  SR,  ES,  CL,  SS,  SS,  CL,  CL,  CL },
    [TCP_SYN_RECEIVED] = { SR,  SR,  SR,  ES,  F1,  CW,  SR,  CL,  CL,  CL },
    [TCP_ESTABLISHED] =  { ES,  ES,  ES,  ES,  F1,  CW,  ES,  CL,  CL,  CL },
    [TCP_FIN_WAIT_1] =   { F1,  F1,  F1,  F1,  F1,  CG,  F2,  CL,  CL,  CL },
    [TCP_FIN_WAIT_2] =   { F2,  F2,  F2,  F2,  F2,  TW,  F2,  CL,  CL,  CL },
    [TCP_CLOSE_WAIT] =   { CW,  CW,  CW,  CW,  LA,  CW,  CW,  CL,  CL,  CL },
    [TCP_CLOSING] =      { CG,  CG,  CG,  CG,  CG,  CG,  TW,  CL,  CL,  CL },
    [TCP_LAST_ACK] =     { LA,  LA,  LA,  LA,  LA,  LA,  CL,  CL,  CL,  CL },
    [TCP_TIME_WAIT] =    { TW,  TW,  TW,  TW,  TW,  TW,  TW,  CL,  CL,  CL },
};
/* clang-format on */

enum tcp_state tcp_next_state(enum tcp_state state, enum tcp_event event)
{
    return (enum tcp_state)next[state][event];
}

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[TCP_STATES] = {
        [TCP_CLOSED] = "CLOSED",           [TCP_LISTEN] = "LISTEN",
        [TCP_SYN_SENT] = "SYN-SENT",       [TCP_SYN_RECEIVED] = "SYN-RECEIVED",
        [TCP_ESTABLISHED] = "ESTABLISHED", [TCP_FIN_WAIT_1] = "FIN-WAIT-1",
        [TCP_FIN_WAIT_2] = "FIN-WAIT-2",   [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
        [TCP_CLOSING] = "CLOSING",         [TCP_LAST_ACK] = "LAST-ACK",
        [TCP_TIME_WAIT] = "TIME-WAIT",
    };

    return names[state];
}

const char *tcp_event_name(enum tcp_event event)
{
    static const char *const names[TCP_EVENTS] = {
        [TCP_EVENT_PASSIVE_OPEN] = "passive open",
        [TCP_EVENT_ACTIVE_OPEN] = "active open",
        [TCP_EVENT_SYN] = "syn",
        [TCP_EVENT_SYN_ACKED] = "syn acked",
        [TCP_EVENT_CLOSE] = "close",
        [TCP_EVENT_FIN] = "fin",
        [TCP_EVENT_FIN_ACKED] = "fin acked",
        [TCP_EVENT_RESET] = "reset",
        [TCP_EVENT_ABORT] = "abort",
        [TCP_EVENT_TIMEOUT] = "timeout",
    };

    return names[event];
}
