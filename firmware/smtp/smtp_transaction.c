/* MAIL and RCPT: the envelope of a message, and who may send what to whom.
 *
 * Mail for addresses of ours is taken from anybody; mail for all others from
 * users who are logged in, and from nobody else, however the address is
 * written: what counts is its domain behind the last "@", as the directory
 * knows it. Users send under addresses that they get mail for. */
#include "core/check.h"
#include "envelope/recipient.h"
#include "net/address.h"
#include "smtp/smtp_session.h"
#include "userdb/directory.h"
#include <string.h>

/* Reads "FROM:" or "TO:" and the path behind it (RFC 5321 4.1.1.2, 4.1.1.3). A
 * space behind the colon, though not in the grammar, is common. */
static enum err parse_path(const struct dialogue_line *argument,
                           const char *keyword, struct smtp_path *path,
                           struct dialogue_line *parameters)
{
    size_t keyword_len = strlen(keyword);
    const char *at = argument->text;
    const char *end = at + argument->len;
    enum err error;

    if (argument->len < keyword_len || !text_equal(at, keyword_len, keyword))
        return ERR_NOT_FOUND;
    at += keyword_len;
    while (at < end && *at == ' ')
        at++;
    error = smtp_path_parse(&at, end, path);
    if (error == OK && at < end && *at != ' ')
        error = ERR_INVALID;
    parameters->text = at;
    parameters->len = (size_t)(end - at);
    return error;
}

/* Returns SMTP_OK, or what is wrong with the parameters. */
static enum smtp_reply check_parameters(const struct dialogue_line *words,
                                        bool for_mail,
                                        struct smtp_parameters *parameters)
{
    enum err error =
        smtp_parameters_parse(words->text, words->len, for_mail, parameters);

    if (error == ERR_UNSUPPORTED)
        return SMTP_PARAMETER_UNKNOWN;
    return error == OK ? SMTP_OK : SMTP_BAD_PARAMETER;
}

/* Whether a domain is an address-literal of the address the client has
 * connected to; mail for that is ours (RFC 5321 4.1.3). */
static bool is_own_literal(const struct smtp_session *session,
                           const struct smtp_path *path)
{
    char own[NET_ADDRESS_TEXT];
    struct net_endpoint local;
    const char *text = path->domain + 1;
    size_t len;

    if (path->domain_len < 3 || path->domain[0] != '[')
        return false;
    len = path->domain_len - 2;
    stream_local(session->dialogue.stream, &local);
    if (!net_address_is_v4(&local.address))
        return false;
    net_address_format(&local.address, own);
    return strlen(own) == len && memcmp(own, text, len) == 0;
}

/* ---- MAIL ------------------------------------------------------------------
 */

/* The null sender is anybody's: notices of clients have it (RFC 8098 3). */
static bool may_send_as(const struct smtp_session *session,
                        const struct smtp_path *path)
{
    return session->user == 0 || path->mailbox_len == 0 ||
           directory_may_send_as(session->user, path->local, path->local_len,
                                 path->domain, path->domain_len);
}

static enum smtp_reply check_mail(const struct smtp_session *session,
                                  const struct smtp_path *path,
                                  const struct smtp_parameters *parameters)
{
    if (session->submission && session->user == 0)
        return SMTP_AUTH_FIRST;
    if (path->utf8 && !parameters->smtputf8)
        return SMTP_UTF8_ADDRESS;
    if (parameters->size > smtp_settings()->message_max)
        return SMTP_TOO_BIG;
    if (!may_send_as(session, path))
        return SMTP_NOT_YOURS;
    if (session->user != 0 &&
        limits_user_message(session->user, &session->limits) != OK)
        return SMTP_SENDING_LIMIT;
    return st_state() == ST_READY ? SMTP_OK : SMTP_STORE_GONE;
}

static void begin_transaction(struct smtp_session *session,
                              const struct smtp_path *path,
                              const struct smtp_parameters *parameters)
{
    memcpy(session->sender, path->mailbox, path->mailbox_len);
    session->sender[path->mailbox_len] = '\0';
    session->sender_bytes = (uint16_t)path->mailbox_len;
    session->declared_bytes = parameters->size;
    session->bytes_max = smtp_settings()->message_max;
    session->quota_max = UINT64_MAX;
    session->body = (uint8_t)parameters->body;
    session->eight_bit = parameters->body != SMTP_BODY_7BIT;
    session->smtputf8 = parameters->smtputf8;
    session->returning = (uint8_t)parameters->returning;
    smtp_enter_state(session, SMTP_MAIL);
}

void smtp_run_mail(struct smtp_session *session,
                   const struct dialogue_line *argument)
{
    struct smtp_parameters parameters;
    struct dialogue_line words;
    struct smtp_path path;
    enum smtp_reply reply;
    enum err error = parse_path(argument, "FROM:", &path, &words);

    if (error != OK || (path.mailbox_len > 0 && path.domain_len == 0)) {
        smtp_say(session,
                 error == ERR_NOT_FOUND ? SMTP_SYNTAX : SMTP_BAD_SENDER);
        return;
    }
    reply = check_parameters(&words, true, &parameters);
    if (reply == SMTP_OK)
        reply = check_mail(session, &path, &parameters);
    session->envelope.stranger = session->user == 0;
    if (reply == SMTP_OK && parameters.envid_len > 0 &&
        envelope_set_id(&session->envelope, parameters.envid,
                        parameters.envid_len) != OK)
        reply = SMTP_STORE_BUSY;
    if (reply != SMTP_OK) {
        smtp_say(session, reply);
        return;
    }
    begin_transaction(session, &path, &parameters);
    smtp_say(session, SMTP_SENDER_OK);
}

/* ---- RCPT ------------------------------------------------------------------
 */

/* What is said of a recipient. */
static const uint8_t replies[] = {
    [RECIPIENT_OK] = SMTP_RECIPIENT_OK,
    [RECIPIENT_TOO_MANY] = SMTP_TOO_MANY_RECIPIENTS,
    [RECIPIENT_NO_MEMORY] = SMTP_TOO_MANY_RECIPIENTS,
    [RECIPIENT_LIMITED] = SMTP_SENDING_LIMIT,
    [RECIPIENT_NOT_ELSEWHERE] = SMTP_BINARY_ELSEWHERE,
    [RECIPIENT_FULL] = SMTP_QUOTA_FULL,
    [RECIPIENT_TOO_BIG_EVER] = SMTP_QUOTA_SMALL,
    [RECIPIENT_TOO_BIG] = SMTP_TOO_BIG,
    [RECIPIENT_CLOSED] = SMTP_CLOSED,
    [RECIPIENT_FOREIGN] = SMTP_NO_RELAY,
    [RECIPIENT_DISABLED] = SMTP_DISABLED,
    [RECIPIENT_EXPANSION] = SMTP_EXPANSION,
    [RECIPIENT_UNKNOWN] = SMTP_NO_USER,
};

static enum smtp_reply
resolve_recipient(struct smtp_session *session, const struct smtp_path *path,
                  const struct smtp_parameters *parameters)
{
    const struct envelope_wish wish = {
        .address = path->mailbox,
        .address_len = path->mailbox_len,
        .orcpt = parameters->orcpt,
        .orcpt_len = parameters->orcpt_len,
        .notify = parameters->notify,
    };
    struct recipient_terms terms = {
        .user = session->user,
        .limits = &session->limits,
        .most = smtp_settings()->recipients_max,
        /* It would have to be turned into another encoding (RFC 3030 section
         * 3). */
        .only_here = session->body == SMTP_BODY_BINARYMIME,
        .told = session->sender_bytes > 0,
        .declared_bytes = session->declared_bytes,
        .quota_max = session->quota_max,
        .bytes_max = session->bytes_max,
    };
    struct recipient_address address = {path->local, path->local_len,
                                        path->domain, path->domain_len};
    enum smtp_reply reply;

    if (path->utf8 && !session->smtputf8)
        return SMTP_UTF8_ADDRESS;
    if (is_own_literal(session, path)) {
        address.domain = directory_first_domain();
        address.domain_len = strlen(address.domain);
    }
    reply = (enum smtp_reply)
        replies[recipient_add(&session->envelope, &terms, &address, &wish)];
    session->quota_max = terms.quota_max;
    session->bytes_max = terms.bytes_max;
    return reply;
}

void smtp_run_rcpt(struct smtp_session *session,
                   const struct dialogue_line *argument)
{
    struct smtp_parameters parameters;
    struct dialogue_line words;
    struct smtp_path path;
    enum smtp_reply reply;
    bool postmaster;
    enum err error = parse_path(argument, "TO:", &path, &words);

    if (error == ERR_NOT_FOUND) {
        smtp_say(session, SMTP_SYNTAX);
        return;
    }
    /* Without a domain only <postmaster> is good (RFC 5321 4.1.1.3). */
    if (error != OK || path.mailbox_len == 0 ||
        (path.domain_len == 0 &&
         !text_equal(path.local, path.local_len, "POSTMASTER"))) {
        smtp_say(session, SMTP_BAD_RECIPIENT);
        return;
    }
    reply = check_parameters(&words, false, &parameters);
    postmaster = text_equal(path.local, path.local_len, "POSTMASTER");
    if (reply == SMTP_OK && session->refuse_listed && !postmaster)
        reply = SMTP_LISTED;
    envelope_mark(&session->envelope, &session->before);
    if (reply == SMTP_OK)
        reply = resolve_recipient(session, &path, &parameters);
    if (reply == SMTP_RECIPIENT_OK)
        smtp_enter_state(session, SMTP_RCPT);
    else
        smtp_log_refused(session, path.mailbox, path.mailbox_len, reply);
    smtp_limits_say_rcpt(session, reply, postmaster);
}
