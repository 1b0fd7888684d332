/* AUTH (RFC 4954): the mechanisms PLAIN (RFC 4616) and LOGIN, both with and
 * without an initial response, over connections on which passwords may go.
 *
 *   AUTH -> [334 -> response]... -> account -> 235 or 535
 *
 * What the client has sent is wiped where it lay in the session. */
#include "account/account_sasl.h"
#include "core/bytes.h"
#include "core/check.h"
#include "protocol/base64.h"
#include "smtp/smtp_session.h"
#include <string.h>

enum mechanism { MECHANISM_PLAIN, MECHANISM_LOGIN };

/* A wrong password weighs as much as so many other errors. */
#define WRONG_WEIGHT 5

bool smtp_auth_offered(const struct smtp_session *session)
{
    return session->encrypted || smtp_settings()->auth_clear;
}

void smtp_auth_forget(struct smtp_session *session)
{
    if (session->author == NULL)
        return;
    if (session->state == SMTP_LOGIN)
        account_cancel(&session->author->login);
    smtp_author_give(session->author);
    session->author = NULL;
    session->user = 0;
}

/* The exchange is over without a user. */
static void give_up(struct smtp_session *session, enum smtp_reply reply)
{
    smtp_auth_forget(session);
    smtp_enter_state(session, SMTP_HELLO);
    smtp_say(session, reply);
}

/* prompt: in base64 */
static void ask(struct smtp_session *session, const char *prompt)
{
    char buffer[32];
    struct text text;

    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "334 ");
    text_string(&text, prompt);
    text_string(&text, "\r\n");
    smtp_enter_state(session, SMTP_SECRET);
    smtp_author_ask(session->author, session);
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

static void on_login(struct account_login *login)
{
    struct smtp_session *session = login->context;
    enum err result = login->result;
    int64_t user = login->user_id;

    ASSERT(session->state == SMTP_LOGIN);
    smtp_enter_state(session, SMTP_HELLO);
    if (result == OK) {
        session->user = user;
        /* Block lists are for strangers. */
        session->listed = 0;
        session->refuse_listed = false;
        smtp_say(session, SMTP_AUTH_OK);
    } else if (result == ERR_REFUSED) {
        session->errors = (uint8_t)(session->errors + WRONG_WEIGHT - 1);
        give_up(session, SMTP_AUTH_WRONG);
    } else {
        give_up(session, SMTP_AUTH_BUSY);
    }
    smtp_resume(session);
}

static void begin_login(struct smtp_session *session)
{
    struct account_login *login = &session->author->login;
    struct net_endpoint peer;

    stream_peer(session->dialogue.stream, &peer);
    login->peer = peer.address;
    login->service = "smtp";
    login->done = on_login;
    login->context = session;
    smtp_enter_state(session, SMTP_LOGIN);
    account_login(login);
}

/* One response of the client, decoded. */
static void take_response(struct smtp_session *session, const char *text,
                          size_t len)
{
    struct smtp_author *author = session->author;
    struct account_login *login = &author->login;
    bool good;

    if (author->mechanism == MECHANISM_PLAIN) {
        good = account_sasl_plain(login, text, len);
    } else if (!author->named) {
        good = account_sasl_name(login, text, len);
        author->named = true;
        if (good) {
            ask(session, ACCOUNT_PROMPT_PASSWORD);
            return;
        }
    } else {
        good = account_sasl_password(login, text, len);
    }
    if (good) {
        begin_login(session);
        return;
    }
    session->errors = (uint8_t)(session->errors + WRONG_WEIGHT - 1);
    give_up(session, SMTP_AUTH_WRONG);
}

static void take_base64(struct smtp_session *session, const char *text,
                        size_t len)
{
    char secret[ACCOUNT_SECRET_BYTES];
    int got;

    smtp_author_answered(session->author);
    /* "=" stands for an initial response of no bytes (RFC 4954 section 4). */
    if (len == 1 && text[0] == '=')
        len = 0;
    if (len > ACCOUNT_SECRET_BYTES / 3 * 4) {
        give_up(session, SMTP_AUTH_TOO_LONG);
        return;
    }
    got = base64_decode(text, len, secret, sizeof(secret));
    if (got < 0)
        give_up(session, SMTP_BAD_BASE64);
    else
        take_response(session, secret, (size_t)got);
    bytes_wipe(secret, sizeof(secret));
}

/* While all are in use, whoever was asked for a name or password longest ago
 * and has not answered gives way: else a few clients that never do would keep
 * everybody from logging in. One whose stream takes no answer is passed over.
 */
static struct smtp_author *take_author(void)
{
    struct smtp_author *author = smtp_author_take();
    struct smtp_session *first = smtp_author_oldest();
    struct smtp_session *other = first;

    if (author != NULL || first == NULL)
        return author;
    while (dialogue_blocked(&other->dialogue)) {
        smtp_author_ask(other->author, other);
        other = smtp_author_oldest();
        if (other == first)
            return NULL;
    }
    give_up(other, SMTP_AUTH_BUSY);
    return smtp_author_take();
}

void smtp_run_auth(struct smtp_session *session,
                   const struct dialogue_line *argument)
{
    struct dialogue_line initial;
    struct dialogue_line word = dialogue_word(argument, &initial);
    enum mechanism mechanism = MECHANISM_PLAIN;

    if (text_equal(word.text, word.len, "LOGIN"))
        mechanism = MECHANISM_LOGIN;
    else if (!text_equal(word.text, word.len, "PLAIN")) {
        smtp_say(session, SMTP_AUTH_MECHANISM);
        return;
    }
    if (!session->extended || session->user != 0) {
        smtp_say(session, SMTP_SEQUENCE);
        return;
    }
    if (!smtp_auth_offered(session)) {
        smtp_say(session, SMTP_AUTH_CLEAR);
        return;
    }
    session->author = take_author();
    if (session->author == NULL) {
        smtp_say(session, SMTP_AUTH_BUSY);
        return;
    }
    session->author->mechanism = (uint8_t)mechanism;
    if (initial.len > 0)
        take_base64(session, initial.text, initial.len);
    else
        ask(session, mechanism == MECHANISM_PLAIN ? "" : ACCOUNT_PROMPT_NAME);
    if (!dialogue_blocked(&session->dialogue))
        bytes_wipe(session->line, sizeof(session->line));
}

size_t smtp_take_secret(struct smtp_session *session, const uint8_t *data,
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
        give_up(session, SMTP_AUTH_TOO_LONG);
    else if (line.len == 1 && line.text[0] == '*')
        give_up(session, SMTP_AUTH_CANCELLED);
    else
        take_base64(session, line.text, line.len);
    if (!dialogue_blocked(&session->dialogue))
        bytes_wipe(session->line, sizeof(session->line));
    smtp_check_errors(session);
    return taken;
}
