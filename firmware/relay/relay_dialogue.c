/* What comes before mail: greeting, EHLO or HELO, AUTH (RFC 5321 3.1, 4.1.1.1,
 * RFC 4954). PLAIN (RFC 4616) is preferred to LOGIN. */
#include "core/log.h"
#include "protocol/base64.h"
#include "protocol/text.h"
#include "relay/relay_session.h"
#include <string.h>
#include <strings.h>

#define GREETING      220
#define DONE          250
#define AUTHENTICATED 235
#define GO_ON         334
/* RFC 7504: this host takes no mail. */
#define NO_MAIL_HERE 521
/* NUL, login, NUL, password. */
#define SECRET_BYTES ((size_t)2 * STORE_LOGIN_BYTES)

static bool is_permanent(unsigned code)
{
    return code == NO_MAIL_HERE;
}

/* ---- Hello --------------------------------------------------------------- */

static void say_hello(struct relay_session *session, const char *verb)
{
    const char *own = relay_own_name();
    char address[NET_ADDRESS_TEXT];
    struct net_endpoint local;
    struct text text;

    text_init(&text, session->out, sizeof(session->out));
    text_string(&text, verb);
    if (own != NULL) {
        text_string(&text, own);
    } else {
        stream_local(session->stream, &local);
        text_string(&text, net_address_is_v4(&local.address) ? "[" : "[IPv6:");
        text_string(&text, net_address_format(&local.address, address));
        text_string(&text, "]");
    }
    text_string(&text, "\r\n");
    relay_say(session, text.len);
}

/* Whether the server calls itself by our name. "barepost" may be anybody's. */
static bool greets_itself(const struct relay_session *session)
{
    const char *own = relay_own_name();
    const char *name = session->answer.text + 4;
    size_t len = strcspn(name, " ");

    return own != NULL && strchr(own, '.') != NULL && strlen(own) == len &&
           strncasecmp(own, name, len) == 0 && session->answer.len > 4;
}

void relay_on_banner(struct relay_session *session)
{
    unsigned code = session->answer.code;

    if (code != GREETING) {
        relay_lost_said(session, is_permanent(code));
        return;
    }
    if (greets_itself(session)) {
        relay_lost_loop(session);
        return;
    }
    memset(&session->offer, 0, sizeof(session->offer));
    relay_enter_state(session, RELAY_EHLO);
    say_hello(session, "EHLO ");
}

/* The server has heard who we are. */
static void greeted(struct relay_session *session)
{
    session->greeted = true;
    relay_host_works(session->host);
    if (session->host->login[0] == '\0')
        relay_transaction(session);
    else
        relay_authenticate(session);
}

void relay_on_ehlo(struct relay_session *session)
{
    unsigned code = session->answer.code;

    if (code == DONE) {
        greeted(session);
    } else if (code >= 500 && session->host->login[0] == '\0') {
        memset(&session->offer, 0, sizeof(session->offer));
        relay_enter_state(session, RELAY_HELO);
        say_hello(session, "HELO ");
    } else {
        relay_lost_said(session, false);
    }
}

void relay_on_helo(struct relay_session *session)
{
    unsigned code = session->answer.code;

    if (code == DONE)
        greeted(session);
    else
        relay_lost_said(session, is_permanent(code));
}

/* ---- AUTH ---------------------------------------------------------------- */

static void say_base64(struct relay_session *session, const char *verb,
                       const void *bytes, size_t len)
{
    struct text text;

    text_init(&text, session->out, sizeof(session->out));
    text_string(&text, verb);
    base64_put(&text, bytes, len);
    text_string(&text, "\r\n");
    relay_say(session, text.len);
}

void relay_authenticate(struct relay_session *session)
{
    const struct relay_host *host = session->host;
    size_t login = strlen(host->login), password = strlen(host->password);
    char secret[SECRET_BYTES];

    if (session->offer.auth_plain) {
        secret[0] = '\0';
        memcpy(secret + 1, host->login, login + 1);
        memcpy(secret + 2 + login, host->password, password);
        relay_enter_state(session, RELAY_AUTH);
        say_base64(session, "AUTH PLAIN ", secret, 2 + login + password);
    } else if (session->offer.auth_login) {
        relay_enter_state(session, RELAY_LOGIN);
        memcpy(session->out, "AUTH LOGIN\r\n", 12);
        relay_say(session, 12);
    } else {
        relay_lost(session, false, "454 4.7.0 no AUTH that this server knows");
    }
}

static void refused(struct relay_session *session)
{
    log_warn("relay", "login refused host=%s reply=\"%s\"",
             relay_peer_name(session), session->answer.text);
    relay_lost_said(session, false);
}

void relay_on_auth(struct relay_session *session)
{
    if (session->answer.code == AUTHENTICATED)
        relay_transaction(session);
    else
        refused(session);
}

void relay_on_login(struct relay_session *session)
{
    const char *login = session->host->login;

    if (session->answer.code != GO_ON) {
        refused(session);
        return;
    }
    relay_enter_state(session, RELAY_USER);
    say_base64(session, "", login, strlen(login));
}

void relay_on_user(struct relay_session *session)
{
    const char *password = session->host->password;

    if (session->answer.code != GO_ON) {
        refused(session);
        return;
    }
    relay_enter_state(session, RELAY_PASSWORD);
    say_base64(session, "", password, strlen(password));
}

void relay_on_password(struct relay_session *session)
{
    relay_on_auth(session);
}
