/* The frame of the relay's tests: a world in which mail for far.example goes to
 * one server, messages in the queue, and that nothing is left over. */
#ifndef TESTS_UNIT_RELAY_FRAME_H
#define TESTS_UNIT_RELAY_FRAME_H

#include "check.h"
#include "fake_relay.h"
#include "userdb/directory.h"

#define MINUTE 60000u
#define HOUR   (60u * MINUTE)

static const char body[] __attribute__((unused)) =
    "Return-Path: <anna@here.example>\r\n"
    "Subject: one\r\n\r\n"
    ".dot\r\n..two\r\nend\r\n";
/* As it leaves. */
static const char body_sent[] __attribute__((unused)) =
    "Subject: one\r\n\r\n"
    ".dot\r\n..two\r\nend\r\n";

static struct fake_peer *far;
/* Where the postmaster's mail goes on to; NULL: he is anna. */
static const char *postmaster_elsewhere;

static inline bool is_own(const struct net_address *address)
{
    struct net_address own = net_address_v4(0xc0000201);

    return net_address_equal(address, &own);
}

static bool network_up = true;
static size_t frame_memory = 4 << 20; /* of the relay */

static inline bool is_up(void)
{
    return network_up;
}

static const struct relay_network network = {
    .is_up = is_up, .is_own = is_own, .is_host = network_is_host};

static const struct user anna = {.id = 7, .name = "anna", .enabled = true};

enum err directory_expand_whole(const char *address,
                                const struct directory_expansion **expansion)
{
    static struct directory_expansion found = {.count = 1};
    size_t local_len = strcspn(address, "@");

    *expansion = &found;
    if (address[local_len] != '\0' &&
        strcasecmp(address + local_len, "@here.example") != 0)
        return ERR_REFUSED;
    found.targets[0].user = &anna;
    if (postmaster_elsewhere != NULL &&
        strncmp(address, "postmaster", local_len) == 0) {
        found.targets[0].user = NULL;
        found.targets[0].address = postmaster_elsewhere;
    }
    return strncmp(address, "anna", local_len) == 0 ||
                   strncmp(address, "postmaster", local_len) == 0
               ? OK
               : ERR_NOT_FOUND;
}

/* ---- The frame ----------------------------------------------------------- */

static inline void reset(void)
{
    while (fake_streams.next != NULL && !list_empty(&fake_streams))
        fake_free(LIST_ELEMENT(fake_streams.next, struct fake_stream, link));
    fake_memory_used = 0;
    fake_machine.wall_clock_offset_ms = 1700000000000;
    for (unsigned i = 0; i < fake_peer_count; i++)
        sink_clear(&fake_peers[i].sink);
    memset(fake_peers, 0, sizeof(fake_peers));
    memset(fake_rows, 0, sizeof(fake_rows));
    memset(fake_settings, 0, sizeof(fake_settings));
    postmaster_elsewhere = NULL;
    memset(&fake_route, 0, sizeof(fake_route));
    fake_peer_count = fake_row_count = fake_name_count = 0;
    fake_settlements = fake_lookups = fake_open_most = 0;
    fake_notice_count = 0;
    fake_notices[0] = '\0';
    fake_settle_error = fake_read_error = OK;
    fake_return_error = fake_notice_error = OK;
    fake_held = false;
    fake_no_cancel = false;
    fake_space_max = 65536;
    fake_piece = SIZE_MAX;
    list_init(&fake_questions);
    list_init(&fake_requests);
    list_init(&fake_streams);
    timer_module_init();
    task_module_init();
    CHECK(relay_init(frame_memory, &network) == OK);
    fake_name("far.example", DNS_MX, 10, "mx.far.example");
    fake_name("mx.far.example", DNS_A, 0, "192.0.2.9");
    far = fake_peer("192.0.2.9");
}

/* Everything has come to rest, and nothing is left over. */
static inline void check_rest(void)
{
    CHECK(relay_idle());
    CHECK(fake_open_streams == 0);
    for (unsigned i = 0; i < fake_peer_count; i++) {
        if (fake_peers[i].sink.fault)
            printf("fault: %s\n%s", fake_peers[i].sink.fault,
                   fake_peers[i].sink.log);
        CHECK(fake_peers[i].sink.fault == NULL);
    }
}

static inline void put_message(int64_t id, const char *bytes, size_t len)
{
    fake_messages[id] = (struct fake_message){bytes, len};
}

static inline struct store_due *queue(int64_t id, const char *recipient)
{
    struct store_due *row = &fake_rows[fake_row_count++];

    if (fake_messages[id].body == NULL)
        put_message(id, body, sizeof(body) - 1);
    memset(row, 0, sizeof(*row));
    row->queue_id = (int64_t)fake_row_count;
    row->message_id = id;
    row->received_ms = row->next_ms = machine_wall_clock_ms();
    row->expires_ms = row->received_ms + (int64_t)120 * HOUR;
    row->bytes = fake_messages[id].len;
    row->route = fake_route;
    strcpy(row->sender, "anna@here.example");
    strcpy(row->recipient, recipient);
    return row;
}

static inline void run(void)
{
    relay_start();
    fake_rest();
}

static inline bool is_queued(const struct store_due *row)
{
    return row->queue_id != 0;
}

static inline bool logged(const char *text)
{
    return strstr(far->sink.log, text) != NULL;
}

#endif
