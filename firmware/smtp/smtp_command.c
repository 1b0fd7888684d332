/* The SMTP commands: one table of state x verb, and what each one does. */
#include "core/check.h"
#include "net/address.h"
#include "smtp/smtp_session.h"
#include "userdb/user.h"
#include <string.h>

static void forget_and_greet(struct smtp_session *session,
                             const struct dialogue_line *name, bool extended)
{
    memcpy(session->helo, name->text, name->len);
    session->helo_bytes = (uint16_t)name->len;
    session->extended = extended;
    smtp_reset(session);
}

static bool hello_name_valid(const struct dialogue_line *name)
{
    return smtp_domain_valid(name->text, name->len) ||
           (name->len <= SMTP_DOMAIN_MAX &&
            smtp_literal_valid(name->text, name->len));
}

static void run_helo(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    char buffer[SMTP_REPLY_BYTES];
    struct text text;

    if (!hello_name_valid(argument)) {
        smtp_say(session, SMTP_SYNTAX);
        return;
    }
    forget_and_greet(session, argument, false);
    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "250 ");
    text_string(&text, smtp_host());
    text_string(&text, "\r\n");
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

static void run_ehlo(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    char buffer[SMTP_REPLY_BYTES];
    struct text text;

    if (!hello_name_valid(argument)) {
        smtp_say(session, SMTP_SYNTAX);
        return;
    }
    forget_and_greet(session, argument, true);
    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "250-");
    text_string(&text, smtp_host());
    text_string(&text, "\r\n250-PIPELINING\r\n250-SIZE ");
    text_decimal(&text, SMTP_MESSAGE_BYTES_MAX);
    text_string(&text, "\r\n250-8BITMIME\r\n250-"
                       "ENHANCEDSTATUSCODES\r\n"
                       "250-LIMITS RCPTMAX=");
    text_decimal(&text, SMTP_RECIPIENTS_MAX);
    text_string(&text, "\r\n250 HELP\r\n");
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

/* Reads "FROM:" or "TO:" and the path behind it (RFC
 * 5321 4.1.1.2, 4.1.1.3). A space behind the colon,
 * though not in the grammar, is common. */
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

/* Returns SMTP_OK, or what is wrong with the
 * parameters. */
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

static void run_mail(struct smtp_session *session,
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
    if (reply == SMTP_OK && parameters.size > SMTP_MESSAGE_BYTES_MAX)
        reply = SMTP_TOO_BIG;
    if (reply == SMTP_OK && st_state() != ST_READY)
        reply = SMTP_STORE_GONE;
    if (reply != SMTP_OK) {
        smtp_say(session, reply);
        return;
    }
    memcpy(session->sender, path.mailbox, path.mailbox_len);
    session->sender[path.mailbox_len] = '\0';
    session->sender_bytes = (uint16_t)path.mailbox_len;
    session->declared_bytes = parameters.size;
    smtp_enter_state(session, SMTP_MAIL);
    smtp_say(session, SMTP_SENDER_OK);
}

/* Whether a domain is an address-literal of the
 * address the client has connected to; mail for that
 * is ours (RFC 5321 4.1.3). */
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

static enum smtp_reply resolve_recipient(struct smtp_session *session,
                                         const struct smtp_path *path)
{
    const char *domain = path->domain;
    size_t domain_len = path->domain_len;
    enum err why = ERR_NOT_FOUND;
    const struct user *user;

    if (is_own_literal(session, path)) {
        domain = directory_first_domain();
        domain_len = strlen(domain);
    }
    user = directory_resolve(path->local, path->local_len, domain, domain_len,
                             &why);
    if (user == NULL) {
        if (why == ERR_REFUSED)
            return SMTP_NO_RELAY;
        return why == ERR_BUSY ? SMTP_DISABLED : SMTP_NO_USER;
    }
    return smtp_add_recipient(session, user->id);
}

static void run_rcpt(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    struct smtp_parameters parameters;
    struct dialogue_line words;
    struct smtp_path path;
    enum smtp_reply reply;
    enum err error = parse_path(argument, "TO:", &path, &words);

    if (error == ERR_NOT_FOUND) {
        smtp_say(session, SMTP_SYNTAX);
        return;
    }
    /* Without a domain only <postmaster> is good (RFC
     * 5321 4.1.1.3). */
    if (error != OK || path.mailbox_len == 0 ||
        (path.domain_len == 0 &&
         !text_equal(path.local, path.local_len, "POSTMASTER"))) {
        smtp_say(session, SMTP_BAD_RECIPIENT);
        return;
    }
    reply = check_parameters(&words, false, &parameters);
    if (reply == SMTP_OK)
        reply = resolve_recipient(session, &path);
    if (session->user_count > 0 && session->state != SMTP_RCPT)
        smtp_enter_state(session, SMTP_RCPT);
    smtp_say(session, reply);
}

static void run_data(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    if (session->state == SMTP_MAIL) {
        smtp_say(session, SMTP_NO_RECIPIENTS);
        return;
    }
    session->retries = 0;
    smtp_begin_data(session);
}

static void run_rset(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    smtp_reset(session);
    smtp_say(session, SMTP_OK);
}

static void run_noop(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    smtp_say(session, SMTP_OK);
}

static void run_quit(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    smtp_finish(session, SMTP_BYE);
}

static void run_vrfy(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    smtp_say(session, SMTP_VERIFY);
}

static void run_help(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    smtp_say(session, SMTP_HELP);
}

static void run_not_implemented(struct smtp_session *session,
                                const struct dialogue_line *argument)
{
    (void)argument;
    smtp_say(session, SMTP_NOT_IMPLEMENTED);
}

/* States in which a command may come; the others
 * (SMTP_ROOM and after) read no commands. */
#define IN_GREETED (1u << SMTP_GREETED)
#define IN_HELLO   (1u << SMTP_HELLO)
#define IN_MAIL    (1u << SMTP_MAIL)
#define IN_RCPT    (1u << SMTP_RCPT)
#define IN_ANY     (IN_GREETED | IN_HELLO | IN_MAIL | IN_RCPT)

enum argument_rule { ARGUMENT_NONE, ARGUMENT_MAY, ARGUMENT_MUST };

static const struct smtp_command {
    const char *verb;
    uint8_t states;   /* where it is allowed; else
                         SMTP_SEQUENCE */
    uint8_t argument; /* enum argument_rule */
    bool idle;        /* does not bring a message forward */
    void (*run)(struct smtp_session *session,
                const struct dialogue_line *argument);
} commands[] = {
    {"MAIL", IN_HELLO, ARGUMENT_MUST, false, run_mail},
    {"RCPT", IN_MAIL | IN_RCPT, ARGUMENT_MUST, false, run_rcpt},
    {"DATA", IN_MAIL | IN_RCPT, ARGUMENT_NONE, false, run_data},
    {"QUIT", IN_ANY, ARGUMENT_NONE, false, run_quit},
    {"EHLO", IN_ANY, ARGUMENT_MUST, true, run_ehlo},
    {"HELO", IN_ANY, ARGUMENT_MUST, true, run_helo},
    {"RSET", IN_ANY, ARGUMENT_NONE, true, run_rset},
    {"NOOP", IN_ANY, ARGUMENT_MAY, true, run_noop},
    {"VRFY", IN_ANY, ARGUMENT_MUST, true, run_vrfy},
    {"HELP", IN_ANY, ARGUMENT_MAY, true, run_help},
    {"EXPN", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"ETRN", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"TURN", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"SEND", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"SOML", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"SAML", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"BDAT", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"AUTH", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
    {"STARTTLS", IN_ANY, ARGUMENT_MAY, true, run_not_implemented},
};

static const struct smtp_command *find_command(const struct dialogue_line *word)
{
    size_t i;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (text_equal(word->text, word->len, commands[i].verb))
            return &commands[i];
    return NULL;
}

static void run_command(struct smtp_session *session,
                        const struct smtp_command *command,
                        const struct dialogue_line *argument)
{
    if (command->idle && ++session->idle_commands > SMTP_IDLE_COMMANDS_MAX) {
        smtp_finish(session, SMTP_TOO_MANY_COMMANDS);
        return;
    }
    if ((command->states >> session->state & 1) == 0)
        smtp_say(session, session->state == SMTP_GREETED ? SMTP_HELLO_FIRST
                                                         : SMTP_SEQUENCE);
    else if (command->argument == ARGUMENT_NONE && argument->len > 0)
        smtp_say(session, SMTP_NO_ARGUMENT);
    else if (command->argument == ARGUMENT_MUST && argument->len == 0)
        smtp_say(session, SMTP_ARGUMENT);
    else
        command->run(session, argument);
}

static void take_line(struct smtp_session *session,
                      const struct dialogue_line *line)
{
    struct dialogue_line argument;
    struct dialogue_line word = dialogue_word(line, &argument);
    const struct smtp_command *command = find_command(&word);

    if (!dialogue_line_clean(line))
        smtp_say(session, SMTP_CONTROL);
    else if (command == NULL)
        smtp_say(session, SMTP_UNKNOWN);
    else
        run_command(session, command, &argument);
}

size_t smtp_take_command(struct smtp_session *session, const uint8_t *data,
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
    smtp_enter_state(session, session->state);
    if (result == DIALOGUE_TOO_LONG)
        smtp_say(session, SMTP_LINE_TOO_LONG);
    else
        take_line(session, &line);
    smtp_check_errors(session);
    return taken;
}
