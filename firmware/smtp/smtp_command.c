/* The SMTP commands: one table of state x verb, and what each one does. */
#include "smtp/smtp_session.h"
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

/* The keywords of EHLO (RFC 5321 4.1.1.1). */
static void run_ehlo(struct smtp_session *session,
                     const struct dialogue_line *argument)
{
    const struct smtp_settings *settings = smtp_settings();
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
    text_decimal(&text, settings->message_max);
    text_string(&text, "\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
                       "250-BINARYMIME\r\n250-DSN\r\n"
                       "250-ENHANCEDSTATUSCODES\r\n");
    if (smtp_auth_offered(session))
        text_string(&text, "250-AUTH PLAIN LOGIN\r\n");
    text_string(&text, "250-LIMITS RCPTMAX=");
    text_decimal(&text, settings->recipients_max);
    text_string(&text, "\r\n250 HELP\r\n");
    dialogue_write(&session->dialogue, text.bytes, text.len);
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

/* States in which a command may come; the others read no commands. */
#define IN_GREETED (1u << SMTP_GREETED)
#define IN_HELLO   (1u << SMTP_HELLO)
#define IN_MAIL    (1u << SMTP_MAIL)
#define IN_RCPT    (1u << SMTP_RCPT)
#define IN_CHUNKS  (1u << SMTP_CHUNKS)
#define IN_ANY     (IN_GREETED | IN_HELLO | IN_MAIL | IN_RCPT | IN_CHUNKS)

enum argument_rule { ARGUMENT_NONE, ARGUMENT_MAY, ARGUMENT_MUST };

static const struct smtp_command {
    const char *verb;
    uint8_t states;   /* where it is allowed; else SMTP_SEQUENCE */
    uint8_t argument; /* enum argument_rule */
    bool idle;        /* does not bring a message forward */
    void (*run)(struct smtp_session *session,
                const struct dialogue_line *argument);
} commands[] = {
    {"MAIL", IN_HELLO, ARGUMENT_MUST, false, smtp_run_mail},
    {"RCPT", IN_MAIL | IN_RCPT, ARGUMENT_MUST, false, smtp_run_rcpt},
    {"DATA", IN_MAIL | IN_RCPT, ARGUMENT_NONE, false, smtp_run_data},
    {"BDAT", IN_ANY, ARGUMENT_MAY, false, smtp_run_bdat},
    {"QUIT", IN_ANY, ARGUMENT_NONE, false, run_quit},
    {"EHLO", IN_ANY, ARGUMENT_MUST, true, run_ehlo},
    {"HELO", IN_ANY, ARGUMENT_MUST, true, run_helo},
    {"AUTH", IN_HELLO, ARGUMENT_MUST, true, smtp_run_auth},
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
    if (command->idle &&
        ++session->idle_commands > smtp_settings()->commands_max) {
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
