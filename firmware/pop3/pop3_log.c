/* The POP3 server's lines in the log: what became of a message in its user's
 * hands, and what a session did in all.
 *
 *   #42 retrieved user=anna client=192.0.2.7
 *   #42 deleted user=anna client=192.0.2.7
 *   session user=anna client=192.0.2.7 retrieved=2 deleted=1
 *
 * Sessions that only look leave no line: clients look every minute. Of those
 * that do much, the first messages are told one by one. */
#include "core/log.h"
#include "pop3/pop3_session.h"
#include "userdb/directory.h"

#define TOLD_MAX 20

static const char *user_name(const struct pop3_session *session)
{
    const struct user *user = directory_user_by_id(session->maildrop.user_id);

    return user != NULL ? user->name : "?";
}

void pop3_log_message(struct pop3_session *session, int64_t mail_id,
                      const char *what)
{
    char address[NET_ADDRESS_TEXT];

    if (session->told == TOLD_MAX)
        return;
    session->told++;
    log_mail(mail_id, "pop3", "%s user=%s client=%s", what, user_name(session),
             net_address_format(&session->peer, address));
}

void pop3_log_session(const struct pop3_session *session)
{
    char address[NET_ADDRESS_TEXT];

    if (session->retrieved == 0 && session->removed == 0)
        return;
    log_fact("pop3", "session user=%s client=%s retrieved=%u deleted=%u",
             user_name(session), net_address_format(&session->peer, address),
             (unsigned)session->retrieved, (unsigned)session->removed);
}
