/* libFuzzer: what name servers may answer, by UDP and TCP.
 *
 * An input whose first byte is even is one message, read as the answer to a
 * question that it has behind its header. Any other is, behind that byte,
 * records of two bytes (what happens, how many bytes belong to it)
 * and those bytes: a lookup, an answer to a question that was sent (with id and
 * question put right, or as it is), bytes on a TCP connection, a cancelled
 * lookup, time. At the end everything must have come to an end: each lookup is
 * done or cancelled once, and no buffer is left. */
#define WIRE_FRAMES      64
#define FAKE_DNS_BUFFERS 64
#include "tests/unit/fake_dns.h"

#define LOOKUPS   8
#define QUESTIONS 16
#define PEERS     8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sent questions[QUESTIONS];
static struct peer peers[PEERS];
static unsigned question_count, peer_count, pending;

static void on_fuzzed(struct dns_lookup *lookup)
{
    if (lookup->count > DNS_ANSWERS ||
        (lookup->status == DNS_OK) != (lookup->count > 0))
        abort();
    for (unsigned i = 0; i < lookup->count; i++) {
        if (strlen(lookup->answers[i].name) >= DNS_NAME_BYTES)
            abort();
    }
    lookup->context = NULL;
    pending--;
}

/* What the resolver has sent becomes something to answer. */
static void look_at_wire(void)
{
    static const uint8_t to_dns[2] = {0, 53};
    unsigned taken = wire.out_head;
    struct sent s;
    struct seen t;

    while ((s = sent_next()).any)
        questions[question_count++ % QUESTIONS] = s;
    wire.out_head = taken;
    while ((t = seen_next()).any) {
        struct peer *p = &peers[peer_count % PEERS];

        if (t.flags != SYN || t.port != to_dns[1])
            continue;
        peer_count++;
        *p = peer_new(53, t.source_port, 1000);
        p->ack = t.seq + 1;
        peer_send(p, SYN | ACK, NULL, 0);
        net_flush();
    }
}

static void look_up(const uint8_t *data, size_t len)
{
    static const enum dns_type types[] = {DNS_A, DNS_MX, DNS_TXT, DNS_AAAA,
                                          DNS_PTR};
    static const char *const names[] = {"a.example", "b.example", "c"};
    uint8_t which = len ? data[0] : 0;
    struct dns_lookup *l = &lookups[which % LOOKUPS];
    char name[200];

    if (l->context)
        return;
    l->done = on_fuzzed;
    l->context = l;
    pending++;
    memcpy(name, data + 1, len > 1 ? len - 1 : 0);
    name[len > 1 ? len - 1 : 0] = '\0';
    dns_lookup(l, len > 1 ? name : names[which / 40 % 3],
               types[which / LOOKUPS % 5]);
}

static void answer_question(const uint8_t *data, size_t len, bool right)
{
    const struct sent *s = &questions[len ? data[0] % QUESTIONS : 0];

    if (!s->any || len < 13)
        return;
    b.len = 0;
    if (right)
        build_answer(s, 0);
    memcpy(b.bytes + b.len, data + 1, len - 1);
    if (right) { /* flags and counts are the input's */
        memcpy(b.bytes + 2, data + 1, 2);
        memcpy(b.bytes + 6, data + 3, 6);
        b.bytes[2] |= 0x80;
        memcpy(b.bytes + b.len, data + 9, len - 9);
        b.len += len - 9;
    } else {
        b.len += len - 1;
    }
    answer(s);
}

static void tcp_bytes(const uint8_t *data, size_t len)
{
    struct peer *p = &peers[len ? data[0] % PEERS : 0];

    if (p->port && len > 1)
        peer_send(p, data[0] & 0x80 ? ACK | FIN : ACK | PSH, data + 1, len - 1);
    else if (p->port)
        peer_send(p, RST, NULL, 0);
}

/* An answer to the newest question, with the length that TCP wants. */
static void tcp_answer(const uint8_t *data, size_t len)
{
    struct peer *p = &peers[(peer_count - 1) % PEERS];
    const struct sent *s = &questions[(question_count - 1) % QUESTIONS];
    uint8_t frame[600];

    if (!peer_count || !question_count || len > 200)
        return;
    build_answer(s, 0);
    if (len)
        memcpy(b.bytes + b.len, data, len);
    put_be16(b.bytes + 6, 1);
    b.len += len;
    put_be16(frame, (uint16_t)b.len);
    memcpy(frame + 2, b.bytes, b.len);
    peer_send(p, ACK | PSH, frame, b.len + 2);
}

static void one(uint8_t what, const uint8_t *data, size_t len)
{
    switch (what % 8) {
    case 0:
        look_up(data, len);
        break;
    case 1:
    case 2:
        answer_question(data, len, true);
        break;
    case 3:
        answer_question(data, len, false);
        break;
    case 4:
        tcp_bytes(data, len);
        break;
    case 5:
        tcp_answer(data, len);
        break;
    case 6:
        pass_time(1 + len * 20);
        break;
    default:
        if (len && lookups[data[0] % LOOKUPS].context) {
            dns_cancel(&lookups[data[0] % LOOKUPS]);
            lookups[data[0] % LOOKUPS].context = NULL;
            pending--;
        }
        break;
    }
    net_flush();
    look_at_wire();
}

static void read_message(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A, DNS_MX, DNS_TXT, DNS_AAAA,
                                          DNS_PTR};
    static struct dns_result result;
    static struct dns_asked asked;
    size_t at = DNS_HEADER_BYTES;

    memset(&asked, 0, sizeof(asked));
    asked.question.type = types[data[0] / 2 % 5];
    asked.edns = data[0] & 0x40;
    asked.tcp = data[0] & 0x80;
    asked.ttl_s = DNS_TTL_MAX_S;
    data++;
    size--;
    if (size < 18 || !dns_name_read(data, size, &at, &asked.question.name))
        return;
    asked.id = get_be16(data);
    if (dns_message_read(data, size, &asked, &result) != DNS_READ_ANSWER)
        return;
    if (result.count > DNS_ANSWERS || asked.aliases > DNS_ALIASES ||
        (result.status == DNS_OK) != (result.count > 0))
        abort();
    for (unsigned i = 0; i < result.count; i++) {
        if (strlen(result.answers[i].name) >= DNS_NAME_BYTES)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_figures figures;

    if (!size)
        return 0;
    if (!(data[0] & 1)) {
        read_message(data, size);
        return 0;
    }
    data++;
    size--;
    begin(PEER_IP, GATEWAY_IP, 0);
    memset(questions, 0, sizeof(questions));
    memset(peers, 0, sizeof(peers));
    question_count = peer_count = pending = 0;
    while (size >= 2) {
        size_t len = data[1];

        if (len > 199)
            len = 199;
        if (len > size - 2)
            len = size - 2;
        one(data[0], data + 2, len);
        data += 2 + len;
        size -= 2 + len;
    }
    pass_time(21000);
    dns_figures(&figures);
    if (pending || figures.waiting)
        abort();
    tcp_abort_all();
    pass_time(100);
    if (iobuf_free() != iobuf_total())
        abort();
    return 0;
}
