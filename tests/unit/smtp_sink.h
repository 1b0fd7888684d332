/* A mail server for tests of those who send: takes mail by SMTP as its rules
 * say, keeps what it got. It knows no transport: bytes are put in, answers come
 * out by callbacks. Strict: what a client may not do is noted as a fault. */
#ifndef TESTS_UNIT_SMTP_SINK_H
#define TESTS_UNIT_SMTP_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is answered instead of the usual. The first rule that fits counts.
 * command: how the line begins; also "CONNECT", and "BODY" for the answer to a
 * message. reply: lines with CRLF; or "!close", "!reset", "!silent"; a reply
 * may end in "!close". times: how often, 0 for ever. */
struct sink_rule {
    const char *command;
    const char *reply;
    unsigned times;
};

#define SINK_RULES    24
#define SINK_MESSAGES 512

struct sink_message {
    char sender[400];
    char *recipients; /* each with a space behind it */
    char *body;
    size_t len;
};

struct sink {
    struct sink_rule rules[SINK_RULES];
    unsigned rule_count;
    const char *offers; /* of EHLO, one a line; NULL: EHLO is not known */
    struct sink_message messages[SINK_MESSAGES];
    unsigned message_count;
    unsigned connections, commands, resets;
    char log[16384]; /* commands of all connections, a line each */
    const char *fault;
};

/* One connection to it. */
struct sink_talk {
    struct sink *sink;
    void (*send)(void *context, const void *bytes, size_t len);
    void (*end)(void *context, bool reset);
    void *context;
    char *in;
    size_t in_len, in_room;
    bool over, data, mail;
    size_t chunk_left;
    bool chunk_last;
    char sender[400];
    char *recipients;
    unsigned accepted;
    char *body;
    size_t body_len;
};

static inline void sink_rule(struct sink *sink, const char *command,
                             const char *reply, unsigned times)
{
    if (sink->rule_count == SINK_RULES)
        abort();
    sink->rules[sink->rule_count++] = (struct sink_rule){command, reply, times};
}

static inline void sink_clear(struct sink *sink)
{
    for (unsigned i = 0; i < sink->message_count; i++) {
        free(sink->messages[i].recipients);
        free(sink->messages[i].body);
    }
    memset(sink, 0, sizeof(*sink));
    sink->offers = "PIPELINING\n8BITMIME\nSIZE 1000000";
}

static inline void sink_fault(struct sink *sink, const char *what)
{
    if (sink->fault == NULL)
        sink->fault = what;
}

static inline void sink_end(struct sink_talk *talk, bool reset)
{
    if (!talk->over)
        talk->end(talk->context, reset);
    talk->over = true;
}

/* Sends a reply of a rule. Returns false when the connection is over. */
static inline void sink_reply(struct sink_talk *talk, const char *reply)
{
    const char *mark = strchr(reply, '!');
    size_t len = mark != NULL ? (size_t)(mark - reply) : strlen(reply);

    if (len > 0)
        talk->send(talk->context, reply, len);
    if (mark != NULL && strcmp(mark, "!silent") != 0)
        sink_end(talk, strcmp(mark, "!reset") == 0);
}

static inline struct sink_rule *sink_find(struct sink *sink, const char *line)
{
    for (unsigned i = 0; i < sink->rule_count; i++) {
        struct sink_rule *rule = &sink->rules[i];

        if (strncasecmp(line, rule->command, strlen(rule->command)) != 0 ||
            rule->times == UINT32_MAX)
            continue;
        if (rule->times > 0 && --rule->times == 0)
            rule->times = UINT32_MAX;
        return rule;
    }
    return NULL;
}

static inline void sink_reset(struct sink_talk *talk)
{
    free(talk->recipients);
    free(talk->body);
    talk->recipients = NULL;
    talk->body = NULL;
    talk->body_len = 0;
    talk->accepted = 0;
    talk->mail = false;
    talk->data = false;
}

/* Appends to a text of this length; its room is the next power of two. */
static inline void sink_add(char **text, size_t len, const void *bytes,
                            size_t count)
{
    size_t room = 64;

    while (room < len + 1)
        room *= 2;
    if (*text == NULL || len + count + 1 > room) {
        while (room < len + count + 1)
            room *= 2;
        *text = realloc(*text, room);
    }
    memcpy(*text + len, bytes, count);
    (*text)[len + count] = '\0';
}

/* A whole message came. */
static inline void sink_take(struct sink_talk *talk)
{
    struct sink *sink = talk->sink;
    struct sink_rule *rule = sink_find(sink, "BODY");
    struct sink_message *message = &sink->messages[sink->message_count];

    if (rule != NULL && rule->reply[0] != '2') {
        sink_reply(talk, rule->reply);
    } else if (talk->accepted == 0) {
        sink_reply(talk, "554 5.5.1 no valid recipients\r\n");
    } else {
        if (sink->message_count == SINK_MESSAGES)
            abort();
        sink->message_count++;
        strcpy(message->sender, talk->sender);
        message->recipients = talk->recipients;
        message->body = talk->body != NULL ? talk->body : calloc(1, 1);
        message->len = talk->body_len;
        talk->recipients = talk->body = NULL;
        sink_reply(talk, rule ? rule->reply : "250 2.0.0 taken\r\n");
    }
    sink_reset(talk);
}

static inline void sink_ehlo(struct sink_talk *talk)
{
    const char *at = talk->sink->offers;
    char line[200];

    if (at == NULL) {
        sink_reply(talk, "502 5.5.1 not known\r\n");
        return;
    }
    sink_reply(talk, "250-sink.example greets you\r\n");
    for (;;) {
        size_t len = strcspn(at, "\n");

        snprintf(line, sizeof(line), "250%c%.*s\r\n", at[len] ? '-' : ' ',
                 (int)len, at);
        sink_reply(talk, line);
        if (at[len] == '\0')
            return;
        at += len + 1;
    }
}

static inline void sink_path(const char *line, char *path, size_t bytes)
{
    const char *from = strchr(line, '<');
    const char *to = strchr(line, '>');

    path[0] = '\0';
    if (from != NULL && to != NULL && (size_t)(to - from) < bytes)
        snprintf(path, bytes, "%.*s", (int)(to - from - 1), from + 1);
}

static inline void sink_rcpt(struct sink_talk *talk, const char *line,
                             const char *reply)
{
    char path[400];
    size_t len = talk->recipients ? strlen(talk->recipients) : 0;

    if (!talk->mail) {
        sink_reply(talk, "503 5.5.1 MAIL first\r\n");
        return;
    }
    sink_path(line, path, sizeof(path) - 2);
    if (reply == NULL || reply[0] == '2') {
        strcat(path, " ");
        sink_add(&talk->recipients, len, path, strlen(path));
        talk->accepted++;
    }
    sink_reply(talk, reply ? reply : "250 2.1.5 ok\r\n");
}

static inline void sink_bdat(struct sink_talk *talk, const char *line)
{
    unsigned long size;
    char last[8] = "";

    if (sscanf(line, "BDAT %lu %7s", &size, last) < 1)
        sink_fault(talk->sink, "a BDAT that is none");
    if (talk->accepted == 0)
        sink_fault(talk->sink, "BDAT for nobody");
    talk->chunk_left = size;
    talk->chunk_last = strcasecmp(last, "LAST") == 0;
    if (size == 0 && talk->chunk_last)
        sink_take(talk);
}

static inline void sink_command(struct sink_talk *talk, const char *line)
{
    struct sink *sink = talk->sink;
    struct sink_rule *rule = sink_find(sink, line);
    const char *reply = rule ? rule->reply : NULL;
    size_t used = strlen(sink->log);

    sink->commands++;
    if (used + strlen(line) + 2 < sizeof(sink->log))
        sprintf(sink->log + used, "%s\n", line);
    if (strncasecmp(line, "MAIL ", 5) == 0) {
        if (talk->mail)
            sink_fault(sink, "MAIL within a transaction");
        talk->mail = reply == NULL || reply[0] == '2';
        sink_path(line, talk->sender, sizeof(talk->sender));
        sink_reply(talk, reply ? reply : "250 2.1.0 ok\r\n");
    } else if (strncasecmp(line, "RCPT ", 5) == 0) {
        sink_rcpt(talk, line, reply);
    } else if (reply != NULL) {
        sink_reply(talk, reply);
        talk->data = strcmp(line, "DATA") == 0 && reply[0] == '3';
    } else if (strncasecmp(line, "EHLO ", 5) == 0) {
        sink_ehlo(talk);
    } else if (strncasecmp(line, "HELO ", 5) == 0) {
        sink_reply(talk, "250 sink.example\r\n");
    } else if (strcmp(line, "DATA") == 0) {
        talk->data = talk->accepted > 0;
        sink_reply(talk, talk->data ? "354 go on\r\n"
                                    : "503 5.5.1 no recipients\r\n");
    } else if (strncmp(line, "BDAT ", 5) == 0) {
        sink_bdat(talk, line);
    } else if (strcmp(line, "RSET") == 0) {
        sink->resets++;
        sink_reset(talk);
        sink_reply(talk, "250 2.0.0 ok\r\n");
    } else if (strcmp(line, "QUIT") == 0) {
        sink_reply(talk, "221 2.0.0 bye\r\n!close");
    } else {
        sink_fault(sink, "a command that is not known");
        sink_reply(talk, "500 5.5.2 what?\r\n");
    }
}

/* One line of DATA, with its CRLF. */
static inline void sink_data(struct sink_talk *talk, const char *line,
                             size_t len)
{
    if (len == 3 && memcmp(line, ".\r\n", 3) == 0) {
        sink_take(talk);
        return;
    }
    if (memchr(line, '\r', len) != line + len - 2)
        sink_fault(talk->sink, "a bare CR in DATA");
    if (line[0] == '.') {
        line++;
        len--;
    }
    sink_add(&talk->body, talk->body_len, line, len);
    talk->body_len += len;
}

static inline size_t sink_chunk(struct sink_talk *talk, size_t left)
{
    size_t part = left < talk->chunk_left ? left : talk->chunk_left;

    sink_add(&talk->body, talk->body_len, talk->in, part);
    talk->body_len += part;
    talk->chunk_left -= part;
    if (talk->chunk_left == 0 && talk->chunk_last)
        sink_take(talk);
    else if (talk->chunk_left == 0)
        sink_reply(talk, "250 2.0.0 more\r\n");
    return part;
}

/* Works off one line or part of a chunk. Returns how many bytes that were. */
static inline size_t sink_step(struct sink_talk *talk)
{
    const char *lf = memchr(talk->in, '\n', talk->in_len);
    size_t len = lf != NULL ? (size_t)(lf - talk->in) + 1 : 0;
    char *line;

    if (talk->chunk_left > 0)
        return sink_chunk(talk, talk->in_len);
    if (len == 0)
        return 0;
    if (len < 2 || talk->in[len - 2] != '\r') {
        sink_fault(talk->sink, "a bare LF");
        return len;
    }
    if (talk->data) {
        sink_data(talk, talk->in, len);
        return len;
    }
    line = strndup(talk->in, len - 2);
    sink_command(talk, line);
    free(line);
    return len;
}

static inline void sink_input(struct sink_talk *talk, const void *bytes,
                              size_t len)
{
    size_t used;

    sink_add(&talk->in, talk->in_len, bytes, len);
    talk->in_len += len;
    while (!talk->over && talk->in_len > 0 && (used = sink_step(talk)) > 0) {
        memmove(talk->in, talk->in + used, talk->in_len - used);
        talk->in_len -= used;
    }
}

static inline void sink_open(struct sink_talk *talk, struct sink *sink)
{
    struct sink_rule *rule = sink_find(sink, "CONNECT");

    talk->sink = sink;
    sink->connections++;
    sink_reply(talk, rule ? rule->reply : "220 sink.example ESMTP\r\n");
}

static inline void sink_close(struct sink_talk *talk)
{
    sink_reset(talk);
    free(talk->in);
    talk->in = NULL;
    talk->in_len = 0;
    talk->over = true;
}

#endif
