/* Part of test_st.c, whose helpers it uses: envelopes with recipients
 * elsewhere, from the session's memory into the rows of the queue. */
#ifndef TESTS_UNIT_ST_REMOTES_H
#define TESTS_UNIT_ST_REMOTES_H

#include "mailstore/store_internal.h"

static int64_t wanted_mail, wanted_number;

/* How many rows of the queue are as test_remotes() has given them. */
static void count_queued(struct st_request *request, struct store *store)
{
    char sql[512];

    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM queue JOIN outgoing USING(MailID)"
             " WHERE MailID=%lld AND Recipient='x' || Notify || '@far.test'"
             " AND length(ORcpt)=500 AND substr(ORcpt,1,8)='rfc822;' ||"
             " (Notify %% 10) AND EnvID='an+2Bid' AND Ret=2 AND Submitter=1"
             " AND SMTPUTF8=1 AND EightBit=1",
             (long long)wanted_mail);
    request->result = store_number(store, sql, &wanted_number);
}

/* An envelope lies behind the message in its blocks, wherever that ends. */
static void test_remotes(void)
{
    static const uint64_t sizes[] = {0,     1,     3600,  4080,  4084,
                                     4087,  4088,  4089,  8176,  65000,
                                     65535, 65536, 65537, 200000};
    static char addresses[100][24], orcpts[100][501];
    struct store_remote remotes[100];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(addresses[i], sizeof addresses[i], "x%u@far.test", i);
        snprintf(orcpts[i], sizeof orcpts[i], "rfc822;%u%0492u", i % 10, 7u);
        remotes[i] = (struct store_remote){addresses[i], orcpts[i], (uint8_t)i};
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned count = i % 2 == 0 ? 100 : 1;
        struct st_request request = {
            .work = count_queued, .done = on_request, .context = &finished[0]};
        struct sent sent;

        CHECK(begin(&sent, sizes[i], (uint8_t)i) == OK);
        CHECK(UNTIL(push(&sent)));
        st_inbound_commit(sent.inbound,
                          &(struct st_envelope){
                              .sender = "x@y.z",
                              .users = user_ids,
                              .user_count = i % 3 != 0,
                              .remotes = remotes,
                              .remote_count = count,
                              .envid = "an+2Bid",
                              .returning = STORE_RETURN_HEADERS,
                              .smtputf8 = true,
                              .eight_bit = true,
                              .submitter = 1,
                          },
                          on_done, &sent);
        CHECK(UNTIL(sent.answered) && sent.result == OK);
        CHECK(stored_right(&sent));
        wanted_mail = sent.id;
        finished[0] = false;
        st_queue(&st_context.writes, &request);
        CHECK(UNTIL(finished[0]) && request.result == OK);
        CHECK(wanted_number == count);
    }
}

#endif
