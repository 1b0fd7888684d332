/* The POP3 client of the benchmarks: many sessions in one process, cheap enough
 * that it is not what is measured. It prints one line of JSON.
 *
 *   pop3_load fetch ADDRESS PORT PASSWORD MOST USER...
 *       A session for each user: all log in, and only when all are in they
 *       begin: STAT, RETR of the first MOST messages, DELE of the same, QUIT.
 *       Each command waits for the answer to the one before.
 *       {"messages":N,"bytes":N,"login_s":S,"seconds":S}: from the connecting
 *       to the last login, and from there to the last session's end.
 *   pop3_load read ADDRESS PORT PASSWORD MOST USER...
 *       The same without DELE: the mail stays.
 *   pop3_load logins ADDRESS PORT PASSWORD SECONDS USER
 *       Connects, logs in and quits, again and again for so long, after one
 *       login that is not counted.
 *       {"logins":N,"seconds":S,"first_s":S}
 *
 * What goes wrong ends it with a sentence and status 1. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS     1024
#define PATIENCE_MS 120000
#define BLOCK       (256 * 1024)

/* What a session waits for. */
enum step {
    STEP_GREETING,
    STEP_USER,
    STEP_PASS,
    STEP_LOGGED_IN, /* for all others */
    STEP_STAT,
    STEP_RETR,
    STEP_DELE,
    STEP_QUIT,
    STEP_DONE
};

static const char *const step_names[] = {"greeting", "USER", "PASS", "",
                                         "STAT",     "RETR", "DELE", "QUIT"};

struct client {
    int fd;
    const char *user;
    enum step step;
    unsigned number, count; /* of the message; of those that are fetched */
    char line[256];         /* the reply's first line */
    size_t line_length;
    bool line_whole;
    char tail[5]; /* the last bytes of the reply */
    size_t tail_length;
};

static struct {
    struct sockaddr_in address;
    const char *password;
    unsigned most;
    bool keep; /* no DELE */
    uint64_t messages, bytes;
    char block[BLOCK];
} run;

__attribute__((noreturn, format(printf, 1, 2))) static void
fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("pop3_load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void start(struct client *client, const char *user)
{
    int on = 1;

    memset(client, 0, sizeof(*client));
    client->user = user;
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&run.address,
                                  sizeof(run.address)) != 0)
        fail("%s: no connection", user);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Sends the command of the step and waits for its reply from now on. */
static void enter(struct client *client, enum step step)
{
    char text[128];
    int length = 0;

    client->step = step;
    client->line_length = client->tail_length = 0;
    client->line_whole = false;
    if (step == STEP_USER)
        length = snprintf(text, sizeof(text), "USER %s\r\n", client->user);
    else if (step == STEP_PASS)
        length = snprintf(text, sizeof(text), "PASS %s\r\n", run.password);
    else if (step == STEP_RETR || step == STEP_DELE)
        length = snprintf(text, sizeof(text), "%s %u\r\n", step_names[step],
                          client->number);
    else if (step == STEP_STAT || step == STEP_QUIT)
        length = snprintf(text, sizeof(text), "%s\r\n", step_names[step]);
    if (length > 0 && send(client->fd, text, (size_t)length, 0) != length)
        fail("%s: cannot send %s", client->user, step_names[step]);
    if (step == STEP_DONE)
        close(client->fd);
}

/* The next message of the same command, or the next command. */
static void next_message(struct client *client, enum step behind)
{
    if (client->number < client->count) {
        client->number++;
        enter(client, client->step);
        return;
    }
    client->number = 1;
    enter(client, behind);
}

static void take_stat(struct client *client)
{
    client->count = (unsigned)strtoul(client->line + 3, NULL, 10);
    if (client->count > run.most)
        client->count = run.most;
    client->number = 1;
    enter(client, client->count > 0 ? STEP_RETR : STEP_QUIT);
}

static void replied(struct client *client)
{
    switch (client->step) {
    case STEP_GREETING:
        enter(client, STEP_USER);
        break;
    case STEP_USER:
        enter(client, STEP_PASS);
        break;
    case STEP_PASS:
        enter(client, STEP_LOGGED_IN);
        break;
    case STEP_STAT:
        take_stat(client);
        break;
    case STEP_RETR:
        run.messages++;
        next_message(client, run.keep ? STEP_QUIT : STEP_DELE);
        break;
    case STEP_DELE:
        next_message(client, STEP_QUIT);
        break;
    case STEP_QUIT:
        enter(client, STEP_DONE);
        break;
    case STEP_LOGGED_IN:
    case STEP_DONE:
        fail("%s: a reply that nobody asked for", client->user);
    }
}

/* Keeps the first line, which must be +OK, and the last bytes. */
static void take(struct client *client, const char *data, size_t length)
{
    for (size_t at = 0; at < length && !client->line_whole; at++) {
        if (client->line_length < sizeof(client->line) - 1)
            client->line[client->line_length++] = data[at];
        client->line_whole = data[at] == '\n';
    }
    client->line[client->line_length] = '\0';
    if (client->line_whole && strncmp(client->line, "+OK", 3) != 0)
        fail("%s: %s: %s", client->user, step_names[client->step],
             client->line);

    size_t fresh =
        length < sizeof(client->tail) ? length : sizeof(client->tail);
    size_t kept = client->tail_length + fresh <= sizeof(client->tail)
                      ? client->tail_length
                      : sizeof(client->tail) - fresh;

    memmove(client->tail, client->tail + client->tail_length - kept, kept);
    memcpy(client->tail + kept, data + length - fresh, fresh);
    client->tail_length = kept + fresh;
}

static bool reply_ended(const struct client *client)
{
    if (client->step != STEP_RETR)
        return client->line_whole;
    return client->line_whole && client->tail_length == sizeof(client->tail) &&
           memcmp(client->tail, "\r\n.\r\n", sizeof(client->tail)) == 0;
}

static void readable(struct client *client)
{
    ssize_t length = recv(client->fd, run.block, sizeof(run.block), 0);

    if (length <= 0)
        fail("%s: %s: the server hung up", client->user,
             step_names[client->step]);
    run.bytes += (uint64_t)length;
    take(client, run.block, (size_t)length);
    if (reply_ended(client))
        replied(client);
}

/* Serves the sessions until each has reached the step. */
static void serve(struct client *clients, unsigned count, enum step until)
{
    static struct pollfd polled[CLIENTS];

    for (;;) {
        nfds_t waiting = 0;

        for (unsigned i = 0; i < count; i++)
            if (clients[i].step < until)
                polled[waiting++] = (struct pollfd){clients[i].fd, POLLIN, 0};
        if (waiting == 0)
            return;
        if (poll(polled, waiting, PATIENCE_MS) <= 0)
            fail("no answer for %d s", PATIENCE_MS / 1000);
        for (unsigned i = 0, at = 0; i < count && at < waiting; i++)
            if (clients[i].fd == polled[at].fd && polled[at++].revents != 0)
                readable(&clients[i]);
    }
}

static void fetch(unsigned count, char **users)
{
    static struct client clients[CLIENTS];
    double begun = now();

    for (unsigned i = 0; i < count; i++)
        start(&clients[i], users[i]);
    serve(clients, count, STEP_LOGGED_IN);

    double logged_in = now();

    run.bytes = 0;
    for (unsigned i = 0; i < count; i++)
        enter(&clients[i], STEP_STAT);
    serve(clients, count, STEP_DONE);
    printf("{\"messages\":%llu,\"bytes\":%llu,\"login_s\":%.4f,"
           "\"seconds\":%.4f}\n",
           (unsigned long long)run.messages, (unsigned long long)run.bytes,
           logged_in - begun, now() - logged_in);
}

static void log_in_once(const char *user)
{
    static struct client client;

    start(&client, user);
    serve(&client, 1, STEP_LOGGED_IN);
    enter(&client, STEP_QUIT);
    serve(&client, 1, STEP_DONE);
}

static void logins(const char *user)
{
    double begun = now();

    log_in_once(user);

    double first = now() - begun;
    unsigned count = 0;

    begun = now();
    for (; now() - begun < run.most; count++)
        log_in_once(user);
    printf("{\"logins\":%u,\"seconds\":%.4f,\"first_s\":%.4f}\n", count,
           now() - begun, first);
}

int main(int argc, char **argv)
{
    if (argc < 7 || argc - 6 > CLIENTS ||
        inet_pton(AF_INET, argv[2], &run.address.sin_addr) != 1)
        fail("see the head of pop3_load.c for the arguments");
    run.address.sin_family = AF_INET;
    run.address.sin_port = htons((uint16_t)atoi(argv[3]));
    run.password = argv[4];
    run.most = (unsigned)atoi(argv[5]);
    run.keep = strcmp(argv[1], "read") == 0;
    if (run.keep || strcmp(argv[1], "fetch") == 0)
        fetch((unsigned)argc - 6, argv + 6);
    else
        logins(argv[6]);
    return 0;
}
