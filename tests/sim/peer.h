/* Peers: hosts on the virtual wire with a small TCP/IP of their own, which
 * shares nothing with firmware/net, so that a mistake made twice does not
 * cancel out. They watch what the AO sends, and end the run at what no TCP may
 * do: wrong checksums, bytes beyond the window or the MSS, an acknowledgement
 * of what was never sent. */
#ifndef SIM_PEER_H
#define SIM_PEER_H

#include "tests/sim/wire.h"

#define SIM_AO_IP      0x0a000002u /* 10.0.0.2/24 */
#define SIM_GATEWAY_IP 0x0a000001u

extern const uint8_t sim_ao_mac[6];

struct sim_tcp;
struct sim_dns_record;

/* What a TFTP server has. */
struct sim_file {
    const uint8_t *content;
    size_t bytes;
    size_t block_bytes, window; /* as its client wants them */
};

struct sim_peer {
    struct sim_port port;
    uint32_t ip;
    uint32_t arp_ip; /* the address it answers ARP for: its own, or that of
                        the gateway behind which it is */
    bool knows_ao;
    struct sim_event ask; /* repeats the ARP request */
    struct list connections;
    uint16_t next_port;
    uint16_t packet_id;
    struct sim_random random;
    bool dhcp_server;
    const struct sim_dns_record *records; /* of a name server, or NULL */
    struct sim_file *file;                /* of a TFTP server, or NULL */
    uint16_t listens;                     /* port; 0: none */
    void (*accept)(struct sim_tcp *tcp);
    bool lenient; /* the wire turns bits: wrong checksums are no wonder */
};

/* sim_peer_start - puts a peer onto the wire; index makes MAC and chance.
 * behind_gateway: ip is of another network. */
void sim_peer_start(struct sim_peer *peer, unsigned index, uint32_t ip,
                    bool behind_gateway);

/* sim_peer_ip - sends an IPv4 packet to the AO; payload is copied. Lost when
 * the AO's MAC is not known yet (ARP is under way then). */
void sim_peer_ip(struct sim_peer *peer, uint8_t protocol, const void *payload,
                 size_t len);

/* sim_peer_frame - any IPv4 packet in a frame to any MAC. */
void sim_peer_frame(struct sim_peer *peer, const uint8_t mac[6],
                    uint32_t source, uint32_t destination, uint8_t protocol,
                    const void *payload, size_t len);

/* Internet checksum over a pseudo header and a payload; 0 when one is in it and
 * right. */
uint16_t sim_checksum(uint32_t source, uint32_t destination, uint8_t protocol,
                      const void *payload, size_t len);

/* sim_dhcp_input - a UDP datagram to port 67, for the peer that is the DHCP
 * server: offers SIM_AO_IP. */
void sim_dhcp_input(struct sim_peer *peer, const uint8_t *datagram, size_t len);

/* sim_tftp_input - a UDP datagram for a peer with a file. */
void sim_tftp_input(struct sim_peer *peer, const uint8_t *datagram, size_t len);

/* ---- DNS --------------------------------------------------------------- */

enum { SIM_DNS_A = 1, SIM_DNS_MX = 15 };

/* A record; the last one of a list has no name. */
struct sim_dns_record {
    const char *name;
    uint16_t type;
    uint16_t preference; /* MX */
    const char *target;  /* MX */
    uint32_t address;    /* A */
};

/* sim_dns_input - a UDP datagram to port 53 of a peer with records: answers it
 * by them. Names that have none do not exist. */
void sim_dns_input(struct sim_peer *peer, uint16_t port,
                   const uint8_t *datagram, size_t len);

/* ---- TCP --------------------------------------------------------------- */

enum sim_tcp_end {
    SIM_TCP_CLOSED,  /* both sides have closed in order */
    SIM_TCP_REFUSED, /* RST instead of a connection */
    SIM_TCP_RESET,
    SIM_TCP_TIMEOUT,
};

struct sim_tcp;

struct sim_tcp_handler {
    void (*opened)(struct sim_tcp *tcp);
    void (*received)(struct sim_tcp *tcp, const uint8_t *data, size_t len);
    void (*ended)(struct sim_tcp *tcp); /* FIN */
    void (*closed)(struct sim_tcp *tcp, enum sim_tcp_end end);
};

struct sim_tcp_early; /* a segment that came before its turn */

enum sim_tcp_state {
    SIM_TCP_SYN_SENT,
    SIM_TCP_SYN_RECEIVED,
    SIM_TCP_OPEN,
    SIM_TCP_DONE
};

struct sim_tcp {
    struct list link;
    struct sim_peer *peer;
    const struct sim_tcp_handler *handler;
    void *context;
    enum sim_tcp_state state;
    uint16_t local, remote;
    /* Sending. */
    uint32_t una, nxt, max; /* oldest not acknowledged, next, highest sent */
    uint32_t window;        /* as announced by the AO */
    uint32_t congestion;
    uint16_t mss; /* of the AO */
    uint8_t *out; /* bytes from una on */
    size_t out_len, out_room;
    bool fin_wanted, fin_acked;
    unsigned repeats, tries;
    uint64_t rto_ns;
    struct sim_event timer;
    struct sim_event silence; /* the AO has forgotten the connection */
    /* Receiving. */
    uint32_t rcv_nxt, rcv_edge; /* edge: end of the window announced */
    uint16_t own_mss;
    uint32_t room;
    bool fin_received;
    bool paused;
    uint8_t *held; /* received while paused */
    size_t held_len;
    struct sim_tcp_early *early;
    bool ack_now;
    unsigned unacked;
    uint64_t delay_ack_ns;
    struct sim_event delay;
    bool busy; /* inside a handler: answers go out together */
};

/* sim_tcp_listen - takes connections of the AO to a port. accept: called when
 * one is open; it sets handler and context, and may write. */
void sim_tcp_listen(struct sim_peer *peer, uint16_t port,
                    void (*accept)(struct sim_tcp *tcp));

/* sim_tcp_open - starts a connection to a port of the AO. It lives until the
 * process ends; closed() is its last call. */
struct sim_tcp *sim_tcp_open(struct sim_peer *peer, uint16_t port,
                             const struct sim_tcp_handler *handler,
                             void *context);
void sim_tcp_write(struct sim_tcp *tcp, const void *data, size_t len);
size_t sim_tcp_unsent(const struct sim_tcp *tcp);
void sim_tcp_close(struct sim_tcp *tcp);
/* RST; closed() is not called. */
void sim_tcp_abort(struct sim_tcp *tcp);
/* Stops taking bytes, so that the window closes; goes on taking them. */
void sim_tcp_pause(struct sim_tcp *tcp, bool pause);

/* For peer.c. */
void sim_tcp_input(struct sim_peer *peer, uint32_t source, uint8_t *segment,
                   size_t len);
void sim_tcp_kick(struct sim_peer *peer);

#endif
