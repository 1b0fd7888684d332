/* AUTH (RFC 5034): the mechanisms PLAIN (RFC 4616) and LOGIN, both with and
 * without an initial response.
 *
 *   AUTH -> ["+ " -> response]... -> login as after PASS
 *
 * AUTH alone tells the mechanisms, as older clients ask for them. What the
 * client has sent is wiped where it lay in the session. */
#include "account/account_sasl.h"
#include "core/bytes.h"
#include "pop3/pop3_session.h"
#include "protocol/base64.h"
#include "store/st_number.h"
#include <string.h>

enum mechanism { MECHANISM_PLAIN, MECHANISM_LOGIN_NAME, MECHANISM_LOGIN };

bool pop3_auth_offered(void)
{
    return st_setting_switch("auth_clear", true);
}

/* The exchange is over without a login. */
static void give_up(struct pop3_session *session, enum pop3_reply reply)
{
    bytes_wipe(&session->login, sizeof(session->login));
    pop3_enter_state(session, POP3_GREETED);
    pop3_say(session, reply);
}

/* prompt: in base64 */
static void ask(struct pop3_session *session, const char *prompt)
{
    char buffer[32];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "+ ");
    text_string(&text, prompt);
    text_string(&text, "\r\n");
    pop3_enter_state(session, POP3_SECRET);
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

/* One response of the client, decoded. */
static void take_response(struct pop3_session *session, const char *text,
                          size_t len)
{
    struct account_login *login = &session->login;
    bool good;

    if (session->mechanism == MECHANISM_PLAIN) {
        good = account_sasl_plain(login, text, len);
    } else if (session->mechanism == MECHANISM_LOGIN_NAME) {
        good = account_sasl_name(login, text, len);
        session->mechanism = MECHANISM_LOGIN;
        if (good) {
            ask(session, ACCOUNT_PROMPT_PASSWORD);
            return;
        }
    } else {
        good = account_sasl_password(login, text, len);
    }
    if (good)
        pop3_begin_login(session);
    else
        give_up(session, POP3_AUTH);
}

static void take_base64(struct pop3_session *session, const char *text,
                        size_t len)
{
    char secret[ACCOUNT_SECRET_BYTES];
    int got;

    /* "=" stands for an initial response of no bytes (RFC 5034 section 4). */
    if (len == 1 && text[0] == '=')
        len = 0;
    got = base64_decode(text, len, secret, sizeof(secret));
    if (got < 0)
        give_up(session, POP3_AUTH_BASE64);
    else
        take_response(session, secret, (size_t)got);
    bytes_wipe(secret, sizeof(secret));
}

void pop3_run_auth(struct pop3_session *session,
                   const struct dialogue_line *argument)
{
    struct dialogue_line initial;
    struct dialogue_line word = dialogue_word(argument, &initial);
    bool plain = text_equal(word.text, word.len, "PLAIN");

    if (!pop3_auth_offered()) {
        pop3_say(session, POP3_AUTH_CLEAR);
        return;
    }
    if (word.len == 0) {
        pop3_say(session, POP3_MECHANISMS);
        return;
    }
    if (!plain && !text_equal(word.text, word.len, "LOGIN")) {
        pop3_say(session, POP3_AUTH_MECHANISM);
        return;
    }
    memset(&session->login, 0, sizeof(session->login));
    session->mechanism = plain ? MECHANISM_PLAIN : MECHANISM_LOGIN_NAME;
    if (initial.len > 0)
        take_base64(session, initial.text, initial.len);
    else
        ask(session, plain ? "" : ACCOUNT_PROMPT_NAME);
}

size_t pop3_take_secret(struct pop3_session *session, const uint8_t *data,
                        size_t len)
{
    enum dialogue_result result;
    struct dialogue_line line;
    size_t taken;

    if (dialogue_blocked(&session->dialogue))
        return 0;
    result = dialogue_read(&session->dialogue, data, len, &taken, &line);
    if (result == DIALOGUE_MORE)
        return taken;
    if (result == DIALOGUE_TOO_LONG)
        give_up(session, POP3_LINE_TOO_LONG);
    else if (line.len == 1 && line.text[0] == '*')
        give_up(session, POP3_AUTH_ENDED);
    else
        take_base64(session, line.text, line.len);
    pop3_wipe_line(session);
    pop3_check_errors(session);
    return taken;
}
