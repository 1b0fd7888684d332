/* The resolver by TCP, against a hand-driven name server on a fake wire. */
#include "tests/unit/fake_dns.h"

/* The server's side of a connection that the resolver opens, and what it says
 * to the SYN. */
static struct peer tcp_opened(uint8_t answer)
{
    struct seen s = seen_next();
    struct peer p = peer_new(53, s.source_port, 1000);

    CHECK(s.any && s.flags == SYN && s.port == 53);
    p.ack = s.seq + 1;
    peer_send(&p, answer, NULL, 0);
    net_flush();
    return p;
}

static struct peer tcp_accept(void)
{
    return tcp_opened(SYN | ACK);
}

static struct sent tcp_question(struct peer *p)
{
    struct sent s;
    struct seen t;

    memset(&s, 0, sizeof(s));
    do
        t = peer_take(p);
    while (t.any && !t.len);
    CHECK(t.any && t.len == 2U + get_be16(t.data));
    s.any = t.any;
    if (t.any)
        take_question(t.data + 2, t.len - 2, &s);
    return s;
}

/* In pieces of `piece` bytes. */
static void tcp_answer(struct peer *p, size_t piece)
{
    static uint8_t whole[40000];

    put_be16(whole, (uint16_t)b.len);
    memcpy(whole + 2, b.bytes, b.len);
    for (size_t at = 0; at < b.len + 2; at += piece) {
        size_t n = b.len + 2 - at < piece ? b.len + 2 - at : piece;

        peer_send(p, ACK | PSH, whole + at, n);
    }
}

static struct peer to_tcp(struct dns_lookup *l, const char *name)
{
    struct sent s;

    dns_lookup(l, name, DNS_TXT);
    s = sent_next();
    CHECK(s.any);
    answer_code(&s, FLAG_TC);
    net_flush();
    return tcp_accept();
}

static void build_texts(const struct sent *s, const char *name, unsigned count)
{
    uint8_t text[256];

    memset(text, 'z', sizeof(text));
    text[0] = 255;
    build_answer(s, 0);
    for (unsigned i = 0; i < count; i++)
        build_record(&b, SECTION_ANSWER, name, DNS_TXT, 60, text, 256);
}

static void test_tcp(void)
{
    struct dns_lookup *l = &lookups[0];
    struct sent s;
    struct peer p;

    begin(PEER_IP, SECOND_IP, 0);
    l->done = on_done;
    for (size_t piece = 1; piece < 2000; piece = piece * 7 + 1) {
        char name[20];

        l->context = NULL;
        snprintf(name, sizeof(name), "t%zu.example", piece);
        p = to_tcp(l, name);
        s = tcp_question(&p);
        build_texts(&s, name, 9);
        tcp_answer(&p, piece);
        CHECK(is_done(l, DNS_OK) && l->count == 9 &&
              strlen(l->answers[8].name) == 255);
        wire_forget();
    }
    /* One that is too long, one that is nonsense, a connection that is reset,
     * one that ends, and one that says nothing: the other server is asked. */
    for (unsigned i = 0; i < 6; i++) {
        char name[20];

        l->context = NULL;
        snprintf(name, sizeof(name), "u%u.example", i);
        p = to_tcp(l, name);
        s = tcp_question(&p);
        build_texts(&s, name, i == 0 ? 70 : 1);
        if (i == 0)
            tcp_answer(&p, 1000);
        if (i == 1) {
            b.bytes[0]++;
            tcp_answer(&p, 1000);
        }
        if (i == 2)
            peer_send(&p, RST, NULL, 0);
        if (i == 3)
            peer_send(&p, FIN | ACK, NULL, 0);
        if (i == 4) {
            b.len = 0;
            tcp_answer(&p, 10);
        }
        if (i == 5)
            pass_time(6100);
        s = sent_next();
        CHECK(s.any && s.server == SECOND_IP);
        answer_code(&s, 3);
        CHECK(is_done(l, DNS_NO_NAME));
        wire_forget();
    }
}

static void test_case_lost(void)
{
    struct dns_lookup *l = &lookups[0];
    struct sent s;
    struct peer p;

    begin(PEER_IP, 0, 0);
    l->done = on_done;
    dns_lookup(l, "abcdefghijklmnop.example", DNS_TXT);
    s = sent_next();
    dns_name_lower(&s.name);
    build_texts(&s, "abcdefghijklmnop.example", 1);
    answer(&s);
    net_flush();
    p = tcp_accept();
    s = tcp_question(&p);
    dns_name_lower(&s.name);
    build_texts(&s, "abcdefghijklmnop.example", 2);
    tcp_answer(&p, 1000);
    CHECK(is_done(l, DNS_OK) && l->count == 2);
    /* Many wrong answers: likewise. */
    l->context = NULL;
    wire_forget();
    dns_lookup(l, "b.example", DNS_TXT);
    s = sent_next();
    for (unsigned i = 0; i < 16; i++) {
        s.id++;
        answer_code(&s, 3);
    }
    net_flush();
    p = tcp_accept();
    s = tcp_question(&p);
    build_texts(&s, "b.example", 1);
    tcp_answer(&p, 1000);
    CHECK(is_done(l, DNS_OK) && l->count == 1);
}

static void refuse_tcp(void)
{
    (void)tcp_opened(RST | ACK);
}

static bool is_lower(const struct dns_name *name)
{
    struct dns_name lower = *name;

    dns_name_lower(&lower);
    return memcmp(&lower, name, sizeof(lower)) == 0;
}

/* A router that makes all letters small and knows no TCP is better than none.
 */
static void test_case_lost_without_tcp(void)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz.example";
    struct dns_lookup *l = &lookups[0];
    struct sent s;

    begin(PEER_IP, 0, 0);
    l->done = on_done;
    dns_lookup(l, name, DNS_A);
    s = sent_next();
    CHECK(!is_lower(&s.name));
    dns_name_lower(&s.name);
    answer_a(&s, name, 0x01020304);
    net_flush();
    refuse_tcp();
    s = sent_next();
    CHECK(s.any && is_lower(&s.name));
    answer_a(&s, name, 0x01020305);
    CHECK(is_done(l, DNS_OK) &&
          net_address_to_v4(&l->answers[0].address) == 0x01020305);
    /* That is remembered for a while. */
    for (unsigned i = 0; i < 2; i++) {
        char other[60];

        l->context = NULL;
        wire_forget();
        snprintf(other, sizeof(other), "x%u.%s", i, name);
        dns_lookup(l, other, DNS_A);
        s = sent_next();
        CHECK(s.any && is_lower(&s.name) == (i == 0));
        answer_a(&s, other, 0x01020304);
        CHECK(is_done(l, DNS_OK));
        pass_time(3600000);
    }
    /* Another server is asked first: it may do better. */
    begin(PEER_IP, SECOND_IP, 0);
    l->done = on_done;
    dns_lookup(l, name, DNS_A);
    s = sent_next();
    dns_name_lower(&s.name);
    answer_a(&s, name, 0x01020304);
    net_flush();
    refuse_tcp();
    s = sent_next();
    CHECK(s.any && s.server == SECOND_IP && !is_lower(&s.name));
    answer_a(&s, name, 0x01020305);
    CHECK(is_done(l, DNS_OK) &&
          net_address_to_v4(&l->answers[0].address) == 0x01020305);
}

/* More answers that need TCP than there are connections. */
static void test_tcp_queue(void)
{
    struct peer peers[10];
    unsigned accepted = 0, turns = 0;
    struct sent q;
    struct seen s;
    char name[20];

    begin(PEER_IP, 0, 0);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "q%u.example", i);
        look(i, name, DNS_TXT);
        q = sent_next();
        answer_code(&q, FLAG_TC);
    }
    while (done_count < 10 && turns++ < 1000) {
        s = seen_next();
        if (!s.any)
            pass_time(1);
        if (s.flags == SYN) {
            CHECK(accepted < 4 + done_count);
            peers[accepted] = peer_new(53, s.source_port, 1000);
            peers[accepted].ack = s.seq + 1;
            peer_send(&peers[accepted++], SYN | ACK, NULL, 0);
        }
        for (unsigned i = 0; s.len && i < accepted; i++) {
            if (peers[i].our_port != s.source_port)
                continue;
            peers[i].ack += (uint32_t)s.len;
            take_question(s.data + 2, s.len - 2, &q);
            dns_name_format(&q.name, name);
            build_texts(&q, name, 1);
            tcp_answer(&peers[i], 1000);
        }
    }
    CHECK(done_count == 10 && accepted == 10);
    for (unsigned i = 0; i < 10; i++)
        CHECK(lookups[i].status == DNS_OK && lookups[i].count == 1);
}

int main(void)
{
    test_tcp();
    test_case_lost();
    test_case_lost_without_tcp();
    test_tcp_queue();
    wire_memory_release();
    return check_report();
}
