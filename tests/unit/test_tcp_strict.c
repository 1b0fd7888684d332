/* TCP against a peer that does all of it and forgives nothing: a receive buffer
 * that its reader empties when he likes, so that its window closes; SACK;
 * segments beyond its window are refused whatever they acknowledge; it goes
 * back to the oldest byte after a timeout, and sends it cut in other pieces.
 * The wire loses, repeats and reorders, the card is busy or keeps frames for a
 * while, our handler takes whole lines or is slow, buffers are few. Bytes go
 * both ways, each run decided by one seed: all must arrive, and nothing may
 * stand still for long. */
#include "tests/unit/lossy_flight.h"
#include "tests/unit/tcp_session.h"

#define BYTES      80000U
#define FLIGHT     256
#define LINE       1237U
#define STILL_MS   100000 /* more than the longest persist time */
#define TURNS      400000U
#define OURS_SCALE 2

static struct {
    uint32_t seed;
    unsigned loss; /* percent */
    bool sack, slow_reader;
    int scale; /* of the peer's window; -1: windows are not scaled */
    struct flying to_peer[FLIGHT], to_us[FLIGHT];
    struct peer peer;
    uint8_t data[BYTES]; /* what both sides send */
    uint64_t progress_ms;
    /* What the peer receives. */
    uint32_t irs, next, edge, room, read;
    uint8_t here[BYTES], got[BYTES];
    bool fin_known, fin_seen, owes_ack;
    /* What it sends. */
    uint32_t iss, unacked, send_next, send_highest, send_edge;
    uint32_t timeout_ms;
    uint64_t resend_ms;
    bool fin_acked;
    /* Our side. */
    size_t written;
    bool closed;
} run;

static uint32_t chance(uint32_t limit)
{
    return chance_of(&run.seed, limit);
}

static void fly(struct flying *flight, const struct wire_frame *frame)
{
    const struct flight_odds odds = {run.loss, run.loss / 3, 10, 150};

    flight_begin(flight, FLIGHT, frame, &run.seed, &odds);
}

static bool after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

/* ---- The peer's receiving half ------------------------------------------- */

/* Its window: never back, and not forward by little (RFC 9293 3.8.6.2.2). */
static uint32_t open_window(void)
{
    unsigned scale = run.scale > 0 ? (unsigned)run.scale : 0;
    uint32_t unread = run.fin_seen ? 0 : run.next - (run.irs + 1) - run.read;
    uint32_t window = run.room > unread ? run.room - unread : 0;
    uint32_t gain = run.next + window - run.edge;

    if (!after(run.next + window, run.edge) ||
        (gain < 1460 && gain < run.room / 2))
        window = run.edge - run.next;
    window = window >> scale << scale;
    if (after(run.next + window, run.edge))
        run.edge = run.next + window;
    return window >> scale;
}

static bool is_here(uint32_t offset)
{
    return offset < BYTES && run.here[offset];
}

static size_t put_blocks(uint8_t *options)
{
    uint32_t at = run.next - (run.irs + 1) + 1;
    size_t bytes = 4;

    while (run.sack && at < BYTES && bytes < 28) {
        uint32_t end = at;

        while (is_here(end))
            end++;
        if (end > at) {
            put_be32(options + bytes, run.irs + 1 + at);
            put_be32(options + bytes + 4, run.irs + 1 + end);
            bytes += 8;
        }
        at = end + 1;
    }
    if (bytes == 4)
        return 0;
    options[0] = options[1] = 1;
    options[2] = 5;
    options[3] = (uint8_t)(bytes - 2);
    return bytes;
}

static void peer_says(uint32_t seq, uint8_t flags, const void *data, size_t len)
{
    uint32_t window = open_window();
    struct wire_frame frame;

    run.peer.window = (uint16_t)(window > 0xFFFF ? 0xFFFF : window);
    run.peer.option_bytes = len ? 0 : put_blocks(run.peer.options);
    frame.len =
        build_segment(frame.bytes, &run.peer, seq, run.next, flags, data, len);
    fly(run.to_us, &frame);
}

static void acknowledge(void)
{
    run.owes_ack = false;
    peer_says(run.send_highest, ACK, NULL, 0);
}

static void take_bytes(const struct seen *s)
{
    uint32_t before = run.next, last = run.irs + 1 + BYTES;

    for (uint32_t i = 0; i < s->len; i++) {
        uint32_t offset = s->seq + i - (run.irs + 1);

        if (after(run.next, s->seq + i) || !after(run.edge, s->seq + i))
            continue;
        CHECK(offset < BYTES);
        run.here[offset % BYTES] = 1;
        run.got[offset % BYTES] = s->data[i];
    }
    if (s->flags & FIN) {
        CHECK(s->seq + s->len == last);
        run.fin_known = true;
    }
    while (is_here(run.next - (run.irs + 1)))
        run.next++;
    if (run.fin_known && run.next == last) {
        run.next++;
        run.fin_seen = true;
    }
    if (run.next != before)
        run.progress_ms = timer_now_ms();
}

/* RFC 9293 3.10.7.4, first, as strict as Linux is: beyond the window nothing
 * counts, not even an acknowledgement. */
static bool acceptable(const struct seen *s)
{
    uint32_t end = s->seq + (uint32_t)s->len + !!(s->flags & FIN);

    return !after(run.next, end) && !after(s->seq, run.edge);
}

static void take_acknowledgement(const struct seen *s)
{
    uint32_t window = (uint32_t)s->window << (run.scale < 0 ? 0 : OURS_SCALE);

    CHECK(!after(s->ack, run.send_highest));
    if (after(s->ack, run.unacked)) {
        run.unacked = s->ack;
        run.resend_ms = 0;
        run.timeout_ms = 250;
        run.progress_ms = timer_now_ms();
    }
    if (after(run.unacked, run.send_next))
        run.send_next = run.unacked;
    run.fin_acked = run.unacked == run.iss + 2 + BYTES;
    if (after(s->ack + window, run.send_edge))
        run.send_edge = s->ack + window;
}

static void peer_takes(const struct seen *s)
{
    CHECK(!(s->flags & RST));
    if (acceptable(s)) {
        take_acknowledgement(s);
        take_bytes(s);
    }
    run.owes_ack |= s->len || s->flags & FIN;
    if (run.owes_ack && chance(3))
        acknowledge();
}

static void read_some(void)
{
    uint32_t unread = run.next - (run.irs + 1) - run.fin_seen - run.read;
    uint32_t before = run.edge;

    if (unread && !chance(run.slow_reader ? 60 : 4)) {
        run.read += 1 + chance(unread);
        (void)open_window();
        run.owes_ack |= run.edge != before;
    }
    if (run.owes_ack && !chance(4))
        acknowledge();
}

/* ---- Its sending half ---------------------------------------------------- */

static void timed_out(void)
{
    uint32_t offset = run.unacked - (run.iss + 1);

    run.send_next = run.unacked;
    run.timeout_ms = run.timeout_ms < 2000 ? 2 * run.timeout_ms : 4000;
    run.resend_ms = timer_now_ms() + run.timeout_ms;
    if (run.send_edge != run.unacked || offset >= BYTES)
        return;
    peer_says(run.unacked, ACK, run.data + offset, 1); /* a probe */
    if (after(run.unacked + 1, run.send_highest))
        run.send_highest = run.unacked + 1;
}

/* One segment, of any length; false: none may go. */
static bool send_one(void)
{
    uint32_t offset = run.send_next - (run.iss + 1);
    uint32_t room = run.send_edge - run.send_next, len = 1 + chance(1460);
    bool fin;

    if (offset > BYTES || run.send_next - run.unacked > 40000)
        return false;
    if (len > room)
        len = room;
    if (len > BYTES - offset)
        len = BYTES - offset;
    fin = offset + len == BYTES;
    if (!len && !fin)
        return false;
    peer_says(run.send_next, fin ? ACK | FIN : ACK, run.data + offset, len);
    run.send_next += len + fin;
    if (after(run.send_next, run.send_highest))
        run.send_highest = run.send_next;
    return !fin;
}

static void peer_sends(void)
{
    unsigned burst = 1 + chance(10);

    if (run.fin_acked)
        return;
    if (run.resend_ms && timer_now_ms() >= run.resend_ms)
        timed_out();
    while (burst-- && send_one())
        ;
    if (!run.resend_ms)
        run.resend_ms = timer_now_ms() + run.timeout_ms;
}

/* ---- Our side ------------------------------------------------------------ */

static void we_write(void)
{
    size_t left = BYTES - run.written;

    if (!session.stream)
        return;
    if (left && !chance(3))
        run.written +=
            stream_write(session.stream, run.data + run.written,
                         1 + chance(left < 9000 ? (uint32_t)left : 9000));
    if (session.limit < sizeof(session.received) && !chance(20)) {
        session.limit += chance(9000);
        if (session.limit > sizeof(session.received))
            session.limit = sizeof(session.received);
        stream_resume(session.stream);
    }
    if (run.written == BYTES && session.ended && !run.closed) {
        run.closed = true;
        stream_close(session.stream);
        session.stream = NULL;
    }
}

/* What the card keeps must be as it was sent, when the card reads it. */
static void card_lets_go(void)
{
    for (unsigned i = 0; i < wire.held_count; i++) {
        struct wire_frame frame = {.len = iobuf_length(wire.held[i])};
        struct seen s;

        memcpy(frame.bytes, wire.held[i]->data, frame.len);
        (void)parse_seen(&frame, &s); /* checks both checksums */
    }
    wire_release_held();
}

static void card_has_moods(void)
{
    if (!chance(40))
        wire.refuse = !wire.refuse;
    if (!chance(25))
        wire.hold = !wire.hold;
    if (!chance(30) || wire.held_count > 60)
        card_lets_go();
}

/* ---- A run --------------------------------------------------------------- */

static void land(void)
{
    struct seen s;

    for (unsigned i = 0; i < FLIGHT; i++) {
        struct flying *out = &run.to_peer[i], *in = &run.to_us[i];

        if (flight_ends(out) && parse_seen(&out->frame, &s))
            peer_takes(&s);
        if (flight_ends(in))
            wire_in(in->frame.bytes, in->frame.len);
    }
}

static void turn(void)
{
    we_write();
    peer_sends();
    read_some();
    card_has_moods();
    pass_time(1);
    while (wire.out_head != wire.out_tail)
        fly(run.to_peer, &wire.out[wire.out_head++ % WIRE_FRAMES]);
    land();
}

static void prepare(uint32_t seed)
{
    memset(&run, 0, sizeof(run));
    run.seed = seed * 7919 + 13;
    begin_with(100 + chance(400), 8);
    run.loss = chance(4) * 5;
    run.sack = chance(2);
    run.scale = chance(2) ? (int)chance(4) : -1;
    run.slow_reader = !chance(3);
    run.room = chance(2) ? 500 + chance(4000) : 2000 + chance(60000);
    run.iss = chance(0xFFFFFF) * 256 + 200;
    run.timeout_ms = 250;
    session.whole_lines = chance(2);
    if (chance(2))
        session.limit = 100;
    for (uint32_t i = 0; i < BYTES; i++)
        run.data[i] = i % LINE == LINE - 1 || i == BYTES - 1
                          ? '\n'
                          : (uint8_t)('a' + (i * 7 + i / 255) % 25);
}

static void shake_hands(uint32_t seed)
{
    struct peer *p = &run.peer;
    struct seen s;

    *p = peer_new((uint16_t)(20000 + seed % 20000), PORT, run.iss);
    p->window = (uint16_t)run.room;
    peer_set_options(p, (uint16_t)(536 + chance(924)), run.scale, run.sack);
    peer_send(p, SYN, NULL, 0);
    s = peer_take(p);
    run.irs = s.seq;
    run.next = run.edge = s.seq + 1;
    run.unacked = run.send_next = run.send_highest = run.iss + 1;
    run.send_edge = run.unacked + s.window;
    p->window = (uint16_t)open_window();
    p->option_bytes = 0;
    peer_raw(p, run.unacked, run.next, ACK, NULL, 0);
    run.progress_ms = timer_now_ms();
}

static void run_seed(uint32_t seed)
{
    unsigned failed = check_failed_count, turns = 0;

    prepare(seed);
    shake_hands(seed);
    while (turns++ < TURNS && !(run.fin_seen && run.fin_acked) &&
           timer_now_ms() - run.progress_ms < STILL_MS)
        turn();
    wire.refuse = wire.hold = false;
    card_lets_go();
    CHECK(run.fin_seen && run.fin_acked);
    CHECK(session.len == BYTES && !memcmp(session.received, run.data, BYTES));
    CHECK(!memcmp(run.got, run.data, BYTES));
    if (failed != check_failed_count)
        printf("seed %u: %u turns, the peer has %u, we have %zu\n", seed, turns,
               run.next - run.irs - 1, session.len);
    end();
}

/* A failing seed can be rerun alone: it is the program's argument. */
int main(int count, char **arguments)
{
    if (count > 1)
        run_seed((uint32_t)strtoul(arguments[1], NULL, 10));
    for (uint32_t seed = 1; count == 1 && seed <= 80; seed++)
        run_seed(seed);
    return check_report();
}
