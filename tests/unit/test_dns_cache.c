/* The resolver's cache: more entries than fit, times, failures. */
#include "core/random.h"
#include "core/timer.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include "net/dns_internal.h"
#include <string.h>

static struct dns_result result;

static void key(struct dns_question *question, const char *name, unsigned i)
{
    char text[64];

    snprintf(text, sizeof(text), "%s%u.example", name, i);
    CHECK(dns_name_parse(text, &question->name));
    question->type = DNS_MX;
}

static void test_cache(void)
{
    struct dns_question q;
    unsigned found = 0;

    dns_cache_clear();
    for (unsigned i = 0; i < 20000; i++) {
        key(&q, "n", i);
        memset(&result, 0, sizeof(result));
        result.count = 1 + i % 5;
        result.ttl_s = 300;
        for (unsigned j = 0; j < result.count; j++) {
            result.answers[j].preference = (uint16_t)(i + j);
            snprintf(result.answers[j].name, DNS_NAME_BYTES, "m%u.%u", i, j);
        }
        dns_cache_put(&q, &result);
        memset(&result, 0xEE, sizeof(result));
        CHECK(dns_cache_find(&q, &result) && result.count == 1 + i % 5 &&
              result.ttl_s == 300);
    }
    for (unsigned i = 0; i < 20000; i++) {
        key(&q, "n", i);
        if (!dns_cache_find(&q, &result))
            continue;
        found++;
        CHECK(result.count == 1 + i % 5 &&
              result.answers[i % 5].preference == (uint16_t)(i + i % 5));
        q.type = DNS_A;
        CHECK(!dns_cache_find(&q, &result));
    }
    CHECK(found == dns_cache_entries() && found > 700 && found < 2000);
    /* What is put again takes the place of what was there. */
    key(&q, "n", 19999);
    result.count = 0;
    result.status = DNS_NO_NAME;
    result.ttl_s = 10;
    dns_cache_put(&q, &result);
    CHECK(dns_cache_find(&q, &result) && result.status == DNS_NO_NAME &&
          result.count == 0);
    fake_machine.now_ns += 9500000000ULL;
    timer_run();
    CHECK(dns_cache_find(&q, &result) && result.ttl_s == 1);
    fake_machine.now_ns += 500000000ULL;
    timer_run();
    CHECK(!dns_cache_find(&q, &result));
    result.ttl_s = 0;
    key(&q, "zero", 0);
    dns_cache_put(&q, &result);
    CHECK(!dns_cache_find(&q, &result));
    dns_cache_clear();
    CHECK(dns_cache_entries() == 0);
}

static void test_failures(void)
{
    static const unsigned waits[] = {5, 10, 20, 40, 80, 160, 300, 300};
    struct dns_question q;

    key(&q, "failed", 0);
    for (unsigned i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        dns_cache_put_failure(&q);
        CHECK(dns_cache_find(&q, &result) && result.status == DNS_FAILED &&
              result.ttl_s == waits[i]);
        fake_machine.now_ns += waits[i] * 1000000000ULL;
        timer_run();
        CHECK(!dns_cache_find(&q, &result));
    }
    result.status = DNS_NO_DATA;
    result.count = 0;
    result.ttl_s = 5;
    dns_cache_put(&q, &result);
    dns_cache_put_failure(&q);
    CHECK(dns_cache_find(&q, &result) && result.ttl_s == 5);
}

int main(void)
{
    timer_module_init();
    random_module_init();
    if (dns_cache_init() != OK)
        return 1;
    test_cache();
    test_failures();
    return check_report();
}
