/* What the relay makes of outcomes: when it tries again, whom it tells what,
 * and that nothing is lost with the stick away. */
#include "relay_frame.h"

/* ---- Time
 * -------------------------------------------------------------------- */

/* For ever "later": a notice of the delay, and at the end that it failed. */
static void test_five_days(void)
{
    struct store_due *row;

    reset();
    sink_rule(&far->sink, "RCPT", "450 4.2.0 greylisted\r\n", 0);
    row = queue(1, "bert@far.example");
    strcpy(row->orcpt, "rfc822;Bert+2Bx@far.example");
    strcpy(row->envid, "id+2B1");
    run();
    fake_sleep(1000);
    CHECK(row->attempts == 1);
    CHECK(row->next_ms - machine_wall_clock_ms() < 140000);
    fake_sleep(3 * HOUR);
    CHECK(row->attempts >= 5 && fake_notice_count == 0);
    fake_sleep(5 * HOUR);
    CHECK(fake_notice_count == 1 && row->delayed);
    CHECK(strstr(fake_notices, "Subject: Your message is delayed\r\n"));
    CHECK(strstr(fake_notices, "Action: delayed\r\n"));
    CHECK(strstr(fake_notices, "Status: 4.2.0\r\n"));
    CHECK(strstr(fake_notices, "Will-Retry-Until: "));
    CHECK(strstr(fake_notices, "(header)"));
    fake_sleep((uint64_t)100 * HOUR);
    CHECK(is_queued(row) && fake_notice_count == 1);
    fake_sleep((uint64_t)20 * HOUR);
    CHECK(!is_queued(row) && fake_notice_count == 2);
    CHECK(row->attempts > 20 && row->attempts < 60);
    CHECK(strstr(fake_notices, "Action: failed\r\nStatus: 4.4.7\r\n"
                               "Remote-MTA: dns; mx.far.example\r\n"
                               "Diagnostic-Code: smtp; 450 4.2.0 greylisted"));
    CHECK(strstr(fake_notices, "Original-Recipient: "
                               "rfc822;Bert+x@far.example\r\n"
                               "Final-Recipient: rfc822; bert@far.example"));
    CHECK(strstr(fake_notices, "Original-Envelope-Id: id+1\r\n"));
    CHECK(strstr(fake_notices, "(whole)"));
    CHECK(fake_notice_user == 7);
    check_rest();
}

static void test_greylisting(void)
{
    struct store_due *row;

    reset();
    sink_rule(&far->sink, "RCPT", "451 4.7.1 greylisted\r\n", 1);
    row = queue(1, "bert@far.example");
    run();
    fake_sleep(3 * MINUTE);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

/* ---- Notices
 * ----------------------------------------------------------------- */

static void test_notice_wishes(void)
{
    static const struct {
        const char *rule;
        uint8_t notify;
        unsigned notices;
    } cases[] = {
        {"550 5.1.1 no\r\n", STORE_NOTIFY_DEFAULT, 1},
        {"550 5.1.1 no\r\n", STORE_NOTIFY_NEVER, 0},
        {"550 5.1.1 no\r\n", STORE_NOTIFY_SUCCESS, 0},
        {"550 5.1.1 no\r\n", STORE_NOTIFY_FAILURE, 1},
        {"250 ok\r\n", STORE_NOTIFY_DEFAULT, 0},
        {"250 ok\r\n", STORE_NOTIFY_SUCCESS, 1},
        {"250 ok\r\n", STORE_NOTIFY_FAILURE, 0},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reset();
        sink_rule(&far->sink, "RCPT", cases[i].rule, 0);
        queue(1, "bert@far.example")->notify = cases[i].notify;
        run();
        fake_sleep(1000);
        CHECK(fake_notice_count == cases[i].notices);
        check_rest();
    }
    CHECK(strstr(fake_notices, "Action: relayed\r\nStatus: 2.0.0") == NULL);
}

static void test_notice_addressees(void)
{
    reset();
    sink_rule(&far->sink, "RCPT", "550 5.1.1 no\r\n", 0);
    strcpy(queue(1, "a@far.example")->sender, "");
    strcpy(queue(2, "a@far.example")->sender, "x@away.example");
    run();
    fake_sleep(1000);
    CHECK(fake_notice_count == 1 && fake_notice_user == 0);
    CHECK(strcmp(fake_notice_remote, "x@away.example") == 0);
    CHECK(strstr(fake_notices, "Auto-Submitted: auto-replied\r\n"));
    CHECK(strstr(fake_notices, "Return-Path: <>\r\nDate: "));
    CHECK(strstr(fake_notices, "Message-ID: <"));
    strcpy(queue(3, "a@far.example")->sender, "gone@here.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(fake_notice_count == 1 && !is_queued(&fake_rows[2]));
    /* The postmaster may want to see them. */
    fake_settings[0][0] = "bounce_postmaster";
    fake_settings[0][1] = "yes";
    strcpy(queue(4, "a@far.example")->sender, "");
    fake_changed();
    fake_sleep(1000);
    CHECK(fake_notice_count == 2 && fake_notice_user == 7);
    check_rest();
}

/* The postmaster's mail goes on to where it fails: he is not told of that by
 * more of it, for ever. */
static void test_postmaster_elsewhere(void)
{
    reset();
    postmaster_elsewhere = "Boss@far.example";
    fake_settings[0][0] = "bounce_postmaster";
    fake_settings[0][1] = "yes";
    sink_rule(&far->sink, "RCPT", "550 5.1.1 no\r\n", 0);
    strcpy(queue(1, "boss@FAR.example")->sender, "");
    fake_rows[0].notify = STORE_NOTIFY_NEVER;
    strcpy(queue(2, "a@far.example")->sender, "");
    fake_rows[1].notify = STORE_NOTIFY_NEVER;
    run();
    fake_sleep(1000);
    CHECK(!is_queued(&fake_rows[0]) && !is_queued(&fake_rows[1]));
    CHECK(fake_notice_count == 1);
    CHECK(strcmp(fake_notice_remote, "Boss@far.example") == 0);
    CHECK(strstr(fake_notices, "rfc822; a@far.example") != NULL);
    check_rest();
}

static void test_notice_of_many(void)
{
    reset();
    sink_rule(&far->sink, "RCPT", "550 5.1.1 nobody of this name\r\n", 0);
    for (unsigned i = 0; i < 100; i++) {
        char name[300];

        snprintf(name, sizeof(name), "%0*u@far.example", i < 50 ? 250 : 3, i);
        (void)queue(1, name);
    }
    run();
    fake_sleep(1000);
    for (unsigned i = 0; i < 100; i++)
        CHECK(!is_queued(&fake_rows[i]));
    CHECK(fake_notice_count >= 1 && fake_notice_count <= 3);
    check_rest();
}

/* A clock that was set back for a while had it end before it came: that is no
 * reason to give it up. */
static void test_clock_set_back(void)
{
    struct store_due *row;

    reset();
    sink_rule(&far->sink, "RCPT", "450 4.2.0 later\r\n", 0);
    row = queue(1, "a@far.example");
    row->attempts = 10;
    row->expires_ms = row->received_ms - (int64_t)1000 * HOUR;
    run();
    fake_sleep(1000);
    CHECK(is_queued(row) && row->attempts == 11 && fake_notice_count == 0);
    check_rest();
}

/* ---- The store
 * --------------------------------------------------------------- */

/* The stick is pulled out between the server's 250 and our commit, and put
 * back: nobody gets it twice. */
static void test_stick_away(void)
{
    struct store_due *row;

    reset();
    fake_settle_error = ERR_GONE;
    row = queue(1, "a@far.example");
    run();
    fake_sleep(10 * MINUTE);
    CHECK(is_queued(row) && far->sink.message_count == 1);
    CHECK(!relay_idle());
    fake_settle_error = OK;
    fake_sleep(2000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
    /* The message cannot be read: nothing of it is sent. */
    reset();
    fake_read_error = ERR_GONE;
    row = queue(1, "a@far.example");
    run();
    fake_sleep(1000);
    CHECK(is_queued(row) && row->attempts == 0);
    fake_read_error = OK;
    fake_sleep(6000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

/* A message that the stick has damaged: not tried again and again, and its
 * sender hears of it, without what cannot be read. */
static void test_unreadable(void)
{
    struct store_due *row;

    reset();
    fake_read_error = fake_return_error = ERR_CORRUPT;
    row = queue(1, "a@far.example");
    (void)queue(1, "b@far.example");
    run();
    fake_sleep(MINUTE);
    CHECK(row->attempts == 1 && far->sink.connections == 1);
    CHECK(strstr(row->reply, "451 4.3.0") != NULL);
    fake_sleep((uint64_t)130 * HOUR);
    CHECK(!is_queued(row) && !is_queued(&fake_rows[1]));
    CHECK(fake_notice_count > 0 && far->sink.message_count == 0);
    CHECK(strstr(fake_notices, "Action: failed\r\nStatus: 4.4.7\r\n"));
    check_rest();
}

/* The store has no room for notices: they come when it has, and whatever needs
 * none is not kept from its outcome meanwhile. */
static void test_no_room_for_notices(void)
{
    struct store_due *row;

    reset();
    fake_notice_error = ERR_FULL;
    sink_rule(&far->sink, "RCPT TO:<no", "550 5.1.1 no\r\n", 0);
    for (unsigned i = 0; i < 10; i++)
        (void)queue(1 + i, "no@far.example");
    row = queue(20, "a@far.example");
    run();
    fake_sleep(HOUR);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    CHECK(is_queued(&fake_rows[0]) && fake_notice_count == 0);
    fake_notice_error = OK;
    fake_sleep(5 * HOUR);
    CHECK(!is_queued(&fake_rows[0]) && fake_notice_count == 10);
    check_rest();
}

/* The stick fails where notices go to: they do not hold up whatever else there
 * is. */
static void test_no_notices_ever(void)
{
    reset();
    fake_notice_error = ERR_CORRUPT;
    sink_rule(&far->sink, "RCPT TO:<no", "550 5.1.1 no\r\n", 0);
    for (unsigned i = 0; i < 40; i++)
        (void)queue(1 + i, "no@far.example");
    (void)queue(50, "a@far.example");
    run();
    fake_sleep(HOUR);
    CHECK(!is_queued(&fake_rows[40]) && far->sink.message_count == 1);
    CHECK(is_queued(&fake_rows[0]) && fake_rows[0].attempts > 0);
    /* It was only for a while. */
    fake_notice_error = OK;
    fake_sleep(HOUR);
    CHECK(!is_queued(&fake_rows[0]) && fake_notice_count == 40);
    /* For ever: then the others are not kept either. */
    fake_notice_error = ERR_CORRUPT;
    (void)queue(60, "no@far.example");
    fake_changed();
    fake_sleep((uint64_t)20 * 24 * HOUR);
    CHECK(!is_queued(&fake_rows[41]) && fake_notice_count == 40);
    check_rest();
}

/* Servers that cut off while reads of the store are at work. */
static void test_late_reads(void)
{
    for (unsigned i = 0; i < 200; i++) {
        static const char *const at[] = {"CONNECT", "EHLO", "MAIL",
                                         "RCPT",    "DATA", "BODY"};

        reset();
        fake_no_cancel = i & 1;
        fake_name("far.example", DNS_MX, 20, "other.example");
        fake_name("other.example", DNS_A, 0, "192.0.2.10");
        sink_rule(&far->sink, at[fake_below(6)], "!reset", 1 + fake_below(3));
        sink_rule(&fake_peer("192.0.2.10")->sink, at[fake_below(6)], "!close",
                  1 + fake_below(3));
        for (unsigned j = 0; j < 10; j++)
            (void)queue(1 + j, "a@far.example");
        run();
        fake_sleep(HOUR);
        for (unsigned j = 0; j < 10; j++)
            CHECK(!is_queued(&fake_rows[j]));
        CHECK(far->sink.message_count +
                  fake_peer("192.0.2.10")->sink.message_count >=
              10);
        check_rest();
    }
}

static void test_administrator(void)
{
    struct store_due *row;

    reset();
    row = queue(1, "a@far.example");
    row->state = STORE_QUEUE_BOUNCE;
    run();
    fake_sleep(1000);
    CHECK(!is_queued(row) && fake_notice_count == 1);
    CHECK(far->sink.connections == 0);
    /* A host that did not answer is left alone, unless it is wanted now. */
    far->refuses = true;
    row = queue(2, "a@far.example");
    fake_changed();
    fake_sleep(1000);
    CHECK(row->attempts == 1);
    far->refuses = false;
    row->next_ms = machine_wall_clock_ms();
    fake_changed();
    fake_sleep(1000);
    CHECK(row->attempts == 2 && far->sink.connections == 0);
    row->next_ms = 0;
    fake_changed();
    fake_sleep(1000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

/* What the administrator deletes or holds while it waits is not sent. */
static void test_taken_back(void)
{
    struct store_due *held, *deleted;

    reset();
    network_up = false;
    for (unsigned i = 0; i < 10; i++)
        (void)queue(1 + i, "a@far.example");
    held = queue(11, "a@far.example");
    deleted = queue(12, "a@far.example");
    run();
    fake_sleep(1000);
    held->state = STORE_QUEUE_HELD;
    deleted->queue_id = 0;
    fake_acted();
    fake_sleep(1000);
    network_up = true;
    fake_sleep(2000);
    CHECK(far->sink.message_count == 10);
    CHECK(is_queued(held) && held->attempts == 0);
    check_rest();
}

/* Without a network, or a connection that is free, nothing counts as tried. */
static void test_nothing_free(void)
{
    struct store_due *row;

    reset();
    network_up = false;
    row = queue(1, "a@far.example");
    run();
    fake_sleep(10 * MINUTE);
    CHECK(row->attempts == 0 && fake_lookups == 0);
    network_up = true;
    fake_full = true;
    fake_sleep(10 * MINUTE);
    CHECK(row->attempts == 0 && is_queued(row));
    fake_full = false;
    fake_sleep(2000);
    CHECK(!is_queued(row) && far->sink.message_count == 1);
    check_rest();
}

static void test_stop(void)
{
    reset();
    sink_rule(&far->sink, "DATA", "!silent", 0);
    (void)queue(1, "a@far.example");
    run();
    CHECK(!relay_idle());
    relay_stop();
    fake_rest();
    CHECK(is_queued(&fake_rows[0]) && fake_rows[0].attempts == 0);
    check_rest();
}

int main(void)
{
    test_five_days();
    test_greylisting();
    test_notice_wishes();
    test_notice_addressees();
    test_postmaster_elsewhere();
    test_notice_of_many();
    test_clock_set_back();
    test_stick_away();
    test_unreadable();
    test_no_room_for_notices();
    test_no_notices_ever();
    test_late_reads();
    test_administrator();
    test_taken_back();
    test_nothing_free();
    test_stop();
    return check_report();
}
