/* The TFTP client against a server of the test's own, which knows options or
 * not, loses, doubles and reorders packets, refuses, lies, and falls silent. */
#include "core/bytes.h"
#include "core/random.h"
#include "net/tftp.h"
#include "tests/unit/check.h"
#include "tests/unit/fake_machine.h"
#include <stdlib.h>
#include <string.h>

#define SERVER_PORT 40000

static struct {
    struct udp_socket *socket;
    uint8_t sent[600]; /* the client's last packet */
    size_t sent_len;
    unsigned count, to_strangers;
    enum err error;
} wire;

enum err udp_open(struct udp_socket *socket)
{
    socket->port = 50000;
    wire.socket = socket;
    return OK;
}

void udp_close(struct udp_socket *socket)
{
    CHECK(wire.socket == socket);
    wire.socket = NULL;
}

enum err udp_send(struct udp_socket *socket, const struct net_endpoint *to,
                  const void *data, size_t len)
{
    (void)socket;
    if (wire.error)
        return wire.error;
    if (to->port != TFTP_PORT && to->port != SERVER_PORT) {
        wire.to_strangers++;
        return OK;
    }
    CHECK(len <= sizeof(wire.sent));
    memcpy(wire.sent, data, len);
    wire.sent_len = len;
    wire.count++;
    return OK;
}

/* ---- The asker ------------------------------------------------------------
 */

static uint8_t taken[200000];

static struct {
    struct tftp tftp;
    size_t room;
    size_t pause_at; /* 0: never; after so many bytes */
    enum err result;
    unsigned done;
} asker;

static enum err take(struct tftp *tftp, const uint8_t *data, size_t len)
{
    size_t at = (size_t)tftp->got - len;

    if (tftp->got > asker.room)
        return ERR_TOO_BIG;
    if (asker.pause_at && tftp->got >= asker.pause_at)
        tftp_pause(tftp);
    if (tftp->got <= sizeof(taken))
        memcpy(taken + at, data, len);
    return OK;
}

static void done(struct tftp *tftp, enum err result)
{
    (void)tftp;
    asker.result = result;
    asker.done++;
}

static void begin(const char *file)
{
    memset(&asker, 0, sizeof(asker));
    wire.count = wire.to_strangers = 0;
    asker.room = SIZE_MAX;
    asker.tftp.server.address = net_address_v4(0x0a000202);
    asker.tftp.file = file;
    asker.tftp.take = take;
    asker.tftp.done = done;
    CHECK(tftp_begin(&asker.tftp) == OK);
    CHECK(wire.count == 1 && get_be16(wire.sent) == 1);
}

static void arrive(uint16_t port, const void *packet, size_t len)
{
    struct net_endpoint from = {net_address_v4(0x0a000202), port};
    uint8_t *exact = malloc(len ? len : 1);

    memcpy(exact, packet, len);
    if (wire.socket)
        wire.socket->received(wire.socket, &from, exact, len);
    free(exact);
}

static void pass(unsigned ms)
{
    fake_machine.now_ns += (uint64_t)ms * 1000000;
    (void)timer_run();
}

/* ---- The server -----------------------------------------------------------
 */

static uint8_t content_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static void send_block(size_t number, size_t block_bytes, size_t total)
{
    uint8_t packet[4 + 1428];
    size_t begin_at = (number - 1) * block_bytes;
    size_t len =
        total - begin_at < block_bytes ? total - begin_at : block_bytes;

    put_be16(packet, 3);
    put_be16(packet + 2, (uint16_t)number);
    for (size_t i = 0; i < len; i++)
        packet[4 + i] = content_at(begin_at + i);
    arrive(SERVER_PORT, packet, 4 + len);
}

static void send_oack(const char *options, size_t len)
{
    uint8_t packet[200];

    put_be16(packet, 6);
    memcpy(packet + 2, options, len);
    arrive(SERVER_PORT, packet, 2 + len);
}

#define OACK(text) send_oack(text, sizeof(text))

static bool acked(uint16_t block)
{
    return wire.sent_len == 4 && get_be16(wire.sent) == 4 &&
           get_be16(wire.sent + 2) == block;
}

static bool right(size_t total)
{
    for (size_t i = 0; i < total && i < sizeof(taken); i++)
        if (taken[i] != content_at(i))
            return false;
    return asker.done == 1 && asker.result == OK && asker.tftp.got == total &&
           wire.socket == NULL;
}

/* A whole transfer. loss: so many of a thousand packets are lost or doubled,
 * each way. */
static void serve(size_t block_bytes, size_t window, size_t total,
                  unsigned loss)
{
    size_t last = total / block_bytes + 1, acknowledged = 0;
    unsigned count = wire.count, rounds = 0;

    while (!asker.done && rounds++ < 100000) {
        for (size_t i = 1; i <= window && acknowledged + i <= last; i++) {
            unsigned chance = random_below(1000);

            if (chance >= loss)
                send_block(acknowledged + i, block_bytes, total);
            if (chance >= loss && chance < 2 * loss)
                send_block(acknowledged + i, block_bytes, total);
        }
        if (wire.count == count)
            pass(1100);
        if (wire.count != count && random_below(1000) >= loss) {
            uint16_t number = get_be16(wire.sent + 2);

            CHECK(get_be16(wire.sent) == 4);
            acknowledged += (uint16_t)(number - (uint16_t)acknowledged);
        }
        count = wire.count;
    }
}

/* ---- Tests ----------------------------------------------------------------
 */

static void test_plain(void)
{
    static const size_t sizes[] = {0, 1, 511, 512, 513, 5120, 100000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        begin("users.csv");
        serve(512, 1, sizes[i], 0);
        CHECK(right(sizes[i]));
        CHECK(wire.count == 1 + sizes[i] / 512 + 1);
    }
}

static void test_request(void)
{
    static const char want[] = "\0\1a/b.sql\0octet\0tsize\0"
                               "0\0blksize\0"
                               "1428\0windowsize\0"
                               "8\0timeout\0"
                               "2";
    struct tftp bad = {.file = ""};

    begin("a/b.sql");
    CHECK(wire.sent_len == sizeof(want) &&
          memcmp(wire.sent, want, sizeof(want)) == 0);
    tftp_cancel(&asker.tftp);
    tftp_cancel(&asker.tftp);
    CHECK(asker.done == 0 && wire.socket == NULL);
    CHECK(tftp_begin(&bad) == ERR_INVALID);
    bad.file = "x";
    wire.error = ERR_NOT_FOUND;
    CHECK(tftp_begin(&bad) == ERR_NOT_FOUND && wire.socket == NULL);
    wire.error = OK;
}

static void test_options(void)
{
    begin("f");
    OACK("tsize\0"
         "30000\0blksize\0"
         "1428\0WindowSize\0"
         "8");
    CHECK(acked(0) && asker.tftp.total == 30000);
    OACK("tsize\0"
         "30000\0blksize\0"
         "1428\0WindowSize\0"
         "8");
    CHECK(acked(0) && wire.count == 3);
    serve(1428, 8, 30000, 0);
    CHECK(right(30000));
    CHECK(wire.count == 3 + 22 / 8 + 1);
    begin("f");
    OACK("tsize\0"
         "100");
    serve(512, 1, 99, 0);
    CHECK(asker.done == 1 && asker.result == ERR_CORRUPT);
    begin("f");
    OACK("blksize\0"
         "1429");
    CHECK(asker.done == 1 && asker.result == ERR_INVALID);
    begin("f");
    OACK("blksize");
    CHECK(asker.done == 1 && asker.result == ERR_INVALID);
    begin("f");
    OACK("cake\0"
         "1");
    CHECK(asker.done == 1 && asker.result == ERR_INVALID);
}

static void test_losses(void)
{
    for (unsigned loss = 10; loss <= 200; loss += 30) {
        begin("f");
        OACK("blksize\0"
             "1428\0windowsize\0"
             "8");
        serve(1428, 8, 150000, loss);
        CHECK(right(150000));
        begin("f");
        serve(512, 1, 50000, loss);
        CHECK(right(50000));
    }
}

/* More blocks than numbers. */
static void test_wrap(void)
{
    size_t total = 70000 * (size_t)512 + 5;

    begin("f");
    serve(512, 1, total, 0);
    CHECK(asker.done == 1 && asker.result == OK && asker.tftp.got == total);
    begin("f");
    OACK("windowsize\0"
         "8");
    serve(512, 8, total, 0);
    CHECK(asker.done == 1 && asker.result == OK && asker.tftp.got == total);
}

static void test_gap(void)
{
    begin("f");
    OACK("windowsize\0"
         "8");
    send_block(1, 512, 100000);
    CHECK(wire.count == 2);
    send_block(3, 512, 100000);
    CHECK(wire.count == 3 && acked(1));
    send_block(4, 512, 100000);
    send_block(1, 512, 100000);
    CHECK(wire.count == 3);
    send_block(2, 512, 100000);
    CHECK(asker.tftp.got == 1024);
    tftp_cancel(&asker.tftp);
}

static void test_errors(void)
{
    begin("f");
    arrive(SERVER_PORT, "\0\5\0\1File\x07not found", 19);
    CHECK(asker.done == 1 && asker.result == ERR_NOT_FOUND);
    CHECK(strcmp(asker.tftp.message, "File?not found") == 0);
    begin("f");
    arrive(SERVER_PORT, "\0\5\0\2no end", 10);
    CHECK(asker.result == ERR_REFUSED);
    CHECK(strcmp(asker.tftp.message, "no end") == 0);
    begin("f");
    arrive(SERVER_PORT, "\0\5\0\xff", 4);
    CHECK(asker.done == 1 && asker.result == ERR_IO);
    begin("f");
    arrive(SERVER_PORT, "\0\7", 2);
    CHECK(asker.done == 1 && asker.result == ERR_INVALID);
    begin("f");
    arrive(SERVER_PORT, "\0", 1);
    arrive(SERVER_PORT, "\0\3\0", 3);
    CHECK(asker.done == 0);
    send_block(1, 512, 5000);
    CHECK(acked(1));
    arrive(SERVER_PORT + 1, "\0\3\0\2evil", 8);
    CHECK(asker.tftp.got == 512 && wire.to_strangers == 1);
    asker.room = 600;
    send_block(2, 512, 5000);
    CHECK(asker.done == 1 && asker.result == ERR_TOO_BIG);
    CHECK(get_be16(wire.sent) == 5);
    begin("f");
    send_block(1, 600, 5000);
    CHECK(asker.done == 1 && asker.result == ERR_INVALID);
}

static void test_silence(void)
{
    begin("f");
    for (unsigned s = 0; s < 60 && !asker.done; s++)
        pass(1000);
    CHECK(asker.done == 1 && asker.result == ERR_TIMEOUT);
    CHECK(wire.count == 7 && wire.socket == NULL);
    begin("f");
    send_block(1, 512, 5000);
    for (unsigned s = 0; s < 60 && !asker.done; s++)
        pass(1000);
    CHECK(asker.done == 1 && asker.result == ERR_TIMEOUT);
}

/* Who is asked to pause takes no more than the rest of a window, whatever the
 * server does meanwhile; and goes on where it was. */
static void test_pause(void)
{
    begin("f");
    OACK("windowsize\0"
         "8");
    asker.pause_at = 1024;
    for (size_t i = 1; i <= 8; i++)
        send_block(i, 512, 100000);
    CHECK(wire.count == 2 && asker.tftp.got == 8 * 512);
    for (size_t i = 9; i <= 16; i++)
        send_block(i, 512, 100000);
    send_block(12, 512, 100000);
    for (unsigned s = 0; s < 60; s++)
        pass(1000);
    CHECK(wire.count == 2 && asker.done == 0 && asker.tftp.got == 8 * 512);
    asker.pause_at = 0;
    tftp_go_on(&asker.tftp);
    CHECK(wire.count == 3 && acked(8));
    tftp_go_on(&asker.tftp);
    CHECK(wire.count == 3);
    /* In a window with a gap, and in one that does not end. */
    asker.pause_at = 1;
    send_block(9, 512, 100000);
    send_block(11, 512, 100000);
    send_block(10, 512, 100000);
    CHECK(wire.count == 3 && asker.tftp.got == 9 * 512);
    asker.pause_at = 0;
    tftp_go_on(&asker.tftp);
    CHECK(wire.count == 4 && acked(9));
    asker.pause_at = 1;
    send_block(10, 512, 100000);
    pass(3000);
    CHECK(wire.count == 4);
    tftp_go_on(&asker.tftp);
    CHECK(wire.count == 5 && acked(10));
    tftp_cancel(&asker.tftp);
    CHECK(wire.count == 6 && get_be16(wire.sent) == 5 && asker.done == 0);
}

int main(void)
{
    timer_module_init();
    random_module_init();
    test_request();
    test_plain();
    test_options();
    test_losses();
    test_wrap();
    test_gap();
    test_errors();
    test_silence();
    test_pause();
    return check_report();
}
