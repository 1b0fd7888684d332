/* Limits against abuse, as the SMTP server keeps them (limits/limits.h): who is
 * let in, who is answered slowly, who is refused for being on a block list.
 *
 * A reply that is kept back stands in the session, which is in SMTP_HELD
 * meanwhile and reads nothing: what the client pipelines waits in its stream,
 * and nobody else waits at all. Users who have logged in, and clients with
 * private addresses, meet none of this. */
#include "core/log.h"
#include "smtp/smtp_session.h"
#include <string.h>

bool smtp_limits_apply(struct smtp_session *session)
{
    session->limits.trusted = session->user != 0;
    return limits_applies(&session->limits);
}

/* ---- Replies that are kept back ------------------------------------------ */

/* In SMTP_HELD: the timer or the judgement will go on. */
static void hold(struct smtp_session *session, enum smtp_reply reply)
{
    session->held_state = session->state;
    session->held_reply = (uint8_t)reply;
    smtp_enter_state(session, SMTP_HELD);
}

static void say_after(struct smtp_session *session, enum smtp_reply reply,
                      uint32_t delay_ms)
{
    if (delay_ms == 0) {
        smtp_say(session, reply);
        return;
    }
    hold(session, reply);
    timer_start(&session->timer, delay_ms);
}

void smtp_limits_release(struct smtp_session *session)
{
    smtp_limits_forget(session);
    smtp_enter_state(session, (enum smtp_state)session->held_state);
    smtp_say(session, (enum smtp_reply)session->held_reply);
    smtp_resume(session);
}

/* ---- Recipients ---------------------------------------------------------- */

/* This recipient goes, and so will those that follow. */
static void refuse_listed(struct smtp_session *session, const char *zone)
{
    char address[NET_ADDRESS_TEXT];

    log_fact("smtp", "listed client=%s list=%s",
             net_address_format(&session->limits.address, address), zone);
    envelope_back(&session->envelope, &session->before);
    if (session->envelope.user_count + session->envelope.remote_count == 0)
        session->held_state = SMTP_MAIL;
    session->held_reply = SMTP_LISTED;
}

static void on_judged(void *context, const struct limits_verdict *verdict)
{
    struct smtp_session *session = context;

    session->judgement = NULL;
    session->listed = verdict->listed ? verdict->zone : 0;
    session->refuse_listed = verdict->refuse;
    if (verdict->refuse)
        refuse_listed(session, verdict->name);
    if (verdict->delay_ms > 0 && !verdict->refuse)
        timer_start(&session->timer, verdict->delay_ms);
    else
        smtp_limits_release(session);
}

/* Strangers are judged once, before their first recipient is answered. */
static void say_accepted(struct smtp_session *session)
{
    if (session->judged || !smtp_limits_apply(session)) {
        smtp_say(session, SMTP_RECIPIENT_OK);
        return;
    }
    session->judged = true;
    session->judgement =
        limits_judge(&session->limits, session->sender, on_judged, session);
    if (session->judgement != NULL)
        hold(session, SMTP_RECIPIENT_OK);
    else
        smtp_say(session, SMTP_RECIPIENT_OK);
}

static void say_unknown(struct smtp_session *session)
{
    uint32_t delay_ms;

    (void)smtp_limits_apply(session);
    if (limits_invalid_recipient(&session->limits, &delay_ms) == OK)
        say_after(session, SMTP_NO_USER, delay_ms);
    else
        smtp_finish(session, SMTP_TOO_MANY_GUESSES);
}

void smtp_limits_say_rcpt(struct smtp_session *session, enum smtp_reply reply,
                          bool postmaster)
{
    if (reply == SMTP_RECIPIENT_OK && !postmaster)
        say_accepted(session);
    else if (reply == SMTP_NO_USER)
        say_unknown(session);
    else
        smtp_say(session, reply);
}

/* ---- Beginning and end --------------------------------------------------- */

bool smtp_limits_greet_later(struct smtp_session *session)
{
    uint32_t delay_ms = smtp_limits_apply(session)
                            ? (uint32_t)limits_setting(LIMIT_GREET_DELAY_MS)
                            : 0;

    if (delay_ms == 0)
        return false;
    smtp_enter_state(session, SMTP_GREETING);
    timer_start(&session->timer, delay_ms);
    return true;
}

size_t smtp_limits_take_early(struct smtp_session *session, const uint8_t *data,
                              size_t len)
{
    char address[NET_ADDRESS_TEXT];

    (void)data;
    log_fact("smtp", "refused client=%s early=yes",
             net_address_format(&session->limits.address, address));
    smtp_finish(session, SMTP_EARLY);
    return len;
}

void smtp_limits_forget(struct smtp_session *session)
{
    if (session->judgement != NULL)
        limits_judge_forget(session->judgement);
    session->judgement = NULL;
}
