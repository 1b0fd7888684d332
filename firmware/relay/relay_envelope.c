/* A transaction: MAIL, RCPT and DATA, and what the answers mean for whom.
 *
 * Commands are numbered: MAIL is 0, RCPT of member i is i + 1, then DATA (not
 * with CHUNKING: BDAT needs to know whom it is for). A server that offers
 * PIPELINING (RFC 2920) gets them all at once, another one by one.
 *
 * Recipients that a server finds too many for one transaction (RFC 5321
 * 4.5.3.1.10) stay pending for the next one on the same connection. */
#include "core/log.h"
#include "protocol/text.h"
#include "relay/relay_session.h"
#include <stdio.h>
#include <string.h>

#define START_INPUT   354
#define TOO_MANY      452
#define TOO_MANY_ELSE 552 /* what some say for it, RFC 5321 4.5.3.1.10 */
/* MAIL, RCPT for each member, DATA. */
#define MAIL_COMMAND 0

static bool is_good(unsigned code)
{
    return code / 100 == 2;
}

static bool is_permanent(unsigned code)
{
    return code / 100 == 5;
}

/* ---- Outcomes ------------------------------------------------------------ */

static struct relay_recipient *recipient_at(struct list *node)
{
    return LIST_ELEMENT(node, struct relay_recipient, link);
}

static void decide(struct relay_recipient *recipient,
                   enum relay_outcome outcome, const char *reply)
{
    recipient->outcome = (uint8_t)outcome;
    (void)snprintf(recipient->reply, sizeof(recipient->reply), "%s", reply);
}

void relay_decide(struct relay_job *job, enum relay_outcome outcome,
                  const char *reply)
{
    for (struct list *node = job->recipients.next; node != &job->recipients;
         node = node->next) {
        if (recipient_at(node)->outcome <= RELAY_ACCEPTED)
            decide(recipient_at(node), outcome, reply);
    }
}

void relay_undecide(struct relay_job *job)
{
    for (struct list *node = job->recipients.next; node != &job->recipients;
         node = node->next) {
        if (recipient_at(node)->outcome == RELAY_ACCEPTED)
            recipient_at(node)->outcome = RELAY_PENDING;
    }
}

/* What the server has just said is the outcome of all that are undecided in
 * this transaction, or of those of it that RCPT has accepted. */
static void decide_members(struct relay_session *session, bool only_accepted)
{
    bool permanent = is_permanent(session->answer.code);
    char reply[STORE_REPLY_BYTES];

    relay_said(session, reply);
    for (unsigned i = 0; i < session->member_count; i++) {
        struct relay_recipient *member = session->members[i];

        if (member->outcome == RELAY_ACCEPTED ||
            (!only_accepted && member->outcome == RELAY_PENDING))
            decide(member, permanent ? RELAY_FAILED : RELAY_DEFERRED, reply);
    }
}

static void decide_delivered(struct relay_session *session)
{
    struct relay_figures *figures = &relay_context.figures;
    char reply[STORE_REPLY_BYTES];

    relay_said(session, reply);
    for (unsigned i = 0; i < session->member_count; i++) {
        struct relay_recipient *member = session->members[i];

        if (member->outcome != RELAY_ACCEPTED)
            continue;
        decide(member, session->offer.dsn ? RELAY_DELIVERED : RELAY_RELAYED,
               reply);
    }
    figures->messages++;
    figures->bytes += session->job->bytes;
}

static bool any_pending(struct relay_job *job)
{
    for (struct list *node = job->recipients.next; node != &job->recipients;
         node = node->next) {
        if (recipient_at(node)->outcome == RELAY_PENDING)
            return true;
    }
    return false;
}

/* ---- Begin --------------------------------------------------------------- */

static void finish_job(struct relay_session *session)
{
    struct relay_job *job = session->job;

    session->job = NULL;
    relay_settle(job);
    relay_next(session);
}

/* What a server without SMTPUTF8 cannot be asked. */
static void refuse_utf8(struct relay_session *session, const char *reply)
{
    struct relay_job *job = session->job;

    for (struct list *node = job->recipients.next; node != &job->recipients;
         node = node->next) {
        struct relay_recipient *recipient = recipient_at(node);

        if (recipient->outcome == RELAY_PENDING &&
            (job->smtputf8 || !text_is_ascii(recipient->address)))
            decide(recipient, RELAY_FAILED, reply);
    }
}

/* Refuses for the server what it would refuse. Returns whether nothing is left.
 */
static bool refused_beforehand(struct relay_session *session)
{
    const struct relay_offer *offer = &session->offer;
    struct relay_job *job = session->job;
    char reply[STORE_REPLY_BYTES];

    if (offer->size_max > 0 && job->bytes > offer->size_max) {
        (void)snprintf(reply, sizeof(reply),
                       "552 5.3.4 %.150s takes messages of %llu bytes at most",
                       relay_peer_name(session),
                       (unsigned long long)offer->size_max);
        relay_decide(job, RELAY_FAILED, reply);
    } else if (!offer->smtputf8) {
        (void)snprintf(reply, sizeof(reply),
                       "550 5.6.7 %.150s does not take addresses in UTF-8",
                       relay_peer_name(session));
        refuse_utf8(session, reply);
    }
    if (any_pending(job))
        return false;
    session->job = NULL;
    relay_settle(job);
    return true;
}

static void choose_members(struct relay_session *session)
{
    struct relay_job *job = session->job;
    uint32_t limit = session->offer.recipients_max;

    if (limit == 0 || limit > RELAY_RECIPIENTS_MAX)
        limit = RELAY_RECIPIENTS_MAX;
    session->member_count = 0;
    for (struct list *node = job->recipients.next;
         node != &job->recipients && session->member_count < limit;
         node = node->next) {
        if (recipient_at(node)->outcome == RELAY_PENDING)
            session->members[session->member_count++] = recipient_at(node);
    }
}

void relay_transaction(struct relay_session *session)
{
    if (refused_beforehand(session)) {
        /* Later: there may be many of this kind, one behind the other. */
        relay_next_later(session);
        return;
    }
    choose_members(session);
    session->chunking = session->offer.chunking;
    session->commands = 1 + session->member_count + !session->chunking;
    session->sent = 0;
    session->answered = 0;
    session->accepted = 0;
    session->mail_accepted = false;
    session->data_refused = false;
    session->reached = true;
    relay_enter_state(session, RELAY_ENVELOPE);
    relay_body_prepare(session);
    relay_envelope_send(session);
}

/* ---- Commands ------------------------------------------------------------ */

/* What came as xtext goes on as it came, if it can be part of a command. */
static bool is_xtext(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~' || *text == '=')
            return false;
    }
    return true;
}

static bool needs_utf8(const struct relay_session *session)
{
    bool needed = session->job->smtputf8;

    for (unsigned i = 0; i < session->member_count; i++)
        needed |= !text_is_ascii(session->members[i]->address);
    return needed;
}

static void put_mail(struct text *text, const struct relay_session *session)
{
    const struct relay_offer *offer = &session->offer;
    const struct relay_job *job = session->job;

    text_string(text, "MAIL FROM:<");
    text_string(text, job->sender);
    text_string(text, ">");
    if (offer->size) {
        text_string(text, " SIZE=");
        text_decimal(text, job->bytes);
    }
    if (offer->eight_bit && job->eight_bit)
        text_string(text, " BODY=8BITMIME");
    if (needs_utf8(session))
        text_string(text, " SMTPUTF8");
    if (offer->dsn && job->returning != STORE_RETURN_DEFAULT)
        text_string(text, job->returning == STORE_RETURN_FULL ? " RET=FULL"
                                                              : " RET=HDRS");
    if (offer->dsn && job->envid[0] != '\0' && is_xtext(job->envid)) {
        text_string(text, " ENVID=");
        text_string(text, job->envid);
    }
}

static void put_notify(struct text *text, uint8_t notify)
{
    static const struct {
        uint8_t flag;
        const char *name;
    } names[] = {
        {STORE_NOTIFY_NEVER, "NEVER"},
        {STORE_NOTIFY_SUCCESS, "SUCCESS"},
        {STORE_NOTIFY_FAILURE, "FAILURE"},
        {STORE_NOTIFY_DELAY, "DELAY"},
    };
    const char *before = " NOTIFY=";

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(notify & names[i].flag))
            continue;
        text_string(text, before);
        text_string(text, names[i].name);
        before = ",";
    }
}

static void put_rcpt(struct text *text, const struct relay_session *session,
                     const struct relay_recipient *recipient)
{
    text_string(text, "RCPT TO:<");
    text_string(text, recipient->address);
    text_string(text, ">");
    if (!session->offer.dsn)
        return;
    put_notify(text, recipient->notify);
    if (recipient->orcpt[0] != '\0' && strchr(recipient->orcpt, ';') &&
        is_xtext(recipient->orcpt)) {
        text_string(text, " ORCPT=");
        text_string(text, recipient->orcpt);
    }
}

void relay_envelope_send(struct relay_session *session)
{
    while (session->sent < session->commands &&
           session->out_sent == session->out_len &&
           (session->offer.pipelining || session->sent == session->answered)) {
        unsigned command = session->sent++;
        struct text text;

        text_init(&text, session->out, sizeof(session->out));
        if (command == MAIL_COMMAND)
            put_mail(&text, session);
        else if (command <= session->member_count)
            put_rcpt(&text, session, session->members[command - 1]);
        else
            text_string(&text, "DATA");
        text_string(&text, "\r\n");
        relay_say(session, text.len);
    }
}

/* ---- Answers ------------------------------------------------------------- */

/* On with this connection: what is pending of the job, or the next one.
 * clean: the server is outside of a transaction. */
static void go_on(struct relay_session *session, bool clean)
{
    bool pending = any_pending(session->job);

    if (!clean && (pending || !list_empty(&session->host->jobs))) {
        relay_enter_state(session, RELAY_RSET);
        memcpy(session->out, "RSET\r\n", 6);
        relay_say(session, 6);
    } else if (pending) {
        relay_transaction(session);
    } else {
        finish_job(session);
    }
}

void relay_on_rset(struct relay_session *session)
{
    if (!is_good(session->answer.code))
        relay_lost_said(session, false);
    else
        go_on(session, true);
}

static void on_rcpt(struct relay_session *session,
                    struct relay_recipient *member)
{
    unsigned code = session->answer.code;
    char reply[STORE_REPLY_BYTES];

    if (is_good(code)) {
        member->outcome = RELAY_ACCEPTED;
        session->accepted++;
        return;
    }
    if ((code == TOO_MANY || code == TOO_MANY_ELSE) && session->accepted > 0)
        return;
    relay_said(session, reply);
    decide(member, is_permanent(code) ? RELAY_FAILED : RELAY_DEFERRED, reply);
}

/* All that MAIL and RCPT bring is there, and DATA is not asked for: with
 * CHUNKING, or because it is not worth it. */
static void send_or_leave(struct relay_session *session)
{
    if (session->accepted > 0)
        relay_body_begin(session);
    else
        go_on(session, false);
}

static void on_data(struct relay_session *session)
{
    unsigned code = session->answer.code;

    if (code == START_INPUT) {
        session->data_refused = session->accepted == 0;
        relay_body_begin(session);
    } else if (code / 100 == 4 || is_permanent(code)) {
        decide_members(session, true);
        go_on(session, false);
    } else {
        relay_lost(session, false, "451 4.5.0 an answer to DATA of %u", code);
    }
}

void relay_on_envelope(struct relay_session *session)
{
    unsigned command = session->answered;
    bool data_next =
        !session->chunking && session->answered + 2 == session->commands;

    if (command == session->sent) {
        relay_lost(session, false, "451 4.5.0 an answer to nothing");
        return;
    }
    session->answered++;
    /* Each command has its time (RFC 5321 4.5.3.2). */
    relay_enter_state(session, RELAY_ENVELOPE);
    if (command == MAIL_COMMAND) {
        session->mail_accepted = is_good(session->answer.code);
        if (!session->mail_accepted)
            decide_members(session, false);
    } else if (command > session->member_count) {
        on_data(session);
        return;
    } else if (session->mail_accepted) {
        on_rcpt(session, session->members[command - 1]);
    }
    if (session->answered == session->commands)
        send_or_leave(session);
    else if (!session->mail_accepted && session->sent == session->answered)
        go_on(session, true);
    else if (data_next && session->accepted == 0 &&
             session->sent == session->answered)
        go_on(session, false);
    else
        relay_envelope_send(session);
}

void relay_on_answer(struct relay_session *session)
{
    bool good = is_good(session->answer.code);

    if (good && !session->data_refused)
        decide_delivered(session);
    else
        decide_members(session, true);
    go_on(session, good || !session->chunking);
}

void relay_on_early(struct relay_session *session)
{
    struct relay_job *job = session->job;

    if (!is_permanent(session->answer.code)) {
        relay_lost_said(session, false);
        return;
    }
    /* It will not have the message. Where it would go on reading is not known:
     * the connection is of no use. */
    decide_members(session, true);
    relay_undecide(job);
    if (any_pending(job)) {
        relay_lost_said(session, false);
        return;
    }
    session->job = NULL;
    relay_settle(job);
    relay_lost(session, false, "%s", "");
}
