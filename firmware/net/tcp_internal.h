/* What the files of TCP share; nobody else includes it. */
#ifndef NET_TCP_INTERNAL_H
#define NET_TCP_INTERNAL_H

#include "core/iobuf.h"
#include "core/list.h"
#include "core/timer.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "net/tcp_state.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_HEADER           20U
#define TCP_OPTIONS_MAX      40
#define TCP_MSS_OWN          1460U /* Ethernet's MTU less both headers */
#define TCP_MSS_DEFAULT      536   /* RFC 9293 3.7.1 */
#define TCP_MSS_MIN          216
#define TCP_WINDOW_SCALE     2
#define TCP_SEND_BYTES       65536  /* written and not acknowledged, each */
#define TCP_RECEIVE_BYTES    131072 /* largest receive window */
#define TCP_SEND_BUFFERS     64
#define TCP_RECEIVE_BUFFERS  128
#define TCP_WRITE_ROOM       4096U /* stream.h promises it */
#define TCP_INITIAL_SEGMENTS 10    /* RFC 6928 */

#define TCP_RTO_MIN_MS                                                         \
    200 /* LANs; RFC 6298's 1 s is for the coarse                              \
           clocks of its time */
#define TCP_RTO_MAX_MS       60000
#define TCP_RTO_FIRST_MS     1000
#define TCP_DELAYED_ACK_MS   150
#define TCP_GIVE_UP_MS       120000 /* R2, RFC 9293 3.8.3 */
#define TCP_SYN_GIVE_UP_MS   180000 /* R2 of an active open */
#define TCP_SYN_RETRIES      5 /* of a SYN-ACK: 1 + 2 + 4 + 8 + 16 + 32 s */
#define TCP_FIN_WAIT_2_MS    60000
#define TCP_ORPHAN_MS        300000 /* closed by us, still not acknowledged */
#define TCP_2MSL_MS          60000
#define TCP_CHALLENGE_MS     100 /* between answers to bad segments */
#define TCP_BUSY_RETRY_MS    10
#define TCP_WRITABLE_POLL_MS 100
#define TCP_RETRY_MS         100 /* of a probe that the card did not take */

enum tcp_flag {
    TCP_FIN = 1,
    TCP_SYN = 2,
    TCP_RST = 4,
    TCP_PSH = 8,
    TCP_ACK = 16,
    TCP_URG = 32,
};

/* Comparison of sequence numbers, modulo 2^32 (RFC 9293 3.4). */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool seq_leq(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

/* Milliseconds cut to 32 bits are compared in the same way. */
static inline uint32_t now_ms32(void)
{
    return (uint32_t)timer_now_ms();
}

/* buffer->flags of what is being sent: the number of payload bytes, and what
 * became of them since the last rewinding. */
#define TCP_BUFFER_BYTES  0x07FF
#define TCP_BUFFER_SACKED 0x8000 /* the peer has them (RFC 2018) */
#define TCP_BUFFER_RESENT 0x4000 /* in this recovery */

static inline uint16_t tcp_buffer_bytes(const struct iobuf *buffer)
{
    return buffer->flags & TCP_BUFFER_BYTES;
}

/* What names a connection. No padding: it is hashed and compared as bytes. */
struct tcp_key {
    struct net_address remote, local;
    uint16_t remote_port, local_port;
};

_Static_assert(sizeof(struct tcp_key) == 36, "tcp_key has no padding");

enum tcp_kind {
    TCP_KIND_FULL,      /* struct tcb */
    TCP_KIND_HALF_OPEN, /* struct tcp_half_open */
    TCP_KIND_TIME_WAIT, /* struct tcp_time_wait */
};

/* First member of all that is found by a key. */
struct tcp_node {
    struct tcp_node *next; /* in its hash chain */
    struct tcp_key key;
    uint8_t kind;  /* enum tcp_kind */
    uint8_t state; /* enum tcp_state */
    bool hashed;
};

/* A connection in SYN-RECEIVED after a passive open: as small as can be, and
 * their number is bounded, so that a flood of SYNs costs little. */
struct tcp_half_open {
    struct tcp_node node;
    uint8_t retries;
    bool scaling;
    uint8_t send_scale;
    bool sack;
    uint16_t mss;
    struct list link; /* oldest first; or in the free list */
    struct timer timer;
    uint32_t iss, irs;
    uint32_t sent_ms;
    uint32_t challenged_ms;
};

/* What must be remembered of a connection for 2 MSL. */
struct tcp_time_wait {
    struct tcp_node node;
    uint32_t send_next, receive_next;
    uint32_t challenged_ms;
    struct list link; /* oldest first; or in the free list */
    uint64_t expires_ms;
};

/* One connection. Times ending in _ms are the low 32 bits of timer_now_ms(). */
struct tcb {
    struct stream stream;
    struct tcp_node node;

    /* Outlines of this pass and of what is owed. */
    uint8_t passes;     /* calls in progress that will look at it again */
    bool ack_now;       /* an ACK must go out at the end of the pass */
    bool ack_pending;   /* an ACK may wait until ack_due_ms */
    bool fin_queued;    /* closed by us */
    bool fin_sent;      /* since the last rewinding */
    bool fin_received;  /* and all before it */
    bool fin_known;     /* it has come, perhaps out of order */
    bool end_told;      /* handler->ended() was called */
    bool resumed;       /* offer again */
    bool stalled;       /* the handler left bytes */
    bool want_writable; /* a write was cut short */
    bool open_told;     /* opened() or accept was called */
    bool scaling;       /* both sides scale windows */
    bool sack;          /* the peer understands SACK */
    bool recovering;    /* fast recovery (RFC 6582) */
    bool timing;        /* a segment is being timed (Karn) */
    bool probing;       /* the timer is the persist timer */
    uint8_t send_scale;
    uint8_t duplicate_acks;
    uint8_t backoff;
    uint8_t mss_cuts;
    uint16_t mss;           /* payload of a segment we send */
    uint16_t receive_mss;   /* largest payload seen */
    uint16_t send_count;    /* buffers in `sending` */
    uint16_t receive_count; /* buffers in `received` and `early` */
    uint16_t reserved;

    uint32_t pseudo_sum; /* see net_checksum_pseudo() */
    uint32_t iss, irs;
    uint32_t send_unacked; /* SND.UNA */
    uint32_t send_next;    /* SND.NXT; back at send_unacked after an RTO */
    uint32_t send_highest; /* the highest SND.NXT ever was */
    uint32_t send_end;     /* behind the last written byte */
    uint32_t send_window;  /* SND.WND */
    uint32_t send_window_max;
    uint32_t window_seq, window_ack; /* SND.WL1, SND.WL2 */
    uint32_t receive_next;           /* RCV.NXT */
    uint32_t receive_edge;  /* right edge of the window as advertised */
    uint32_t ack_sent;      /* RCV.NXT as last told */
    uint32_t fin_sequence;  /* of the peer's FIN, when fin_known */
    uint32_t receive_bytes; /* in `received` */
    uint32_t early_latest;  /* start of the newest block, for SACK */

    uint32_t congestion_window, slow_start_threshold, recover;
    uint32_t rtt_sequence, rtt_started_ms;
    uint32_t rtt_smoothed;  /* in 1/8 ms; 0: not measured yet */
    uint32_t rtt_variation; /* in 1/4 ms */
    uint32_t rto_ms;
    uint32_t retransmit_at_ms, ack_due_ms;
    uint32_t progress_ms; /* SND.UNA moved, or sending began */
    uint32_t sent_on_ms;  /* a buffer of `sending` was given back, or the first
                             one was written */
    uint32_t gap_ms;      /* `early` was begun, or its gap filled a bit */
    uint32_t heard_ms;    /* last good segment from the peer */
    uint32_t active_ms;   /* new data or an acknowledgement came */
    uint32_t sent_ms;
    uint32_t idle_ms; /* 0: no limit */
    uint32_t challenged_ms;

    struct iobuf *unsent; /* first of `sending` to be sent next, or NULL */
    struct list sending;  /* unacknowledged, then unsent */
    struct list received; /* in order, not consumed */
    struct list early;    /* out of order, sorted, not overlapping */
    struct list flush;    /* in the list of tcp_flush() */
    struct list link;     /* free; or in the list of orphans */
    struct timer timer;   /* retransmission, persist, writable */
    struct timer ack_timer;
    struct timer idle_timer; /* idle, FIN-WAIT-2, orphan */
};

/* One received segment, taken apart. */
struct tcp_segment {
    struct tcp_key key;
    struct iobuf *buffer; /* data..tail is the payload; NULL when taken */
    uint32_t sequence, ack;
    uint32_t bytes; /* payload */
    uint16_t window;
    uint8_t flags;
    bool scaling, sack;
    uint8_t scale;
    uint16_t mss; /* 0: no option */
    uint8_t sack_blocks;
    const uint8_t *sack_edges; /* pairs of numbers, inside the buffer */
};

/* ---- tcp_table.c: what is found by a key ---- */

enum err tcp_table_init(unsigned connections) MUST_CHECK;
struct tcp_node *tcp_find(const struct tcp_key *key);

/* A zeroed TCB in the table, or NULL. */
struct tcb *tcb_take(const struct tcp_key *key);
void tcb_unhash(struct tcb *tcb);
void tcb_free(struct tcb *tcb);
unsigned tcb_free_count(void);
/* The index-th TCB, free or not; NULL behind the last. */
struct tcb *tcb_at(unsigned index);
/* TCBs in FIN-WAIT-2 that nobody waits for may be given up, oldest first. */
void tcb_orphan(struct tcb *tcb);

/* NULL: all are in use. */
struct tcp_half_open *tcp_half_open_take(const struct tcp_key *key);
void tcp_half_open_free(struct tcp_half_open *half);
/* More than honest clients would leave: answers are repeated once only. */
bool tcp_half_open_crowded(void);

/* Never fails: the oldest one gives way. */
void tcp_time_wait_add(const struct tcp_key *key, uint32_t send_next,
                       uint32_t receive_next);
void tcp_time_wait_restart(struct tcp_time_wait *wait);
void tcp_time_wait_free(struct tcp_time_wait *wait);
void tcp_table_clear(void);

/* ---- tcp_cookie.c: SYNs beyond the half-open ones ---- */

void tcp_cookie_init(void);
/* The number to answer a SYN with, of which nothing is kept. */
uint32_t tcp_cookie_give(const struct tcp_segment *syn);
/* Of a segment that is no SYN and acknowledges such a number: the peer's MSS;
 * 0: it does not. */
uint16_t tcp_cookie_mss(const struct tcp_segment *ack);

/* ---- tcp.c: life of a TCB, streams ---- */

extern const struct stream_operations tcp_stream_operations;

/* A pass over a TCB: between the two it stays allocated, whatever is called. */
static inline void tcb_enter(struct tcb *tcb)
{
    tcb->passes++;
}

void tcb_leave(struct tcb *tcb);

static inline bool tcb_dead(const struct tcb *tcb)
{
    return tcb->node.state == TCP_CLOSED;
}

void tcb_event(struct tcb *tcb, enum tcp_event event);
/* Ends it: queues emptied, handler told; no segment is sent. */
void tcb_finish(struct tcb *tcb, enum err reason);
/* The same, with RST before. */
void tcb_kill(struct tcb *tcb, enum err reason);
/* Puts it into the list of tcp_flush(), unless it has ended. */
void tcb_touch(struct tcb *tcb);
/* To compact TIME-WAIT. */
void tcb_rest(struct tcb *tcb);

void (*tcp_listener(uint16_t port))(struct stream *stream);
uint32_t tcp_initial_sequence(const struct tcp_key *key);
struct tcp_figures *tcp_counters(void);
/* Sets up a TCB whose peer is known. */
void tcb_start(struct tcb *tcb, uint32_t iss);
void tcb_synchronize(struct tcb *tcb, uint32_t irs);

/* ---- tcp_input.c, tcp_receive.c ---- */

void tcp_take_payload(struct tcb *tcb, struct tcp_segment *segment);
void tcp_deliver(struct tcb *tcb);
void tcp_drop_received(struct tcb *tcb);

/* ---- tcp_ack.c: what an acknowledgement means for sending ---- */

void tcp_take_rtt(struct tcb *tcb, uint32_t rtt_ms);
void tcp_take_ack(struct tcb *tcb, const struct tcp_segment *segment);
void tcp_tell_writable(struct tcb *tcb);
uint32_t tcp_initial_window(const struct tcb *tcb);

/* ---- tcp_send.c ---- */

size_t tcp_send_space(const struct tcb *tcb);
size_t tcp_send_append(struct tcb *tcb, const uint8_t *data, size_t len);
/* Sends whatever may be sent now, and an ACK when one is due. */
void tcp_output(struct tcb *tcb);
/* The oldest unacknowledged buffer once more. Returns false when no memory. */
bool tcp_send_first_again(struct tcb *tcb);
/* The first buffer that was not sent again yet while later ones have arrived.
 * Returns false when there is none, or no memory. */
bool tcp_send_hole_again(struct tcb *tcb);
/* Forgets TCP_BUFFER_ marks. */
void tcp_clear_marks(struct tcb *tcb, uint16_t marks);
/* At least a byte although the window is closed. Returns false when the card is
 * busy, or no memory. */
bool tcp_send_probe(struct tcb *tcb);
void tcp_rewind(struct tcb *tcb);
void tcp_drop_sending(struct tcb *tcb);
void tcp_set_mss(struct tcb *tcb, uint16_t mss);
/* The window we would advertise now, as its right edge. */
uint32_t tcp_window_edge(const struct tcb *tcb);
/* Too few buffers are left to queue what a peer sends, or what a protocol
 * writes; what is left is for segments that bring buffers back. */
bool tcp_receive_short(void);
size_t tcp_send_left(void);
/* Fair share of one connection in the free buffers. */
size_t tcp_buffer_share(void);

/* ---- tcp_segment.c: segments on the wire ---- */

/* Pushes the header before the payload, sends; keeps no reference. Returns
 * false when the card's queue is full: nothing was sent. */
bool tcp_transmit(struct tcb *tcb, struct iobuf *buffer, uint32_t sequence,
                  uint8_t flags);
/* One without payload. Returns false also when no buffer is left. */
bool tcp_send_control(struct tcb *tcb, uint32_t sequence, uint8_t flags);
/* A bare acknowledgement. Its number lies within the peer's window, even when
 * probes were sent beyond: else it would not be looked at (RFC 9293 3.10.7.4).
 * Returns false like tcp_send_control(). */
bool tcp_send_ack(struct tcb *tcb);
void tcp_send_syn_ack(struct tcp_half_open *half);
void tcp_send_bare(const struct tcp_key *key, uint32_t sequence, uint32_t ack,
                   uint8_t flags, uint16_t window);
/* The RST that answers a segment without connection (RFC 9293 3.10.7.1). */
void tcp_send_reset_for(const struct tcp_segment *segment);
/* Returns false when the segment is malformed. */
bool tcp_parse(struct iobuf *buffer, const struct net_address *source,
               const struct net_address *destination,
               struct tcp_segment *segment);
/* An ACK to a bad segment, unless one was sent just now (RFC 5961 7). */
bool tcp_challenge_allowed(uint32_t *challenged_ms);

/* ---- tcp_pressure.c: when buffers are short ---- */

void tcp_pressure_init(void);
/* Somebody needs a buffer that others hold. */
void tcp_pressure_felt(void);

/* ---- tcp_timer.c ---- */

void tcp_timers_init(struct tcb *tcb);
void tcp_timers_stop(struct tcb *tcb);
void tcp_arm_retransmit(struct tcb *tcb, uint32_t delay_ms);
void tcp_arm_ack(struct tcb *tcb);
/* After a change of state or of idle_ms. */
void tcp_arm_idle(struct tcb *tcb);
void tcp_half_open_start(struct tcp_half_open *half);

#endif
