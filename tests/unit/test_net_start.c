/* How soon the network serves: a static address from its first probe on, and
 * one question to DHCP, not two. */
#include "tests/unit/check.h"
#include "tests/unit/fake_wire.h"

static const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 0x77};

static void link_comes_up(void)
{
    wire_begin(256, 4);
    wire.link_up = false;
    pass_time(300);
    wire_forget();
    wire.link_up = true;
}

static void test_static(bool taken)
{
    struct net_status status;

    link_comes_up();
    pass_time(25);
    net_status(&status);
    CHECK(status.state == NET_UP);
    CHECK(is_arp(frame_next(), 1, 0, OUR_IP));
    arp_in(1, PEER_IP, OUR_IP, peer_mac, true);
    CHECK(is_arp(frame_next(), 2, OUR_IP, PEER_IP));
    if (taken)
        arp_in(2, OUR_IP, 0, other_mac, true);
    else
        CHECK(!frame_next()); /* not announced before it is probed */
    pass_time(200);
    net_status(&status);
    CHECK(status.state == NET_UP);
    CHECK(count_arp(1, OUR_IP, OUR_IP) == 1);
}

/* A link that nobody has looked at yet when the settings come. */
static void test_dhcp(void)
{
    struct net_config config = {.dhcp = true, .hostname = "barepost"};
    const struct wire_frame *f;
    unsigned questions = 0;

    link_comes_up();
    net_configure(&config);
    net_flush();
    while ((f = frame_next()) != NULL)
        questions += get_be16(f->bytes + 12) == 0x0800 && f->bytes[23] == 17 &&
                     get_be16(f->bytes + 36) == 67;
    CHECK(questions == 1);
}

int main(void)
{
    test_static(false);
    test_static(true);
    test_dhcp();
    return check_report();
}
