/* The AO's network room on a tap device, in real time, without the rest: what
 * it asks real servers, and what it answers real clients, without booting.
 *
 *   netpc TAP ADDRESS/PREFIX|dhcp GATEWAY NAME DNS...
 *
 * NAME is its label for multicast DNS, "" for none. Commands come by lines on
 * standard input, answers go by lines to standard output:
 *
 *   lookup TYPE NAME    "NAME TYPE STATUS alias|plain TTL: ANSWER, ANSWER"
 *   ntp SERVERS         "clock OFFSET_MS SERVER STRATUM", when it is known
 *
 * By itself it says "address A" with "dns SERVERS", and "name N.local", when
 * those change. At the end of the input it says goodbye and ends. */
#include "core/log.h"
#include "core/machine.h"
#include "core/random.h"
#include "core/timer.h"
#include "net/dns.h"
#include "net/mdns.h"
#include "net/net.h"
#include "net/sntp.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define LOOKUPS     64
#define BUFFERS     512
#define CONNECTIONS 16
#define FRAME_BYTES 1514

static struct {
    int tap;
    int64_t wall_ahead_ms; /* of the monotonic clock */
    uint64_t frames_in, frames_out;
    struct dns_lookup lookups[LOOKUPS];
    bool used[LOOKUPS];
    char line[600];
    size_t line_bytes;
    bool ended;
    char name[80];
    uint64_t clock_ms;
} pc;

/* ---- The machine ---- */

uint64_t machine_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

int64_t machine_wall_clock_ms(void)
{
    return (int64_t)(machine_monotonic_ns() / 1000000) + pc.wall_ahead_ms;
}

void machine_wall_clock_set(int64_t unix_ms)
{
    pc.wall_ahead_ms = unix_ms - (int64_t)(machine_monotonic_ns() / 1000000);
}

void machine_entropy(void *buffer, size_t bytes)
{
    if (getrandom(buffer, bytes, 0) != (ssize_t)bytes)
        abort();
}

bool machine_nic_send(struct iobuf *frame)
{
    size_t len = iobuf_length(frame);

    pc.frames_out++;
    return write(pc.tap, frame->data, len) == (ssize_t)len;
}

struct iobuf *machine_nic_receive(void)
{
    struct iobuf *frame = iobuf_alloc_receive();
    ssize_t bytes;

    if (!frame)
        return NULL;
    bytes = read(pc.tap, frame->data, FRAME_BYTES);
    if (bytes <= 0) {
        iobuf_release(frame);
        return NULL;
    }
    iobuf_put(frame, (size_t)bytes);
    pc.frames_in++;
    return frame;
}

void machine_nic_info(struct machine_nic_info *info)
{
    static const uint8_t address[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

    memset(info, 0, sizeof(*info));
    info->name = "tap";
    info->present = info->link_up = true;
    memcpy(info->address, address, sizeof(address));
    info->frames_in = pc.frames_in;
    info->frames_out = pc.frames_out;
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

static int open_tap(const char *name)
{
    struct ifreq request;
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

    memset(&request, 0, sizeof(request));
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) {
        perror(name);
        exit(2);
    }
    return tap;
}

/* ---- Lookups ---- */

static const struct {
    const char *name;
    enum dns_type type;
} types[] = {{"A", DNS_A},
             {"AAAA", DNS_AAAA},
             {"MX", DNS_MX},
             {"TXT", DNS_TXT},
             {"PTR", DNS_PTR}};

static const char *const statuses[] = {[DNS_OK] = "ok",
                                       [DNS_NO_NAME] = "noname",
                                       [DNS_NO_DATA] = "nodata",
                                       [DNS_FAILED] = "failed",
                                       [DNS_BAD_NAME] = "badname"};

static void print_answer(const struct dns_lookup *lookup, unsigned i)
{
    const struct dns_answer *answer = &lookup->answers[i];
    char text[NET_ADDRESS_TEXT];

    printf("%s ", i ? "," : "");
    if (lookup->type == DNS_MX)
        printf("%u %s", answer->preference, *answer->name ? answer->name : ".");
    else if (lookup->type == DNS_A || lookup->type == DNS_AAAA)
        printf("%s", net_address_format(&answer->address, text));
    else
        printf("%s", answer->name);
}

static void looked_up(struct dns_lookup *lookup)
{
    unsigned type = 0;

    while (types[type].type != lookup->type)
        type++;
    printf("%s %s %s %s %u:", lookup->name, types[type].name,
           statuses[lookup->status], lookup->cname ? "alias" : "plain",
           lookup->count ? lookup->answers[0].ttl_s : 0);
    for (unsigned i = 0; i < lookup->count; i++)
        print_answer(lookup, i);
    printf("\n");
    pc.used[lookup - pc.lookups] = false;
}

static void look_up(const char *type, const char *name)
{
    unsigned i = 0, t = 0;

    while (i < LOOKUPS && pc.used[i])
        i++;
    while (t < sizeof(types) / sizeof(*types) && strcmp(types[t].name, type))
        t++;
    if (i == LOOKUPS || t == sizeof(types) / sizeof(*types)) {
        printf("cannot look up\n");
        return;
    }
    pc.used[i] = true;
    pc.lookups[i].done = looked_up;
    dns_lookup(&pc.lookups[i], name, types[t].type);
}

/* ---- Commands ---- */

static void command(char *line)
{
    char *word = strtok(line, " ");
    char *rest = strtok(NULL, "");
    char *space = rest ? strchr(rest, ' ') : NULL;

    if (word && rest && space && !strcmp(word, "lookup")) {
        *space = '\0';
        look_up(rest, space + 1);
    } else if (word && !strcmp(word, "ntp")) {
        sntp_configure(rest ? rest : "");
    } else {
        printf("what?\n");
    }
}

static void take_input(void)
{
    ssize_t bytes =
        read(0, pc.line + pc.line_bytes, sizeof(pc.line) - 1 - pc.line_bytes);
    char *end;

    if (bytes <= 0) {
        pc.ended = bytes == 0 || errno != EAGAIN;
        return;
    }
    pc.line_bytes += (size_t)bytes;
    pc.line[pc.line_bytes] = '\0';
    while ((end = strchr(pc.line, '\n')) != NULL) {
        *end = '\0';
        command(pc.line);
        pc.line_bytes -= (size_t)(end + 1 - pc.line);
        memmove(pc.line, end + 1, pc.line_bytes + 1);
    }
}

static void tell_address(const struct net_status *net, const char *address)
{
    static const struct net_address none;
    char text[NET_ADDRESS_TEXT];

    printf("address %s\ndns", address);
    for (unsigned i = 0; i < 3; i++) {
        if (!net_address_equal(&net->dns[i], &none))
            printf(" %s", net_address_format(&net->dns[i], text));
    }
    printf("\n");
}

/* What changes by itself. */
static void tell_changes(void)
{
    static char address[NET_ADDRESS_TEXT];
    char text[NET_ADDRESS_TEXT];
    struct sntp_status clock;
    struct net_status net;

    net_status(&net);
    if (net.state == NET_UP &&
        strcmp(net_address_format(&net.address, text), address) != 0)
        tell_address(&net, strcpy(address, text));
    if (*mdns_name() && strcmp(mdns_name(), pc.name) != 0)
        printf("name %s\n", strcpy(pc.name, mdns_name()));
    sntp_status(&clock);
    if (!clock.known || clock.taken_ms == pc.clock_ms)
        return;
    pc.clock_ms = clock.taken_ms;
    printf("clock %lld %s %u\n", (long long)clock.offset_ms,
           net_address_format(&clock.server, text), clock.stratum);
}

static void idle(void)
{
    struct pollfd ready[2] = {{.fd = pc.tap, .events = POLLIN},
                              {.fd = 0, .events = POLLIN}};
    uint64_t now_ms = machine_monotonic_ns() / 1000000;
    uint64_t next_ms = timer_next_ms();
    int wait_ms = next_ms <= now_ms ? 0 : 1000;

    if (next_ms > now_ms && next_ms - now_ms < 1000)
        wait_ms = (int)(next_ms - now_ms);
    fflush(stdout);
    (void)poll(ready, 2, wait_ms);
}

static void configure(char **arguments, int count)
{
    struct net_config config = {.dhcp = !strcmp(arguments[0], "dhcp")};
    char *slash = strchr(arguments[0], '/');

    if (slash) {
        *slash = '\0';
        config.prefix_length = (uint8_t)atoi(slash + 1);
        if (net_address_parse(arguments[0], &config.address) != OK ||
            net_address_parse(arguments[1], &config.gateway) != OK)
            exit(2);
    }
    snprintf(config.hostname, sizeof(config.hostname), "%s", arguments[2]);
    for (int i = 3; i < count && i < 6; i++) {
        if (net_address_parse(arguments[i], &config.dns[i - 3]) != OK)
            exit(2);
    }
    net_configure(&config);
}

int main(int count, char **arguments)
{
    if (count < 5) {
        fprintf(stderr, "netpc TAP ADDRESS/PREFIX|dhcp GATEWAY NAME DNS...\n");
        return 2;
    }
    pc.tap = open_tap(arguments[1]);
    if (fcntl(0, F_SETFL, O_NONBLOCK) < 0)
        return 2;
    timer_module_init();
    random_module_init();
    if (iobuf_pool_init(BUFFERS) != OK || net_module_init(CONNECTIONS) != OK ||
        dns_module_init() != OK)
        return 2;
    sntp_module_init();
    sntp_floor(0, NULL);
    sntp_configure("off");
    configure(arguments + 2, count - 2);
    while (!pc.ended) {
        while (net_receive(64))
            ;
        timer_run();
        take_input();
        while (net_flush())
            ;
        tell_changes();
        idle();
    }
    mdns_stop();
    if (log_count())
        fprintf(stderr, "%s\n", log_line(0));
    return 0;
}
