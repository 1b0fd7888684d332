/* The ledger, and what the messages look like: see dialogue.h.
 *
 * A message is made again from the run's seed and its number whenever it is
 * compared; only its number travels in it. */
#include "tests/sim/dialogue.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 16384

static struct {
    struct sim_message *messages; /* shared */
    unsigned *count;              /* shared */
    /* Of this process, for sim_ledger_check_whole(). */
    uint8_t *present; /* [message]: bit mask of users */
} state;

void sim_ledger_start(void)
{
    if (state.messages == NULL) {
        state.messages = sim_shared_take(MESSAGES * sizeof(*state.messages));
        state.count = sim_shared_take(sizeof(*state.count));
        state.present = calloc(MESSAGES, 1);
    }
    memset(state.messages, 0, *state.count * sizeof(*state.messages));
    *state.count = 0;
}

unsigned sim_ledger_new(uint32_t size)
{
    if (*state.count == MESSAGES)
        sim_fail("the ledger is full");
    state.messages[*state.count].size = size;
    return (*state.count)++;
}

struct sim_message *sim_ledger_message(unsigned number)
{
    if (number >= *state.count)
        sim_fail("there is no message %u", number);
    return &state.messages[number];
}

unsigned sim_ledger_count(void)
{
    return *state.count;
}

/* ---- Messages ---------------------------------------------------------- */

/* One line of body with its CRLF: often short, sometimes of the longest kind
 * that RFC 5321 4.5.3.1.6 allows, sometimes with dots in front. */
static size_t make_line(struct sim_random *random, char *line)
{
    static const char *const starts[] = {".",     "..",  ". ",  ".QUIT",
                                         "From ", "+OK", "250 "};
    size_t len = (size_t)sim_random_below(random, 78);
    size_t at = 0;

    if (sim_random_chance(random, 20000))
        len = (size_t)sim_random_range(random, 900, 990);
    if (sim_random_chance(random, 150000))
        at = (size_t)sprintf(line, "%s", starts[sim_random_below(random, 7)]);
    if (sim_random_chance(random, 80000))
        len = at;
    while (at < len) {
        uint8_t byte = (uint8_t)sim_random_range(random, 32, 255);

        line[at++] = (char)(byte == 127 ? '.' : byte);
    }
    memcpy(line + at, "\r\n", 2);
    return at + 2;
}

char *sim_message_text(unsigned number, size_t *len)
{
    uint32_t size = sim_ledger_message(number)->size;
    char *text = malloc(size + 4096);
    struct sim_random random;
    int at;

    if (text == NULL)
        sim_fail("the simulation has no memory for a message");
    sim_random_init(&random, sim_options.seed, "message", number);
    at = sprintf(text,
                 "From: Sender <sender@elsewhere.example>\r\n"
                 "To: someone@" SIM_DOMAIN "\r\n"
                 "Subject: Message %u\r\n"
                 "X-Sim: %u\r\n"
                 "Message-ID: <%u.%llu@elsewhere.example>\r\n"
                 "\r\n",
                 number, number, number, (unsigned long long)sim_options.seed);
    *len = (size_t)at;
    while (*len < size)
        *len += make_line(&random, text + *len);
    return text;
}

/* The first byte behind the trace header lines that the AO has put before. */
static const char *behind_trace(const char *text, const char *end)
{
    unsigned return_paths = 0, received = 0;
    const char *at = text;

    for (;;) {
        if (end - at > 12 && strncmp(at, "Return-Path:", 12) == 0)
            return_paths++;
        else if (end - at > 9 && strncmp(at, "Received:", 9) == 0)
            received++;
        else
            break;
        do {
            at = memchr(at, '\n', (size_t)(end - at));
            if (at == NULL)
                return NULL;
            at++;
        } while (at < end && (*at == ' ' || *at == '\t'));
    }
    return return_paths == 1 && received == 1 ? at : NULL;
}

unsigned sim_message_number(unsigned user, const char *text, size_t len)
{
    const char *end = text + len;
    const char *body = behind_trace(text, end);
    const char *mark = strstr(text, "\r\nX-Sim: ");
    unsigned number;
    size_t expected_len, same = 0;
    char *expected;

    if (body == NULL)
        sim_fail("pop3: trace header lines are not as they should be: %.200s",
                 text);
    if (mark == NULL)
        sim_fail("pop3: a message that nobody has sent: %.200s", text);
    number = (unsigned)strtoul(mark + 9, NULL, 10);
    expected = sim_message_text(number, &expected_len);
    while (same < expected_len && body + same < end &&
           body[same] == expected[same])
        same++;
    if (same != expected_len || body + same != end)
        sim_fail("pop3: message %u of %zu bytes has %zu, and differs from "
                 "byte %zu on",
                 number, expected_len, (size_t)(end - body), same);
    free(expected);
    if ((sim_ledger_message(number)->users & 1u << user) == 0)
        sim_fail("pop3: message %u was not sent to user %u", number, user);
    if (sim_ledger_message(number)->answer == SIM_UNSENT)
        sim_fail("pop3: message %u is here, though its end was never sent",
                 number);
    sim_shared->fetched++;
    return number;
}

/* ---- Checks ------------------------------------------------------------ */

static void check_one(unsigned user, unsigned number, unsigned times,
                      uint64_t login_ns)
{
    const struct sim_message *message = &state.messages[number];
    enum sim_deletion deletion = message->deletion[user];
    bool due =
        message->answer == SIM_ACCEPTED && (message->users & 1u << user) != 0 &&
        (message->boot < sim_shared->boot || message->answered_ns < login_ns);

    if (times > 1)
        sim_fail("message %u is %u times in the maildrop of user %u", number,
                 times, user);
    if (times == 1 && deletion == SIM_DELETED)
        sim_fail("message %u is back, after QUIT was answered to user %u",
                 number, user);
    if (times == 0 && due && deletion == SIM_KEPT)
        sim_fail("message %u was answered 250 in boot %u at %.6f s, and is "
                 "missing in the maildrop of user %u",
                 number, message->boot, (double)message->answered_ns / 1e9,
                 user);
}

void sim_ledger_check_drop(unsigned user, const unsigned *seen, size_t count,
                           uint64_t login_ns)
{
    uint8_t times[MESSAGES] = {0};

    for (size_t i = 0; i < count; i++) {
        if (times[seen[i]] < 255)
            times[seen[i]]++;
        state.present[seen[i]] |= (uint8_t)(1u << user);
    }
    for (unsigned i = 0; i < *state.count; i++)
        check_one(user, i, times[i], login_ns);
}

void sim_ledger_check_whole(void)
{
    for (unsigned i = 0; i < *state.count; i++) {
        const struct sim_message *message = &state.messages[i];
        uint8_t open = 0; /* users who may have deleted it */

        for (unsigned user = 0; user < SIM_USERS; user++)
            if (message->deletion[user] != SIM_KEPT)
                open |= (uint8_t)(1u << user);
        if (message->answer == SIM_UNKNOWN && state.present[i] != 0 &&
            ((state.present[i] | open) & message->users) != message->users)
            sim_fail("message %u of users %x is there for users %x only", i,
                     message->users, state.present[i]);
    }
}
