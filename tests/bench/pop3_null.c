/* A POP3 server that does nothing, to find what the client of the benchmarks
 * can do by itself: any login, 500 messages of 10 KiB, nothing is ever gone.
 * Takes one command per segment, as pop3_load sends them. Prints the port of
 * 127.0.0.1 where it listens and serves until its standard input ends. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSIONS 256
#define MESSAGES "500"
#define SIZE     10240

static const char ok[] = "+OK\r\n";
static const char stat_reply[] = "+OK " MESSAGES " 5120000\r\n";
static char message[sizeof(ok) - 1 + SIZE + 3];

static void make_message(void)
{
    memcpy(message, ok, sizeof(ok) - 1);
    memset(message + sizeof(ok) - 1, 'x', SIZE);
    for (size_t at = sizeof(ok) - 1 + 78; at < sizeof(message) - 5; at += 80)
        memcpy(message + at, "\r\n", 2);
    memcpy(message + sizeof(message) - 5, "\r\n.\r\n", 5);
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        listen(fd, SESSIONS) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return -1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void answer(struct pollfd *session)
{
    char command[512];
    ssize_t got = recv(session->fd, command, sizeof(command), 0);
    const char *reply = ok;
    size_t length = sizeof(ok) - 1;

    if (got >= 4 && memcmp(command, "RETR", 4) == 0) {
        reply = message;
        length = sizeof(message);
    } else if (got >= 4 && memcmp(command, "STAT", 4) == 0) {
        reply = stat_reply;
        length = sizeof(stat_reply) - 1;
    }
    if (got <= 0 || send(session->fd, reply, length, MSG_NOSIGNAL) < 0) {
        close(session->fd);
        session->fd = -1;
    }
}

static void greet(int listener, struct pollfd *sessions)
{
    int on = 1, fd = accept(listener, NULL, NULL);

    for (unsigned i = 0; i < SESSIONS; i++)
        if (sessions[i].fd < 0) {
            sessions[i] = (struct pollfd){fd, POLLIN, 0};
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            send(fd, ok, sizeof(ok) - 1, MSG_NOSIGNAL);
            return;
        }
    close(fd);
}

int main(void)
{
    static struct pollfd polled[2 + SESSIONS];

    make_message();
    for (unsigned i = 0; i < SESSIONS; i++)
        polled[2 + i].fd = -1;
    polled[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    polled[1] = (struct pollfd){listen_anywhere(), POLLIN, 0};
    while (polled[1].fd >= 0 && poll(polled, 2 + SESSIONS, -1) > 0) {
        if (polled[0].revents != 0)
            return 0;
        for (unsigned i = 2; i < 2 + SESSIONS; i++)
            if (polled[i].fd >= 0 && polled[i].revents != 0)
                answer(&polled[i]);
        if (polled[1].revents != 0)
            greet(polled[1].fd, polled + 2);
    }
    return 1;
}
