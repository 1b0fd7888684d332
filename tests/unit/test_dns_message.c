/* The resolver's parsers: names, every kind of answer, and messages of hostile
 * servers. */
#include "core/random.h"
#include "tests/unit/check.h"
#include "tests/unit/dns_build.h"
#include <stdlib.h>

static struct build b;
static struct dns_result result;
static struct dns_asked asked;

/* ---- Names ---- */

static bool parses(const char *text)
{
    struct dns_name name;

    return dns_name_parse(text, &name);
}

static void test_name_text(void)
{
    char text[300], out[DNS_NAME_BYTES];
    struct dns_name name;

    CHECK(dns_name_parse("Mail.Example.ORG.", &name) && name.len == 18);
    CHECK(!memcmp(name.bytes, "\4mail\7example\3org", 18));
    dns_name_format(&name, out);
    CHECK(!strcmp(out, "mail.example.org"));
    CHECK(parses("_dmarc.x") && parses("xn--bcher-kva.example") && parses("a"));
    CHECK(!parses("") && !parses(".") && !parses("a..b") && !parses(".a"));
    CHECK(!parses("a b") && !parses("b\303\274cher.example") && !parses("a\n"));
    CHECK(!parses("a/b") && !parses("*.x") && !parses("a.b..") &&
          !parses("a?b.x"));
    memset(text, 'a', 64);
    text[63] = '\0';
    CHECK(parses(text));
    text[63] = 'a';
    text[64] = '\0';
    CHECK(!parses(text));
    for (unsigned i = 0; i < 253; i++)
        text[i] = i % 2 ? '.' : 'a';
    text[253] = '\0';
    CHECK(dns_name_parse(text, &name) && name.len == 255);
    dns_name_format(&name, out);
    CHECK(!strcmp(out, text));
    text[253] = '.';
    text[254] = 'a';
    text[255] = '\0';
    CHECK(!parses(text));
}

static void test_name_compare(void)
{
    struct dns_name a, c, zone, root = {{0}, 1};
    unsigned changed = 0;

    CHECK(dns_name_parse("www.example.org", &a));
    CHECK(dns_name_parse("example.org", &zone));
    c = a;
    for (unsigned i = 0; i < 20; i++) {
        dns_name_shake(&c);
        CHECK(dns_name_equal(&a, &c));
        changed += memcmp(a.bytes, c.bytes, a.len) != 0;
    }
    CHECK(changed > 15);
    dns_name_lower(&c);
    CHECK(!memcmp(a.bytes, c.bytes, a.len));
    CHECK(dns_name_within(&a, &zone) && dns_name_within(&a, &a) &&
          dns_name_within(&a, &root) && !dns_name_within(&zone, &a));
    CHECK(dns_name_parse("xample.org", &zone) && !dns_name_within(&a, &zone));
}

static void check_name(const char *bytes, size_t len, size_t start,
                       const char *expected, size_t end)
{
    uint8_t *copy = malloc(len); /* so that ASan sees its end */
    char out[DNS_NAME_BYTES];
    struct dns_name name;
    size_t at = start;
    bool good;

    memcpy(copy, bytes, len);
    good = dns_name_read(copy, len, &at, &name);
    CHECK(good == (expected != NULL));
    if (good && expected) {
        dns_name_format(&name, out);
        CHECK(!strcmp(out, expected) && at == end);
    }
    free(copy);
}

static void test_name_wire(void)
{
    uint8_t chain[200];
    struct dns_name name;
    size_t at;

    check_name("\1a\2bc\0", 6, 0, "a.bc", 6);
    check_name("\0", 1, 0, "", 1);
    check_name("\1a\0\1b\300\0x", 8, 3, "b.a", 7);
    check_name("\1a.\0\2b.\0", 8, 4, "b?", 8);
    check_name("\1a", 2, 0, NULL, 0);
    check_name("\5a", 2, 0, NULL, 0);
    check_name("\1a\300", 3, 0, NULL, 0);
    check_name("", 0, 0, NULL, 0);
    check_name("\300\0", 2, 0, NULL, 0);        /* itself */
    check_name("\1a\300\0", 4, 0, NULL, 0);     /* a loop */
    check_name("\1a\300\5\0\0", 6, 0, NULL, 0); /* forwards */
    check_name("\1a\300\2", 4, 2, NULL, 0);
    check_name("\100a\0", 3, 0, NULL, 0); /* kinds of labels nobody has */
    check_name("\200a\0", 3, 0, NULL, 0);
    check_name("\300\2\300\0", 4, 2, NULL, 0); /* two at each other */
    /* A chain of nothing but pointers, each one back. */
    chain[0] = 0;
    chain[1] = 0;
    for (unsigned i = 2; i < sizeof(chain); i += 2) {
        chain[i] = 0xC0;
        chain[i + 1] = (uint8_t)(i - 2);
    }
    at = 64;
    CHECK(dns_name_read(chain, sizeof(chain), &at, &name) && at == 66);
    at = 100;
    CHECK(!dns_name_read(chain, sizeof(chain), &at, &name));
}

static void test_name_too_long(void)
{
    uint8_t bytes[400];
    struct dns_name name;
    size_t at = 0;

    for (unsigned i = 0; i < 254; i += 2) {
        bytes[i] = 1;
        bytes[i + 1] = 'a';
    }
    bytes[254] = 0;
    CHECK(dns_name_read(bytes, 255, &at, &name) && name.len == 255);
    /* One label more, through a pointer. */
    bytes[255] = 1;
    bytes[256] = 'b';
    bytes[257] = 0xC0;
    bytes[258] = 0;
    at = 255;
    CHECK(!dns_name_read(bytes, 259, &at, &name));
    bytes[258] = 2;
    at = 255;
    CHECK(dns_name_read(bytes, 259, &at, &name) && name.len == 255 &&
          at == 259);
}

static void test_reverse(void)
{
    struct net_address address = net_address_v4(0xC0000A01);
    char text[DNS_NAME_BYTES];

    CHECK(!strcmp(dns_reverse_name(&address, text), "1.10.0.192.in-addr.arpa"));
    CHECK(net_address_parse("2001:db8::567:89ab", &address) == OK);
    CHECK(!strcmp(dns_reverse_name(&address, text),
                  "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0."
                  "1.0.0.2.ip6.arpa"));
    CHECK(parses(text));
}

/* ---- Messages ---- */

static void ask(const char *name, enum dns_type type)
{
    memset(&asked, 0, sizeof(asked));
    CHECK(dns_name_parse(name, &asked.question.name));
    dns_name_shake(&asked.question.name);
    asked.question.type = type;
    asked.id = 0x1234;
    asked.edns = true;
    asked.ttl_s = DNS_TTL_MAX_S;
}

static void answer(unsigned flags)
{
    build_begin(&b, asked.id, flags);
    build_question(&b, &asked.question.name, asked.question.type);
}

static enum dns_reading reading(void)
{
    struct dns_asked again = asked;
    uint8_t *copy = malloc(b.len ? b.len : 1);
    enum dns_reading read;

    memcpy(copy, b.bytes, b.len);
    /* Cut anywhere it is never taken for more than a failure. */
    for (size_t len = 0; len < b.len; len += 1 + len / 64) {
        uint8_t *cut = malloc(len ? len : 1);

        memcpy(cut, b.bytes, len);
        read = dns_message_read(cut, len, &again, &result);
        CHECK(read != DNS_READ_ANSWER && read != DNS_READ_ALIAS);
        free(cut);
    }
    read = dns_message_read(copy, b.len, &asked, &result);
    free(copy);
    return read;
}

static void test_build(void)
{
    uint8_t out[DNS_QUERY_BYTES];
    size_t len;

    ask("a.example", DNS_MX);
    len = dns_message_build(out, &asked);
    CHECK(len == 12 + 11 + 4 + 11 && get_be16(out) == 0x1234 &&
          get_be16(out + 2) == 0x0100 && get_be16(out + 4) == 1 &&
          get_be16(out + 10) == 1 && get_be16(out + 23) == 15 &&
          get_be16(out + 30) == DNS_UDP_BYTES);
    CHECK(!memcmp(out + 12, asked.question.name.bytes, 11));
    asked.edns = false;
    CHECK(dns_message_build(out, &asked) == len - 11 && !get_be16(out + 10));
}

static void test_addresses(void)
{
    uint8_t six[16] = {0x20, 1, 0xD, 0xB8};

    ask("a.example", DNS_A);
    answer(0);
    build_a(&b, "A.EXAMPLE", 300, 0xC0000201);
    build_a(&b, "a.example", 200, 0xC0000202);
    build_a(&b, "b.example", 10, 0xC0000203); /* not asked for */
    build_record(&b, SECTION_ANSWER, "a.example", DNS_AAAA, 10, six, 16);
    build_record(&b, SECTION_ADDITIONAL, "a.example", DNS_A, 10, six, 4);
    CHECK(reading() == DNS_READ_ANSWER && result.status == DNS_OK);
    CHECK(result.count == 2 && result.ttl_s == 200 && !result.cname);
    CHECK(net_address_to_v4(&result.answers[1].address) == 0xC0000202);
    ask("a.example", DNS_AAAA);
    answer(0);
    build_record(&b, SECTION_ANSWER, "a.example", DNS_AAAA, 0x80000001, six,
                 16);
    CHECK(reading() == DNS_READ_ANSWER && result.count == 1 &&
          result.ttl_s == DNS_TTL_MIN_S &&
          !memcmp(result.answers[0].address.bytes, six, 16));
    /* Wrong lengths. */
    ask("a.example", DNS_A);
    answer(0);
    build_record(&b, SECTION_ANSWER, "a.example", DNS_A, 10, six, 5);
    CHECK(reading() == DNS_READ_FAILED);
    ask("a.example", DNS_AAAA);
    answer(0);
    build_record(&b, SECTION_ANSWER, "a.example", DNS_AAAA, 10, six, 15);
    CHECK(reading() == DNS_READ_FAILED);
    /* Another class. */
    ask("a.example", DNS_A);
    answer(0);
    build_a(&b, "a.example", 300, 1);
    put_be16(b.bytes + b.len - 12, 3);
    CHECK(reading() == DNS_READ_ANSWER && result.status == DNS_NO_DATA);
}

static void test_mx(void)
{
    char name[20];

    ask("example", DNS_MX);
    answer(0);
    build_mx(&b, "example", 300, 20, "mx2.example");
    build_mx(&b, "example", 300, 10, "mx1.example");
    build_mx(&b, "example", 300, 10, "bad name.example");
    CHECK(reading() == DNS_READ_ANSWER && result.count == 3 &&
          result.answers[0].preference == 20 &&
          !strcmp(result.answers[1].name, "mx1.example") &&
          !strcmp(result.answers[2].name, "bad?name.example"));
    answer(0);
    build_mx(&b, "example", 300, 0, "");
    CHECK(reading() == DNS_READ_ANSWER && result.count == 1 &&
          !strcmp(result.answers[0].name, ""));
    /* More than fit: the best stay. */
    answer(0);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "m%u.example", i);
        build_mx(&b, "example", 300, (uint16_t)(100 - i), name);
    }
    CHECK(reading() == DNS_READ_ANSWER && result.count == DNS_ANSWERS);
    for (unsigned i = 0; i < result.count; i++)
        CHECK(result.answers[i].preference <= 76);
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_MX, 10, "\0\1", 2);
    CHECK(reading() == DNS_READ_FAILED);
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_MX, 10, "\0\1\0x", 4);
    CHECK(reading() == DNS_READ_FAILED);
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_MX, 10, "\0\1\5ab", 5);
    CHECK(reading() == DNS_READ_FAILED);
    /* A name that leads into the message before, and one into itself. */
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_MX, 10, "\0\1\1x\300\14",
                 6);
    CHECK(reading() == DNS_READ_ANSWER &&
          !strcmp(result.answers[0].name, "x.example"));
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_MX, 10, "\0\1\300\60", 4);
    CHECK(reading() == DNS_READ_FAILED);
}

static void test_text(void)
{
    uint8_t data[600];

    ask("example", DNS_TXT);
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_TXT, 10, "\3v=s\0\5pf1\0x",
                 11);
    CHECK(reading() == DNS_READ_ANSWER &&
          !strcmp(result.answers[0].name, "v=spf1?x"));
    memset(data, 'y', sizeof(data));
    data[0] = data[256] = 255;
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_TXT, 10, data, 512);
    CHECK(reading() == DNS_READ_ANSWER &&
          strlen(result.answers[0].name) == 255);
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_TXT, 10, data, 511);
    CHECK(reading() == DNS_READ_FAILED);
    answer(0);
    build_record(&b, SECTION_ANSWER, "example", DNS_TXT, 10, data, 0);
    CHECK(reading() == DNS_READ_FAILED);
}

static void test_aliases(void)
{
    char from[8] = "a", to[8] = "b";

    /* In any order, with a stranger between. */
    ask("a", DNS_A);
    answer(0);
    build_a(&b, "c", 300, 7);
    build_target(&b, SECTION_ANSWER, "b", TYPE_CNAME, 60, "c");
    build_target(&b, SECTION_ANSWER, "x", TYPE_CNAME, 1, "y");
    build_target(&b, SECTION_ANSWER, "a", TYPE_CNAME, 90, "b");
    CHECK(reading() == DNS_READ_ANSWER && result.cname && result.ttl_s == 60 &&
          result.count == 1);
    /* To a name that must be asked for. */
    ask("a", DNS_A);
    answer(0);
    build_target(&b, SECTION_ANSWER, "a", TYPE_CNAME, 90, "b.example");
    CHECK(reading() == DNS_READ_ALIAS && asked.aliases == 1 &&
          asked.ttl_s == 90 && asked.next.len == 11);
    /* To a name that has no address; that does not exist. */
    ask("a", DNS_A);
    answer(0);
    build_target(&b, SECTION_ANSWER, "a", TYPE_CNAME, 900, "b.example");
    build_soa(&b, "example", 300, 400);
    CHECK(reading() == DNS_READ_ANSWER && result.status == DNS_NO_DATA &&
          result.cname && result.ttl_s == 300);
    ask("a", DNS_A);
    answer(3);
    build_target(&b, SECTION_ANSWER, "a", TYPE_CNAME, 90, "b.example");
    CHECK(reading() == DNS_READ_ANSWER && result.status == DNS_NO_NAME &&
          result.ttl_s == 0);
    /* Loops. */
    ask("a", DNS_A);
    answer(0);
    build_target(&b, SECTION_ANSWER, "a", TYPE_CNAME, 90, "a");
    CHECK(reading() == DNS_READ_FAILED);
    answer(0);
    build_target(&b, SECTION_ANSWER, "a", TYPE_CNAME, 90, "b");
    build_target(&b, SECTION_ANSWER, "b", TYPE_CNAME, 90, "a");
    build_a(&b, "c", 300, 7);
    CHECK(reading() == DNS_READ_FAILED && asked.aliases == 0);
    /* As many as are allowed, and one more. */
    answer(0);
    for (char i = 0; i < DNS_ALIASES; i++) {
        from[0] = (char)('a' + i);
        to[0] = (char)('b' + i);
        build_target(&b, SECTION_ANSWER, from, TYPE_CNAME, 90, to);
    }
    build_a(&b, to, 300, 7);
    CHECK(reading() == DNS_READ_ANSWER && result.count == 1);
    build_target(&b, SECTION_ANSWER, to, TYPE_CNAME, 90, "z");
    asked.aliases = 0;
    CHECK(reading() == DNS_READ_FAILED);
    /* A malformed alias. */
    answer(0);
    build_record(&b, SECTION_ANSWER, "a", TYPE_CNAME, 9, "\1b\0\0", 4);
    CHECK(reading() == DNS_READ_FAILED);
}

static void test_negative(void)
{
    ask("a.example", DNS_MX);
    answer(3);
    build_soa(&b, "example", 7200, 9000);
    CHECK(reading() == DNS_READ_ANSWER && result.status == DNS_NO_NAME &&
          result.ttl_s == DNS_NEGATIVE_S && result.count == 0);
    ask("a.example", DNS_MX);
    answer(0);
    build_soa(&b, "example", 7200, 60);
    CHECK(reading() == DNS_READ_ANSWER && result.status == DNS_NO_DATA &&
          result.ttl_s == 60);
    /* Somebody else's SOA, and none: not to be kept. */
    ask("a.example", DNS_MX);
    answer(0);
    build_soa(&b, "other", 7200, 60);
    CHECK(reading() == DNS_READ_ANSWER && result.status == DNS_NO_DATA &&
          result.ttl_s == 0);
    /* A referral is no answer. */
    ask("a.example", DNS_MX);
    answer(0);
    build_target(&b, SECTION_AUTHORITY, "example", TYPE_NS, 60, "ns.example");
    CHECK(reading() == DNS_READ_FAILED);
    answer(0);
    build_target(&b, SECTION_AUTHORITY, "", TYPE_NS, 60, "ns.example");
    CHECK(reading() == DNS_READ_FAILED);
    /* An SOA too short. */
    answer(3);
    build_record(&b, SECTION_AUTHORITY, "example", TYPE_SOA, 9, "\0\0", 2);
    CHECK(reading() == DNS_READ_FAILED);
}

static void test_codes(void)
{
    ask("a", DNS_A);
    for (unsigned code = 1; code < 16; code++) {
        answer(code);
        asked.edns = true;
        if (code == 1 || code == 4)
            CHECK(reading() == DNS_READ_NO_EDNS);
        else if (code != 3)
            CHECK(reading() == DNS_READ_FAILED);
        asked.edns = false;
        if (code != 3)
            CHECK(reading() == DNS_READ_FAILED);
    }
    /* A header alone is enough to say that nothing was understood. */
    asked.edns = true;
    build_begin(&b, asked.id, 1);
    CHECK(reading() == DNS_READ_NO_EDNS);
    build_begin(&b, asked.id, 5); /* refused, as unbound does it */
    CHECK(reading() == DNS_READ_FAILED);
    build_begin(&b, asked.id, 3);
    CHECK(reading() == DNS_READ_STRANGE);
    build_begin(&b, asked.id, 0);
    CHECK(reading() == DNS_READ_STRANGE);
    /* BADVERS stands in EDNS's record; two of those are one too many. */
    answer(0);
    build_record(&b, SECTION_ADDITIONAL, "", TYPE_OPT, 0x01000000, "", 0);
    CHECK(reading() == DNS_READ_NO_EDNS);
    answer(0);
    build_record(&b, SECTION_ADDITIONAL, "", TYPE_OPT, 0, "", 0);
    build_record(&b, SECTION_ADDITIONAL, "", TYPE_OPT, 0, "", 0);
    CHECK(reading() == DNS_READ_FAILED);
    answer(FLAG_TC);
    CHECK(reading() == DNS_READ_TRUNCATED);
    asked.tcp = true;
    CHECK(reading() == DNS_READ_FAILED);
}

static void test_strange(void)
{
    struct dns_asked other;

    ask("abcdefghijklmnop", DNS_A);
    for (unsigned i = 0; i < 9; i++) {
        answer(0);
        build_a(&b, "abcdefghijklmnop", 300, 7);
        other = asked;
        switch (i) {
        case 0:
            put_be16(b.bytes, 0x4321);
            break;
        case 1:
            b.bytes[2] &= 0x7F; /* a question */
            break;
        case 2:
            b.bytes[2] |= 0x28; /* an update */
            break;
        case 3:
            put_be16(b.bytes + 4, 2);
            break;
        case 4:
            put_be16(b.bytes + 4, 0);
            break;
        case 5:
            b.bytes[13] ^= 1; /* another name */
            break;
        case 6:
            put_be16(b.bytes + 30, DNS_MX);
            break;
        case 7:
            put_be16(b.bytes + 32, 3);
            break;
        default:
            dns_name_shake(&asked.question.name);
            break;
        }
        CHECK(reading() == (i == 8 ? DNS_READ_CASE : DNS_READ_STRANGE));
        asked = other;
    }
    /* By TCP the case does not matter. */
    answer(0);
    build_a(&b, "abcdefghijklmnop", 300, 7);
    dns_name_shake(&asked.question.name);
    asked.tcp = true;
    CHECK(reading() == DNS_READ_ANSWER && result.count == 1);
    /* More records than there are, and bytes behind the last. */
    put_be16(b.bytes + 6, 2);
    CHECK(reading() == DNS_READ_FAILED);
    put_be16(b.bytes + 6, 1);
    put_be16(b.bytes + 8, 0xFFFF);
    CHECK(reading() == DNS_READ_FAILED);
    put_be16(b.bytes + 8, 0);
    b.bytes[b.len++] = 0;
    CHECK(dns_message_read(b.bytes, b.len, &asked, &result) == DNS_READ_FAILED);
}

int main(void)
{
    random_module_init();
    test_name_text();
    test_name_compare();
    test_name_wire();
    test_name_too_long();
    test_reverse();
    test_build();
    test_addresses();
    test_mx();
    test_text();
    test_aliases();
    test_negative();
    test_codes();
    test_strange();
    return check_report();
}
