/* The virtual wire, and the AO's card at its end: see wire.h. */
#include "tests/sim/wire.h"
#include "core/bytes.h"
#include "core/iobuf.h"
#include "core/machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEND_QUEUE    256
#define RECEIVE_QUEUE 256

/* One frame on its way. */
struct flight {
    struct sim_event arrival;
    bool to_ao;
    size_t len;
    uint8_t bytes[SIM_FRAME_BYTES];
};

static struct {
    uint8_t mac[6];
    bool plugged;
    struct sim_link to_ao, from_ao;
    uint64_t to_ao_free_ns; /* when the direction's transmitter is idle */
    struct sim_random chance_in, chance_out, padding;
    struct list ports;
    /* The card. */
    struct {
        struct iobuf *frame;
        uint64_t hash;
    } queue[SEND_QUEUE];
    unsigned queue_in, queue_out;
    struct sim_event sent;
    struct iobuf *received[RECEIVE_QUEUE];
    unsigned received_in, received_out;
    struct machine_nic_info info;
    FILE *pcap;
} state;

static uint64_t hash(const struct iobuf *frame)
{
    uint64_t value = 0xcbf29ce484222325ull;

    for (const uint8_t *p = frame->data; p < frame->tail; p++)
        value = (value ^ *p) * 0x100000001b3ull;
    return value;
}

/* ---- pcap (libpcap file format, nanosecond variant) --------------------- */

static void pcap_open(void)
{
    const uint32_t header[6] = {0xa1b23c4d, 4u << 16 | 2, 0, 0, 65535, 1};

    if (sim_options.pcap == NULL)
        return;
    state.pcap = fopen(sim_options.pcap, "wb");
    if (state.pcap == NULL)
        sim_fail("cannot write %s", sim_options.pcap);
    /* Version 2.4: major first, 16 bits each. */
    fwrite(header, 4, 1, state.pcap);
    fwrite((const uint16_t[]){2, 4}, 2, 2, state.pcap);
    fwrite(header + 2, 4, 4, state.pcap);
}

static void pcap_frame(const uint8_t *frame, size_t len)
{
    uint32_t header[4] = {(uint32_t)(sim_now() / SIM_SECOND),
                          (uint32_t)(sim_now() % SIM_SECOND), (uint32_t)len,
                          (uint32_t)len};

    if (state.pcap == NULL)
        return;
    fwrite(header, sizeof(header), 1, state.pcap);
    fwrite(frame, 1, len, state.pcap);
}

void sim_wire_close(void)
{
    if (state.pcap != NULL)
        fclose(state.pcap);
    state.pcap = NULL;
}

/* ---- Arrival ----------------------------------------------------------- */

static void arrive_at_ao(const struct flight *flight)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
    unsigned waiting = state.received_in - state.received_out;
    struct iobuf *buffer;

    if (memcmp(flight->bytes, state.mac, 6) != 0 &&
        memcmp(flight->bytes, all, 6) != 0)
        return;
    sim_digest(flight->bytes, flight->len);
    pcap_frame(flight->bytes, flight->len);
    buffer = waiting < RECEIVE_QUEUE ? iobuf_alloc_receive() : NULL;
    if (buffer == NULL) {
        state.info.errors_in++;
        sim_note("card: no buffer for a received frame");
        return;
    }
    memcpy(iobuf_put(buffer, flight->len), flight->bytes, flight->len);
    state.received[state.received_in++ % RECEIVE_QUEUE] = buffer;
    state.info.frames_in++;
    state.info.bytes_in += flight->len;
    sim_shared->frames_in++;
}

static void arrive_at_peers(const struct flight *flight)
{
    for (struct list *node = state.ports.next; node != &state.ports;
         node = node->next) {
        struct sim_port *port = LIST_ELEMENT(node, struct sim_port, link);

        if (memcmp(flight->bytes, port->mac, 6) == 0 ||
            (flight->bytes[0] & 1) != 0)
            port->receive(port, flight->bytes, flight->len);
    }
}

static void arrive(struct sim_event *event)
{
    struct flight *flight = SIM_ELEMENT(event, struct flight, arrival);

    if (state.plugged && flight->to_ao)
        arrive_at_ao(flight);
    else if (state.plugged)
        arrive_at_peers(flight);
    free(flight);
}

/* ---- Departure --------------------------------------------------------- */

static void fly(const struct sim_link *link, struct sim_random *chance,
                uint64_t waits_ns, const uint8_t *frame, size_t len)
{
    struct flight *flight = malloc(sizeof(*flight));
    uint64_t delay = link->latency_ns + waits_ns;

    if (flight == NULL)
        sim_fail("the simulation has no memory for a frame");
    sim_event_init(&flight->arrival, arrive);
    flight->to_ao = link == &state.to_ao;
    flight->len = len < SIM_FRAME_LEAST ? SIM_FRAME_LEAST : len;
    memcpy(flight->bytes, frame, len);
    sim_random_fill(&state.padding, flight->bytes + len, flight->len - len);
    if (link->jitter_ns > 0)
        delay += sim_random_below(chance, link->jitter_ns);
    if (sim_random_chance(chance, link->reorder_ppm))
        delay += sim_random_below(chance, link->reorder_ns);
    if (sim_random_chance(chance, link->corrupt_ppm) && len > 14 &&
        get_be16(frame + 12) == 0x0800) {
        size_t at = (size_t)sim_random_range(chance, 14, len - 1);

        flight->bytes[at] ^= (uint8_t)(1u << sim_random_below(chance, 8));
    }
    sim_event_start(&flight->arrival, delay);
}

static void depart(const struct sim_link *link, struct sim_random *chance,
                   uint64_t waits_ns, const uint8_t *frame, size_t len)
{
    if (!state.plugged || sim_random_chance(chance, link->loss_ppm)) {
        sim_shared->frames_lost++;
        return;
    }
    fly(link, chance, waits_ns, frame, len);
    if (sim_random_chance(chance, link->duplicate_ppm))
        fly(link, chance, waits_ns, frame, len);
}

static uint64_t wire_time(const struct sim_link *link, size_t len)
{
    /* Preamble, FCS and gap: 24 bytes. */
    return (len + 24) * 8 * SIM_SECOND / link->bits_per_second;
}

void sim_wire_send(const void *frame, size_t len)
{
    if (len < 14 || len > SIM_FRAME_BYTES)
        sim_fail("a peer's frame of %zu bytes", len);
    if (state.to_ao_free_ns < sim_now())
        state.to_ao_free_ns = sim_now();
    state.to_ao_free_ns += wire_time(&state.to_ao, len);
    depart(&state.to_ao, &state.chance_in, state.to_ao_free_ns - sim_now(),
           frame, len);
}

void sim_wire_attach(struct sim_port *port)
{
    list_append(&state.ports, &port->link);
}

void sim_wire_plug(bool plugged)
{
    state.plugged = plugged;
    state.info.link_up = plugged;
}

/* ---- The AO's card ----------------------------------------------------- */

static void card_next(void)
{
    struct iobuf *frame;

    if (state.queue_in == state.queue_out)
        return;
    frame = state.queue[state.queue_out % SEND_QUEUE].frame;
    sim_event_start(&state.sent,
                    wire_time(&state.from_ao, iobuf_length(frame)));
}

static void card_sent(struct sim_event *event)
{
    struct iobuf *frame = state.queue[state.queue_out % SEND_QUEUE].frame;
    size_t len = iobuf_length(frame);

    (void)event;
    if (hash(frame) != state.queue[state.queue_out % SEND_QUEUE].hash)
        sim_fail("card: the AO changed a frame before it was out");
    state.queue_out++;
    sim_digest(frame->data, len);
    pcap_frame(frame->data, len);
    state.info.frames_out++;
    state.info.bytes_out += len;
    sim_shared->frames_out++;
    depart(&state.from_ao, &state.chance_out, 0, frame->data, len);
    iobuf_release(frame);
    card_next();
}

bool machine_nic_send(struct iobuf *frame)
{
    size_t len = iobuf_length(frame);
    unsigned waiting = state.queue_in - state.queue_out;

    if (len < 14 || len > SIM_FRAME_BYTES)
        sim_fail("card: the AO sends a frame of %zu bytes", len);
    if (waiting == SEND_QUEUE || !state.info.present)
        return false;
    state.queue[state.queue_in % SEND_QUEUE].frame = iobuf_take(frame);
    state.queue[state.queue_in % SEND_QUEUE].hash = hash(frame);
    state.queue_in++;
    if (waiting == 0)
        card_next();
    return true;
}

struct iobuf *machine_nic_receive(void)
{
    if (state.received_in == state.received_out)
        return NULL;
    return state.received[state.received_out++ % RECEIVE_QUEUE];
}

void machine_nic_join(const uint8_t group[6])
{
    (void)group;
}

void machine_nic_info(struct machine_nic_info *info)
{
    *info = state.info;
}

bool machine_nic_at(unsigned index, struct machine_nic_info *info)
{
    machine_nic_info(info);
    return index == 0;
}

void machine_nic_choose(const char *card)
{
    (void)card; /* there is one */
}

void sim_wire_start(const uint8_t mac[6], const struct sim_link *to_ao,
                    const struct sim_link *from_ao)
{
    memcpy(state.mac, mac, 6);
    state.to_ao = *to_ao;
    state.from_ao = *from_ao;
    list_init(&state.ports);
    sim_event_init(&state.sent, card_sent);
    sim_random_init(&state.chance_in, sim_options.seed, "wire in",
                    sim_shared->boot);
    sim_random_init(&state.chance_out, sim_options.seed, "wire out",
                    sim_shared->boot);
    sim_random_init(&state.padding, sim_options.seed, "padding",
                    sim_shared->boot);
    state.info.name = "simulated card";
    memcpy(state.info.address, mac, 6);
    state.info.present = true;
    state.info.speed_mbit = (uint32_t)(to_ao->bits_per_second / 1000000);
    sim_wire_plug(true);
    pcap_open();
}
