/* An SMTP client (RFC 5321, 2920): sends messages of the ledger, one command
 * at a time or pipelined, and writes down what was answered. */
#include "tests/sim/dialogue.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS (2 * SIM_SECOND)

static void expect(struct sim_sender *sender, enum sim_smtp step)
{
    if (sender->expected_in - sender->expected_out == 512)
        sim_fail("smtp: too many commands on their way");
    sender->expected[sender->expected_in++ % 512] = step;
}

__attribute__((format(printf, 3, 4))) static void
command(struct sim_sender *sender, enum sim_smtp step, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof(line) - 2, format, arguments);
    va_end(arguments);
    sim_note("smtp %p: > %s", (void *)sender->tcp, line);
    memcpy(line + len, "\r\n", 2);
    expect(sender, step);
    sim_tcp_write(sender->tcp, line, (size_t)len + 2);
}

static void end_session(struct sim_sender *sender)
{
    if (sender->quitting)
        return;
    sender->quitting = true;
    command(sender, SMTP_QUIT, "QUIT");
}

/* ---- A message --------------------------------------------------------- */

/* Text with a dot before each dot at the start of a line (RFC 5321 4.5.2). */
static void send_stuffed(struct sim_sender *sender, const char *text,
                         size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] != '\n' || text[i + 1] != '.')
            continue;
        sim_tcp_write(sender->tcp, text + from, i + 1 - from);
        sim_tcp_write(sender->tcp, ".", 1);
        from = i + 1;
    }
    sim_tcp_write(sender->tcp, text + from, len - from);
}

static void send_body(struct sim_sender *sender)
{
    size_t len;
    char *text = sim_message_text(sender->message, &len);
    struct sim_message *message = sim_ledger_message(sender->message);

    message->users = sender->rcpts;
    if (sender->rude) {
        len = (size_t)sim_random_below(&sender->random, len);
        send_stuffed(sender, text, len);
        free(text);
        sim_note("smtp %p: goes away", (void *)sender->tcp);
        sim_tcp_abort(sender->tcp);
        sim_event_start(&sender->start, sender->pause_ns);
        return;
    }
    send_stuffed(sender, text, len);
    free(text);
    message->answer = SIM_UNKNOWN;
    sim_tcp_write(sender->tcp, ".\r\n", 3);
    sim_note("smtp %p: > message %u, %zu bytes", (void *)sender->tcp,
             sender->message, len);
    expect(sender, SMTP_END);
    if (sender->left == 0 && sim_random_chance(&sender->random, 300000))
        end_session(sender); /* pipelined behind the data */
}

static void send_rcpt(struct sim_sender *sender, unsigned user)
{
    sender->rcpt_user = user;
    command(sender, SMTP_RCPT, "RCPT TO:<user%u@%s>", user, SIM_DOMAIN);
}

/* The next recipient after `user`, or SIM_USERS. */
static unsigned next_rcpt(const struct sim_sender *sender, unsigned user)
{
    do
        user++;
    while (user < SIM_USERS && (sender->rcpts_asked & 1u << user) == 0);
    return user;
}

static void choose_recipients(struct sim_sender *sender)
{
    struct sim_random *random = &sender->random;

    do
        sender->rcpts_asked =
            (uint32_t)sim_random_below(random, 1u << SIM_USERS);
    while (sender->rcpts_asked == 0);
    if (sim_random_chance(random, 500000))
        sender->rcpts_asked &= 0u - sender->rcpts_asked; /* one only */
}

static void send_mail(struct sim_sender *sender)
{
    if (sim_random_chance(&sender->random, 300000))
        command(sender, SMTP_MAIL,
                "MAIL FROM:<sender@elsewhere.example> SIZE=%u",
                sim_ledger_message(sender->message)->size);
    else
        command(sender, SMTP_MAIL, "MAIL FROM:<sender@elsewhere.example>");
}

static void next_transaction(struct sim_sender *sender)
{
    struct sim_random *random = &sender->random;
    uint32_t most = sender->small;

    if (sender->left == 0 || sender->accepted >= sender->wanted) {
        end_session(sender);
        return;
    }
    sender->refused = false;
    sender->pipelined = false;
    if (sim_random_chance(random, 50000)) {
        command(sender, SMTP_RSET, "%s",
                sim_random_chance(random, 500000) ? "NOOP" : "RSET");
        return;
    }
    sender->left--;
    if (sender->big_one_in > 0 &&
        sim_random_below(random, sender->big_one_in) == 0)
        most = sender->big;
    sender->message =
        sim_ledger_new((uint32_t)sim_random_range(random, 10, most));
    sender->rcpts = 0;
    sender->pipelined = sim_random_chance(random, 500000);
    choose_recipients(sender);
    send_mail(sender);
    if (!sender->pipelined)
        return;
    for (unsigned user = next_rcpt(sender, UINT32_MAX); user < SIM_USERS;
         user = next_rcpt(sender, user))
        send_rcpt(sender, user);
    command(sender, SMTP_DATA, "DATA");
}

/* ---- Answers ----------------------------------------------------------- */

static void refused(struct sim_sender *sender, enum sim_smtp step)
{
    if (!sender->patient || sender->code[step] >= 500)
        sim_fail("smtp: unexpected answer at step %d: %s", (int)step,
                 sender->text[step]);
    sender->refused = true;
    if (sender->code[step] == 421) {
        sim_tcp_close(sender->tcp);
        return;
    }
    if (!sender->pipelined || step == SMTP_DATA || step == SMTP_END ||
        step <= SMTP_EHLO)
        end_session(sender);
}

static void after_mail(struct sim_sender *sender, bool good)
{
    if (!good) {
        refused(sender, SMTP_MAIL);
        return;
    }
    if (!sender->pipelined)
        send_rcpt(sender, next_rcpt(sender, UINT32_MAX));
    else
        sender->rcpt_user = next_rcpt(sender, UINT32_MAX);
}

static void after_rcpt(struct sim_sender *sender, bool good)
{
    unsigned next = next_rcpt(sender, sender->rcpt_user);

    if (good)
        sender->rcpts |= 1u << sender->rcpt_user;
    else if (!sender->refused)
        refused(sender, SMTP_RCPT);
    if (sender->refused && !sender->pipelined)
        return;
    sender->rcpt_user = next;
    if (sender->pipelined)
        return;
    if (next < SIM_USERS)
        send_rcpt(sender, next);
    else
        command(sender, SMTP_DATA, "DATA");
}

static void after_data(struct sim_sender *sender, bool good)
{
    if (good && sender->rcpts != 0) {
        send_body(sender);
    } else if (good) {
        sim_fail("smtp: DATA is answered 354 without a recipient");
    } else if (sender->refused) {
        end_session(sender);
    } else {
        refused(sender, SMTP_DATA);
    }
}

static void after_end(struct sim_sender *sender, bool good)
{
    struct sim_message *message = sim_ledger_message(sender->message);

    if (!good) {
        refused(sender, SMTP_END);
        return;
    }
    message->answer = SIM_ACCEPTED;
    message->boot = sim_shared->boot;
    message->answered_ns = sim_now();
    sim_shared->accepted++;
    sender->accepted++;
    next_transaction(sender);
}

static void answered(struct sim_sender *sender, enum sim_smtp step, int code)
{
    bool good = code / 100 == (step == SMTP_DATA ? 3 : 2);

    if (code == 421 && step != SMTP_QUIT && !sender->refused) {
        refused(sender, step);
        return;
    }
    switch (step) {
    case SMTP_GREETING:
        if (good)
            command(sender, SMTP_EHLO, "EHLO client.elsewhere.example");
        else
            refused(sender, step);
        break;
    case SMTP_EHLO:
    case SMTP_RSET:
        if (good)
            next_transaction(sender);
        else
            refused(sender, step);
        break;
    case SMTP_MAIL:
        after_mail(sender, good);
        break;
    case SMTP_RCPT:
        after_rcpt(sender, good);
        break;
    case SMTP_DATA:
        after_data(sender, good);
        break;
    case SMTP_END:
        after_end(sender, good);
        break;
    case SMTP_QUIT:
        sim_tcp_close(sender->tcp);
        break;
    case SMTP_STEPS:
        break;
    }
}

static void take_line(void *context, const char *line, size_t len)
{
    struct sim_sender *sender = context;
    enum sim_smtp step;
    int code = len >= 3 ? atoi(line) : 0;

    sim_note("smtp %p: < %s", (void *)sender->tcp, line);
    if (code < 200 || code > 599 ||
        (len > 3 && line[3] != ' ' && line[3] != '-'))
        sim_fail("smtp: not an answer: %s", line);
    if (len > 3 && line[3] == '-')
        return;
    if (sender->expected_in == sender->expected_out) {
        if (code == 421) { /* at any time, RFC 5321 3.8 */
            sim_tcp_close(sender->tcp);
            return;
        }
        sim_fail("smtp: an answer to nothing: %s", line);
    }
    sender->codes[code]++;
    step = sender->expected[sender->expected_out++ % 512];
    sender->code[step] = code;
    snprintf(sender->text[step], sizeof(sender->text[step]), "%.127s", line);
    answered(sender, step, code);
}

/* ---- Connection -------------------------------------------------------- */

static void opened(struct sim_tcp *tcp)
{
    (void)tcp;
}

static void received(struct sim_tcp *tcp, const uint8_t *data, size_t len)
{
    struct sim_sender *sender = tcp->context;

    sim_lines_take(&sender->lines, data, len, take_line, sender);
}

static void ended(struct sim_tcp *tcp)
{
    sim_tcp_close(tcp);
}

static void closed(struct sim_tcp *tcp, enum sim_tcp_end end)
{
    struct sim_sender *sender = tcp->context;
    bool in_order =
        end == SIM_TCP_CLOSED && sender->expected_in == sender->expected_out;

    if (!in_order && !sender->patient)
        sim_fail("smtp: the connection ended early (%d)", (int)end);
    sim_note("smtp %p: closed (%d)", (void *)tcp, (int)end);
    if (sender->accepted >= sender->wanted) {
        sender->finished = true;
        if (sender->done != NULL)
            sender->done(sender);
        return;
    }
    sim_event_start(&sender->start, in_order && !sender->refused
                                        ? sim_random_below(&sender->random,
                                                           sender->pause_ns + 1)
                                        : RETRY_NS);
}

static const struct sim_tcp_handler handler = {
    .opened = opened,
    .received = received,
    .ended = ended,
    .closed = closed,
};

static void start_session(struct sim_event *event)
{
    struct sim_sender *sender = SIM_ELEMENT(event, struct sim_sender, start);

    sender->sessions++;
    sender->expected_in = 0;
    sender->expected_out = 0;
    sender->refused = false;
    sender->quitting = false;
    sender->pipelined = false;
    sender->rude = sim_random_chance(&sender->random, sender->rude_ppm);
    sender->left = (unsigned)sim_random_range(&sender->random, 1, 4);
    memset(&sender->lines, 0, sizeof(sender->lines));
    sender->tcp = sim_tcp_open(sender->peer, 25, &handler, sender);
    expect(sender, SMTP_GREETING);
}

void sim_sender_start(struct sim_sender *sender, unsigned index,
                      uint64_t delay_ns)
{
    sim_random_init(&sender->random, sim_options.seed, "sender",
                    sim_shared->boot * 1000ull + index);
    sim_event_init(&sender->start, start_session);
    sim_event_start(&sender->start, delay_ns);
}
