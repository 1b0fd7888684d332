/* The states of a TCP connection as a pure table (RFC 9293 3.3.2, figure 5). */
#ifndef NET_TCP_STATE_H
#define NET_TCP_STATE_H

enum tcp_state {
    TCP_CLOSED,
    TCP_LISTEN,
    TCP_SYN_SENT,
    TCP_SYN_RECEIVED,
    TCP_ESTABLISHED,
    TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2,
    TCP_CLOSE_WAIT,
    TCP_CLOSING,
    TCP_LAST_ACK,
    TCP_TIME_WAIT,
    TCP_STATES,
};

enum tcp_event {
    TCP_EVENT_PASSIVE_OPEN,
    TCP_EVENT_ACTIVE_OPEN,
    TCP_EVENT_SYN,       /* the peer's SYN, ours not acknowledged by it */
    TCP_EVENT_SYN_ACKED, /* our SYN is acknowledged, the peer's has come */
    TCP_EVENT_CLOSE,     /* our side has nothing more to send */
    TCP_EVENT_FIN,       /* the peer's FIN, everything before it has come */
    TCP_EVENT_FIN_ACKED, /* our FIN is acknowledged */
    TCP_EVENT_RESET,     /* a valid RST has come */
    TCP_EVENT_ABORT,     /* our side gives up, with RST */
    TCP_EVENT_TIMEOUT,   /* retransmission, idle or 2 MSL time is over */
    TCP_EVENTS,
};

/* tcp_next_state - where an event leads. An event that cannot happen in a state
 * leaves it as it is. Pure. */
enum tcp_state tcp_next_state(enum tcp_state state, enum tcp_event event);

/* Names as in RFC 9293, e.g. "FIN-WAIT-1", and of events, e.g. "fin acked". */
const char *tcp_state_name(enum tcp_state state);
const char *tcp_event_name(enum tcp_event event);

#endif
