/* The page "DNS records": what has to be published so that others send here and
 * take what comes from here, and what the name servers say of it now.
 *
 * Seen from behind a router the address that others see is not known: it is
 * what the host name's A record says. */
#include "admin/admin_page.h"
#include "limits/limits.h"
#include "net/dns.h"
#include "net/net.h"
#include "store/st.h"
#include "userdb/user.h"
#include <stdio.h>
#include <string.h>

#define DOMAINS_SHOWN 8
#define SPF           "v=spf1 mx -all"

/* One question at a time: it is large, and pages have small stacks. */
static struct {
    bool taken;
    struct dns_lookup lookup;
    struct admin_wait wait;
} asking;

static void is_answered(struct dns_lookup *lookup)
{
    (void)lookup;
    admin_done(&asking.wait);
}

/* Leaves the answer in asking.lookup, which is the caller's till release(). */
static void ask(const char *name, enum dns_type type)
{
    while (asking.taken)
        st_job_pause();
    asking.taken = true;
    memset(&asking.lookup, 0, sizeof(asking.lookup));
    asking.lookup.done = is_answered;
    admin_wait_begin(&asking.wait);
    dns_lookup(&asking.lookup, name, type);
    admin_wait_end(&asking.wait);
}

static void release(void)
{
    asking.taken = false;
}

/* ---- One record -----------------------------------------------------------
 */

static void write_found(struct http_exchange *x,
                        const struct dns_lookup *lookup)
{
    char text[NET_ADDRESS_TEXT];

    if (lookup->status == DNS_FAILED)
        http_text(x, "no answer from the name servers");
    else if (lookup->status != DNS_OK)
        http_text(x, "nothing");
    for (unsigned i = 0; lookup->status == DNS_OK && i < lookup->count; i++) {
        const struct dns_answer *answer = &lookup->answers[i];

        http_text(x, i != 0 ? "<br>" : "");
        if (lookup->type == DNS_A)
            http_escape(x, net_address_format(&answer->address, text));
        else if (lookup->type == DNS_MX)
            http_printf(x, "%u %h", answer->preference, answer->name);
        else
            http_escape(x, answer->name);
    }
}

/* name: may be longer than a name of ours, e.g. a reverse one. */
static void begin_record(struct http_exchange *x, const char *name,
                         const char *type, const char *value)
{
    http_printf(x, "<tr><td>%h</td><td>%h</td><td><code>%h</code></td><td>",
                name, type, value);
    write_found(x, &asking.lookup);
    http_text(x, "</td><td>");
}

/* Name servers that do not answer have not said that it is missing. */
static void end_record(struct http_exchange *x, bool good)
{
    if (good)
        http_text(x, "<span class=\"ok\">right</span></td></tr>");
    else if (asking.lookup.status == DNS_FAILED)
        http_text(x, "not known</td></tr>");
    else
        http_text(x, "<span class=\"missing\">missing</span></td></tr>");
}

static bool same_name(const char *a, const char *b)
{
    size_t len = strlen(a);

    for (size_t i = 0; i <= len; i++) {
        char c = a[i], d = b[i];

        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        d = d >= 'A' && d <= 'Z' ? (char)(d + 32) : d;
        if (c != d)
            return false;
    }
    return true;
}

/* ---- The records -----------------------------------------------------------
 */

static void test_mx(struct http_exchange *x, const char *domain,
                    const char *hostname)
{
    char value[300];
    bool good = false;

    (void)snprintf(value, sizeof(value), "10 %s.", hostname);
    ask(domain, DNS_MX);
    for (unsigned i = 0; i < asking.lookup.count; i++)
        good = good || same_name(asking.lookup.answers[i].name, hostname);
    begin_record(x, domain, "MX", value);
    end_record(x, good && asking.lookup.status == DNS_OK);
    release();
}

static void test_spf(struct http_exchange *x, const char *domain)
{
    bool good = false;

    ask(domain, DNS_TXT);
    for (unsigned i = 0; i < asking.lookup.count; i++)
        good = good || strncmp(asking.lookup.answers[i].name, "v=spf1", 6) == 0;
    begin_record(x, domain, "TXT (SPF)", SPF);
    end_record(x, good && asking.lookup.status == DNS_OK);
    release();
}

/* Returns whether the host's address is known then, in *address. */
static bool test_a(struct http_exchange *x, const char *hostname,
                   struct net_address *address)
{
    char value[NET_ADDRESS_TEXT];
    struct net_status net;
    bool good, inside;

    net_status(&net);
    inside = net.state != NET_UP || limits_private(&net.address);
    ask(hostname, DNS_A);
    good = asking.lookup.status == DNS_OK && asking.lookup.count != 0;
    if (good)
        *address = asking.lookup.answers[0].address;
    begin_record(x, hostname, "A",
                 inside ? "your router's address outside"
                        : net_address_format(&net.address, value));
    end_record(x, good && (inside || net_address_equal(address, &net.address)));
    if (!good && !inside)
        *address = net.address;
    release();
    return good || !inside;
}

static void test_ptr(struct http_exchange *x, const char *hostname,
                     const struct net_address *address)
{
    char name[DNS_NAME_BYTES];
    bool good = false;

    (void)dns_reverse_name(address, name);
    ask(name, DNS_PTR);
    for (unsigned i = 0; i < asking.lookup.count; i++)
        good = good || same_name(asking.lookup.answers[i].name, hostname);
    begin_record(x, name, "PTR (your provider)", hostname);
    end_record(x, good && asking.lookup.status == DNS_OK);
    release();
}

static void test_all(struct http_exchange *x, const char *hostname)
{
    const char *list = st_setting("domains");
    struct net_address address;

    admin_table(x, "Records", "Name|Type|Value|Found now|Verdict");
    if (test_a(x, hostname, &address))
        test_ptr(x, hostname, &address);
    else
        http_printf(x,
                    "<tr><td>the address, backwards</td><td>PTR (your "
                    "provider)</td><td><code>%h</code></td><td>tested when "
                    "there is an A record</td><td>not known</td></tr>",
                    hostname);
    for (unsigned i = 0; i < DOMAINS_SHOWN && !http_gone(x); i++) {
        char domain[USER_DOMAIN_BYTES];
        size_t len;

        list += strspn(list, " ");
        len = strcspn(list, " ");
        if (len == 0 || len >= sizeof(domain))
            break;
        memcpy(domain, list, len);
        domain[len] = '\0';
        list += len;
        test_mx(x, domain, hostname);
        test_spf(x, domain);
    }
    admin_table_end(x);
}

void admin_first_page(struct http_exchange *x, struct store *store)
{
    const char *hostname = st_setting("hostname");

    admin_begin(x, store, 200, "DNS records");
    http_text(x, "<p>For mail from outside these records have to be published "
                 "by whoever runs your domain's name servers, and port 25 has "
                 "to reach this machine. They are asked for now, by the name "
                 "servers that this machine uses.</p>");
    if (strchr(hostname, '.') == NULL)
        admin_note(x, true,
                   "The host name has no domain: set a full one, like "
                   "mail.example.org, at the console under Names.");
    else
        test_all(x, hostname);
    http_text(x, "<p><a class=\"button\" href=\"/admin/first\">Test again</a>"
                 "</p>");
    admin_end(x);
}
