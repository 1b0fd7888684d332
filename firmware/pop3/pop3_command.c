/* The POP3 commands: one table of state x verb, and what each one does. */
#include "core/bytes.h"
#include "core/check.h"
#include "pop3/pop3_session.h"
#include <string.h>

static void run_user(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    if (!pop3_auth_offered()) {
        pop3_say(session, POP3_AUTH_CLEAR);
        return;
    }
    memset(&session->login, 0, sizeof(session->login));
    memcpy(session->login.name, argument->text, argument->len);
    pop3_enter_state(session, POP3_NAMED);
    /* The same for every name: who has a mailbox here is not told. */
    pop3_say(session, POP3_NAME_OK);
}

static void run_pass(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    memcpy(session->login.password, argument->text, argument->len);
    session->login.password[argument->len] = '\0';
    pop3_begin_login(session);
}

static void run_capa(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    char buffer[256];
    struct text text;

    (void)argument;
    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "+OK\r\nTOP\r\nUIDL\r\n");
    if (pop3_auth_offered())
        text_string(&text, "USER\r\nSASL PLAIN LOGIN\r\n");
    text_string(&text, "RESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
                       "EXPIRE NEVER\r\nUTF8 USER\r\n"
                       "IMPLEMENTATION Barepost\r\n.\r\n");
    ASSERT(!text.cut);
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

static void run_utf8(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    pop3_say(session, POP3_UTF8_ON);
}

static void run_quit(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    if (session->state == POP3_TRANSACTION)
        pop3_begin_update(session);
    else
        pop3_finish(session, POP3_BYE);
}

static void run_stat(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    const struct store_maildrop *drop = &session->maildrop.drop;
    char buffer[64];
    struct text text;

    (void)argument;
    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "+OK ");
    text_decimal(&text, drop->count - session->deleted);
    text_string(&text, " ");
    text_decimal(&text, drop->bytes - session->deleted_bytes);
    text_string(&text, "\r\n");
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

/* The message a number stands for; false, and the error said, when there is
 * none. */
static bool find_message(struct pop3_session *session,
                         const struct dialogue_line *number, uint32_t *index)
{
    const struct store_maildrop *drop = &session->maildrop.drop;
    uint64_t value;

    if (!text_number(number->text, number->len, &value)) {
        pop3_say(session, POP3_ARGUMENT);
        return false;
    }
    if (value == 0 || value > drop->count) {
        pop3_say(session, POP3_NO_MESSAGE);
        return false;
    }
    *index = (uint32_t)value - 1;
    if (pop3_is_marked(store_entry_at(drop, *index))) {
        pop3_say(session, POP3_IS_DELETED);
        return false;
    }
    return true;
}

static void list(struct pop3_session *session,
                 const struct dialogue_line *argument,
                 enum pop3_listing listing)
{
    char buffer[64];
    struct text text;
    uint32_t index;

    if (argument->len == 0) {
        pop3_send_listing(session, listing);
        return;
    }
    if (!find_message(session, argument, &index))
        return;
    text_init(&text, buffer, sizeof(buffer));
    text_string(&text, "+OK ");
    pop3_format_entry(&text, session, index, listing);
    dialogue_write(&session->dialogue, text.bytes, text.len);
}

static void run_list(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    list(session, argument, POP3_LIST_SIZES);
}

static void run_uidl(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    list(session, argument, POP3_LIST_UIDS);
}

static void run_retr(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    uint32_t index;

    if (find_message(session, argument, &index))
        pop3_send_message(session, index, POP3_ALL_LINES);
}

static void run_top(struct pop3_session *session,
                    const struct dialogue_line *argument)
{
    struct dialogue_line lines;
    struct dialogue_line number = dialogue_word(argument, &lines);
    uint64_t count;
    uint32_t index;

    if (!text_number(lines.text, lines.len, &count)) {
        pop3_say(session, POP3_ARGUMENT);
        return;
    }
    if (find_message(session, &number, &index))
        pop3_send_message(session, index, count);
}

static void run_dele(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    uint32_t index;

    if (!find_message(session, argument, &index))
        return;
    pop3_mark(session, store_entry_at(&session->maildrop.drop, index));
    pop3_say(session, POP3_DELETED);
}

static void run_noop(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    pop3_say(session, POP3_OK);
}

static void run_rset(struct pop3_session *session,
                     const struct dialogue_line *argument)
{
    (void)argument;
    pop3_unmark_all(session);
    pop3_say(session, POP3_OK);
}

/* States in which a command may come; the others read no commands. */
#define IN_GREETED     (1u << POP3_GREETED)
#define IN_NAMED       (1u << POP3_NAMED)
#define IN_TRANSACTION (1u << POP3_TRANSACTION)
#define IN_ANY         (IN_GREETED | IN_NAMED | IN_TRANSACTION)

enum argument_rule {
    ARGUMENT_NONE,
    ARGUMENT_MAY,
    ARGUMENT_MUST,
    ARGUMENT_RAW, /* must; all behind the first space, spaces too */
};

static const struct pop3_command {
    const char *verb;
    uint8_t states;   /* where it is allowed; else POP3_STATE */
    uint8_t argument; /* enum argument_rule */
    void (*run)(struct pop3_session *session,
                const struct dialogue_line *argument);
} commands[] = {
    {"USER", IN_GREETED | IN_NAMED, ARGUMENT_MUST, run_user},
    {"PASS", IN_NAMED, ARGUMENT_RAW, run_pass},
    {"AUTH", IN_GREETED | IN_NAMED, ARGUMENT_MAY, pop3_run_auth},
    {"UTF8", IN_GREETED | IN_NAMED, ARGUMENT_NONE, run_utf8},
    {"STAT", IN_TRANSACTION, ARGUMENT_NONE, run_stat},
    {"LIST", IN_TRANSACTION, ARGUMENT_MAY, run_list},
    {"UIDL", IN_TRANSACTION, ARGUMENT_MAY, run_uidl},
    {"RETR", IN_TRANSACTION, ARGUMENT_MUST, run_retr},
    {"TOP", IN_TRANSACTION, ARGUMENT_MUST, run_top},
    {"DELE", IN_TRANSACTION, ARGUMENT_MUST, run_dele},
    {"RSET", IN_TRANSACTION, ARGUMENT_NONE, run_rset},
    {"NOOP", IN_TRANSACTION, ARGUMENT_NONE, run_noop},
    {"CAPA", IN_ANY, ARGUMENT_NONE, run_capa},
    {"QUIT", IN_ANY, ARGUMENT_NONE, run_quit},
};

static const struct pop3_command *find_command(const struct dialogue_line *word)
{
    size_t i;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (text_equal(word->text, word->len, commands[i].verb))
            return &commands[i];
    return NULL;
}

/* What a password came in. */
void pop3_wipe_line(struct pop3_session *session)
{
    if (!dialogue_blocked(&session->dialogue))
        bytes_wipe(session->line, sizeof(session->line));
}

static void take_line(struct pop3_session *session,
                      const struct dialogue_line *line)
{
    struct dialogue_line argument;
    struct dialogue_line word = dialogue_word(line, &argument);
    const struct pop3_command *command = find_command(&word);

    if (line->len + 2 > POP3_COMMAND_BYTES &&
        (command == NULL || command->run != pop3_run_auth)) {
        pop3_say(session, POP3_LINE_TOO_LONG);
        return;
    }
    if (!dialogue_line_clean(line)) {
        pop3_say(session, POP3_CONTROL);
        return;
    }
    if (command == NULL) {
        pop3_say(session, POP3_UNKNOWN);
        return;
    }
    if (command->argument == ARGUMENT_RAW && line->len > word.len) {
        argument.text = line->text + word.len + 1;
        argument.len = line->len - word.len - 1;
    }
    if ((command->states >> session->state & 1) == 0)
        pop3_say(session, POP3_STATE);
    else if (command->argument == ARGUMENT_NONE && argument.len > 0)
        pop3_say(session, POP3_NO_ARGUMENT);
    else if (command->argument >= ARGUMENT_MUST && argument.len == 0)
        pop3_say(session, POP3_ARGUMENT);
    else
        command->run(session, &argument);
}

size_t pop3_take_command(struct pop3_session *session, const uint8_t *data,
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
    pop3_enter_state(session, session->state);
    if (result == DIALOGUE_TOO_LONG)
        pop3_say(session, POP3_LINE_TOO_LONG);
    else
        take_line(session, &line);
    if (session->state == POP3_LOGIN || session->state == POP3_SECRET)
        pop3_wipe_line(session);
    pop3_check_errors(session);
    return taken;
}
