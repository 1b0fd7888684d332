/* MAIL and RCPT: the envelope of a message, and who may send what to whom.
 *
 * Mail for addresses of ours is taken from anybody; mail for all others from
 * users who are logged in, and from nobody else, however the address is
 * written: what counts is its domain behind the last "@", as the directory
 * knows it. Users send under addresses that they get mail for. */
#include "core/check.h"
#include "net/address.h"
#include "smtp/smtp_session.h"
#include "userdb/directory.h"
#include <assert.h>
#include <string.h>

static_assert(DIRECTORY_TARGETS_MAX <= SMTP_RECIPIENTS_MAX,
              "the members of an alias fit into an envelope");

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
    if (reply == SMTP_OK && parameters.envid_len > 0 &&
        smtp_envelope_set_id(&session->envelope, parameters.envid,
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

static enum smtp_reply reply_of_add(enum err error)
{
    return error == OK ? SMTP_RECIPIENT_OK : SMTP_TOO_MANY_RECIPIENTS;
}

static enum smtp_reply add_remote(struct smtp_session *session,
                                  const char *address,
                                  const struct smtp_wish *wish)
{
    /* It would have to be turned into another encoding (RFC 3030 section 3). */
    if (session->body == SMTP_BODY_BINARYMIME)
        return SMTP_BINARY_ELSEWHERE;
    if (session->user != 0 &&
        limits_user_recipient(session->user, &session->limits) != OK)
        return SMTP_SENDING_LIMIT;
    return reply_of_add(smtp_envelope_add_remote(
        &session->envelope, address, wish, smtp_settings()->recipients_max));
}

/* An alias's address gets the sender's wishes, with the alias as original
 * recipient where the sender has named none (RFC 3461 5.2.7.2). That an alias
 * for several has reached them all is nobody's to say: so none of them tells of
 * success (RFC 3461 5.2.7.3). */
static enum smtp_reply add_forward(struct smtp_session *session,
                                   const char *address,
                                   const struct smtp_wish *given, bool several)
{
    char orcpt[SMTP_PATH_MAX + 8] = "rfc822;";
    struct smtp_wish wish = *given;
    size_t i;

    if (several && (wish.notify & STORE_NOTIFY_SUCCESS) != 0) {
        wish.notify &= (uint8_t)~STORE_NOTIFY_SUCCESS;
        if (wish.notify == 0)
            wish.notify = STORE_NOTIFY_NEVER;
    }
    for (i = 0; i < wish.address_len; i++)
        if (wish.address[i] <= ' ' || wish.address[i] > '~' ||
            wish.address[i] == '+' || wish.address[i] == '=')
            break;
    if (wish.orcpt_len == 0 && i == wish.address_len && i > 0) {
        memcpy(orcpt + 7, wish.address, i);
        wish.orcpt = orcpt;
        wish.orcpt_len = 7 + i;
    }
    return add_remote(session, address, &wish);
}

/* That the message is in the mailboxes is told from here; where there is no
 * mailbox but one address elsewhere, by the server there. */
static enum smtp_reply note_success(struct smtp_session *session,
                                    const struct directory_expansion *expansion,
                                    const struct smtp_wish *wish)
{
    bool elsewhere = false;
    unsigned i;

    if ((wish->notify & STORE_NOTIFY_SUCCESS) == 0 ||
        session->sender_bytes == 0)
        return SMTP_RECIPIENT_OK;
    for (i = 0; i < expansion->count; i++)
        elsewhere |= expansion->targets[i].user == NULL;
    if (elsewhere && expansion->count == 1)
        return SMTP_RECIPIENT_OK;
    return reply_of_add(
        smtp_envelope_add_success(&session->envelope, wish, elsewhere));
}

/* Whether a user's mailbox has room. Not asked for the members of an alias: one
 * whose mailbox is full must not keep mail from the others. */
static enum smtp_reply check_quota(struct smtp_session *session, int64_t user)
{
    switch ((int)account_quota_room(user, session->declared_bytes)) {
    case ERR_FULL:
        return SMTP_QUOTA_FULL;
    case ERR_TOO_BIG:
        return SMTP_QUOTA_SMALL;
    default:
        session->quota_max = account_quota_left(user);
        return SMTP_RECIPIENT_OK;
    }
}

/* All that an address of ours means, or nothing of it. */
static enum smtp_reply add_targets(struct smtp_session *session,
                                   const struct directory_expansion *expansion,
                                   const struct smtp_wish *wish)
{
    struct smtp_envelope_mark mark;
    enum smtp_reply reply = SMTP_RECIPIENT_OK;
    unsigned i;

    if (expansion->count == 1 && expansion->targets[0].user != NULL)
        reply = check_quota(session, expansion->targets[0].user->id);
    smtp_envelope_mark(&session->envelope, &mark);
    for (i = 0; i < expansion->count && reply == SMTP_RECIPIENT_OK; i++) {
        const struct directory_target *target = &expansion->targets[i];

        if (target->user != NULL)
            reply = reply_of_add(
                smtp_envelope_add_user(&session->envelope, target->user->id,
                                       smtp_settings()->recipients_max));
        else
            reply = add_forward(session, target->address, wish,
                                expansion->count > 1);
    }
    if (reply == SMTP_RECIPIENT_OK)
        reply = note_success(session, expansion, wish);
    if (reply != SMTP_RECIPIENT_OK)
        smtp_envelope_back(&session->envelope, &mark);
    return reply;
}

static enum smtp_reply add_local(struct smtp_session *session,
                                 const struct directory_expansion *expansion,
                                 const struct smtp_wish *wish)
{
    enum smtp_reply reply;

    if (expansion->closed && session->user == 0)
        return SMTP_CLOSED;
    if (expansion->max_bytes > 0 &&
        session->declared_bytes > expansion->max_bytes)
        return SMTP_TOO_BIG;
    reply = add_targets(session, expansion, wish);
    if (reply == SMTP_RECIPIENT_OK && expansion->max_bytes > 0 &&
        expansion->max_bytes < session->bytes_max)
        session->bytes_max = expansion->max_bytes;
    return reply;
}

/* An address elsewhere, for a user who is logged in. */
static enum smtp_reply add_elsewhere(struct smtp_session *session,
                                     const struct smtp_path *path,
                                     const struct smtp_wish *wish)
{
    char address[SMTP_PATH_MAX];

    if (session->user == 0)
        return SMTP_NO_RELAY;
    memcpy(address, path->mailbox, path->mailbox_len);
    address[path->mailbox_len] = '\0';
    return add_remote(session, address, wish);
}

static enum smtp_reply
resolve_recipient(struct smtp_session *session, const struct smtp_path *path,
                  const struct smtp_parameters *parameters)
{
    const struct smtp_wish wish = {
        .address = path->mailbox,
        .address_len = path->mailbox_len,
        .orcpt = parameters->orcpt,
        .orcpt_len = parameters->orcpt_len,
        .notify = parameters->notify,
    };
    const struct directory_expansion *expansion;
    const char *domain = path->domain;
    size_t domain_len = path->domain_len;

    if (path->utf8 && !session->smtputf8)
        return SMTP_UTF8_ADDRESS;
    if (is_own_literal(session, path)) {
        domain = directory_first_domain();
        domain_len = strlen(domain);
    }
    switch ((int)directory_expand(path->local, path->local_len, domain,
                                  domain_len, &expansion)) {
    case OK:
        return add_local(session, expansion, &wish);
    case ERR_REFUSED:
        return add_elsewhere(session, path, &wish);
    case ERR_BUSY:
        return SMTP_DISABLED;
    case ERR_TOO_BIG:
        return SMTP_EXPANSION;
    default:
        return SMTP_NO_USER;
    }
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
    smtp_envelope_mark(&session->envelope, &session->before);
    if (reply == SMTP_OK)
        reply = resolve_recipient(session, &path, &parameters);
    if (reply == SMTP_RECIPIENT_OK)
        smtp_enter_state(session, SMTP_RCPT);
    else
        smtp_log_refused(session, path.mailbox, path.mailbox_len, reply);
    smtp_limits_say_rcpt(session, reply, postmaster);
}
