/* A POP3 client (RFC 1939, 2449): logs in, fetches every message and compares
 * it, deletes some, and checks the maildrop against the ledger. */
#include "tests/sim/dialogue.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS  (2 * SIM_SECOND)
#define AHEAD     4 /* RETR commands on their way, at most */
#define PAUSE_NS  (20 * SIM_SECOND)
#define MAX_DROPS 16384
/* Sessions that take their deletions back. */
#define RSET_PPM 150000

__attribute__((format(printf, 2, 3))) static void
command(struct sim_reader *reader, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof(line) - 2, format, arguments);
    va_end(arguments);
    sim_note("pop3 %p: > %s", (void *)reader->tcp, line);
    memcpy(line + len, "\r\n", 2);
    sim_tcp_write(reader->tcp, line, (size_t)len + 2);
}

/* ---- Going through a maildrop ------------------------------------------ */

static void quit(struct sim_reader *reader)
{
    reader->step = POP3_QUIT;
    for (size_t i = 0; i < reader->count; i++) {
        enum sim_deletion *deletion;

        if (!reader->entries[i].deleted)
            continue;
        deletion = &sim_ledger_message(reader->entries[i].message)
                        ->deletion[reader->user];
        if (*deletion == SIM_KEPT)
            *deletion = SIM_MAYBE_DELETED;
    }
    command(reader, "QUIT");
}

static void leave_rudely(struct sim_reader *reader)
{
    sim_note("pop3 %p: goes away", (void *)reader->tcp);
    sim_tcp_abort(reader->tcp);
    sim_event_stop(&reader->wake);
    sim_event_start(&reader->start, reader->pause_ns);
}

static void next_deletion(struct sim_reader *reader)
{
    reader->step = POP3_DELE;
    while (reader->at < reader->count) {
        size_t at = reader->at++;

        if (!sim_random_chance(&reader->random, reader->delete_ppm))
            continue;
        reader->entries[at].deleted = true;
        command(reader, "DELE %zu", at + 1);
        return;
    }
    if (reader->rude) {
        leave_rudely(reader);
    } else if (sim_random_chance(&reader->random, RSET_PPM)) {
        reader->step = POP3_RSET;
        command(reader, "RSET");
    } else {
        quit(reader);
    }
}

/* RSET takes all marks back. */
static void unmark_all(struct sim_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++)
        reader->entries[i].deleted = false;
}

/* STAT and LIST tell the same. */
static void check_stat(const struct sim_reader *reader)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < reader->count; i++)
        bytes += reader->entries[i].size;
    if (reader->stat_count != reader->count || reader->stat_bytes != bytes)
        sim_fail("pop3: STAT says %u messages, %llu bytes; LIST %zu, %llu",
                 reader->stat_count, (unsigned long long)reader->stat_bytes,
                 reader->count, (unsigned long long)bytes);
}

static void check_drop(struct sim_reader *reader)
{
    unsigned *seen = calloc(reader->count + 1, sizeof(*seen));

    if (seen == NULL)
        sim_fail("the simulation has no memory for a maildrop");
    for (size_t i = 0; i < reader->count; i++)
        seen[i] = reader->entries[i].message;
    sim_ledger_check_drop(reader->user, seen, reader->count, reader->login_ns);
    free(seen);
}

static void fetch_more(struct sim_reader *reader)
{
    if (reader->at == reader->count) {
        check_drop(reader);
        reader->at = 0;
        next_deletion(reader);
        return;
    }
    while (reader->ahead < reader->count &&
           reader->ahead < reader->at + (size_t)sim_random_range(
                                            &reader->random, 1, AHEAD)) {
        command(reader, "RETR %u", ++reader->ahead);
    }
}

static void wake(struct sim_event *event)
{
    sim_tcp_pause(SIM_ELEMENT(event, struct sim_reader, wake)->tcp, false);
}

static void message_complete(struct sim_reader *reader)
{
    struct sim_reader_entry *entry = &reader->entries[reader->at];
    struct sim_message *message;
    uint64_t *uid;

    reader->text[reader->text_len] = '\0';
    if (reader->text_len != entry->size)
        sim_fail("pop3: LIST says %u bytes, RETR brings %zu", entry->size,
                 reader->text_len);
    entry->message =
        sim_message_number(reader->user, reader->text, reader->text_len);
    message = sim_ledger_message(entry->message);
    uid = &message->uid[reader->user];
    if (*uid != 0 && *uid != entry->uid)
        sim_fail("pop3: the UIDL of message %u has changed", entry->message);
    *uid = entry->uid;
    reader->at++;
    if (sim_random_chance(&reader->random, reader->pause_ppm)) {
        sim_tcp_pause(reader->tcp, true);
        sim_event_start(&reader->wake,
                        sim_random_below(&reader->random, PAUSE_NS));
    }
    fetch_more(reader);
}

/* ---- Multi-line answers ------------------------------------------------ */

static void take_text(struct sim_reader *reader, const char *line, size_t len)
{
    if (reader->text_len + len + 3 > reader->text_room) {
        reader->text_room = (reader->text_len + len + 3) * 2;
        reader->text = realloc(reader->text, reader->text_room);
        if (reader->text == NULL)
            sim_fail("the simulation has no memory for a message");
    }
    memcpy(reader->text + reader->text_len, line, len);
    memcpy(reader->text + reader->text_len + len, "\r\n", 2);
    reader->text_len += len + 2;
}

static void take_listing(struct sim_reader *reader, const char *line)
{
    char *end;
    unsigned long number = strtoul(line, &end, 10);
    struct sim_reader_entry *entry;
    uint64_t hash = 0xcbf29ce484222325ull;

    if (number == 0 || number > MAX_DROPS || *end != ' ')
        sim_fail("pop3: in a listing: %s", line);
    if (reader->step == POP3_LIST) {
        if (number != reader->count + 1)
            sim_fail("pop3: LIST goes from %zu to %lu", reader->count, number);
        if (reader->count == reader->room) {
            reader->room = reader->room * 2 + 16;
            reader->entries = realloc(reader->entries,
                                      reader->room * sizeof(*reader->entries));
        }
        if (reader->entries == NULL)
            sim_fail("the simulation has no memory for a maildrop");
        entry = &reader->entries[reader->count++];
        memset(entry, 0, sizeof(*entry));
        entry->size = (uint32_t)strtoul(end, NULL, 10);
        return;
    }
    if (number != ++reader->at || number > reader->count)
        sim_fail("pop3: UIDL at %zu of %zu: %s", reader->at, reader->count,
                 line);
    for (const char *c = end + 1; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3ull;
    for (size_t i = 0; i + 1 < number; i++)
        if (reader->entries[i].uid == hash)
            sim_fail("pop3: the same UIDL twice: %s", line);
    reader->entries[number - 1].uid = hash;
}

static void text_ends(struct sim_reader *reader)
{
    reader->in_text = false;
    if (reader->step == POP3_LIST) {
        check_stat(reader);
        reader->step = POP3_UIDL;
        reader->at = 0;
        command(reader, "UIDL");
    } else if (reader->step == POP3_UIDL) {
        if (reader->at != reader->count)
            sim_fail("pop3: UIDL lists %zu, LIST %zu", reader->at,
                     reader->count);
        reader->step = POP3_RETR;
        reader->at = 0;
        reader->ahead = 0;
        fetch_more(reader);
    } else {
        message_complete(reader);
    }
}

/* ---- Answers ----------------------------------------------------------- */

static void deletions_hold(struct sim_reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        if (!reader->entries[i].deleted)
            continue;
        sim_ledger_message(reader->entries[i].message)->deletion[reader->user] =
            SIM_DELETED;
        sim_shared->deleted++;
    }
}

static void refused(struct sim_reader *reader)
{
    if (!reader->patient)
        sim_fail("pop3: unexpected answer at step %d: %s", (int)reader->step,
                 reader->answer[reader->step]);
    reader->login_refused = true;
    if (reader->step == POP3_QUIT || reader->step == POP3_GREETING)
        sim_tcp_close(reader->tcp);
    else if (reader->step <= POP3_PASS) {
        reader->step = POP3_QUIT;
        command(reader, "QUIT");
    } else {
        leave_rudely(reader);
    }
}

static void after_login_step(struct sim_reader *reader)
{
    switch (reader->step) {
    case POP3_GREETING:
        reader->step = POP3_USER;
        command(reader, "USER user%u", reader->user);
        break;
    case POP3_USER:
        reader->step = POP3_PASS;
        reader->login_ns = sim_now();
        command(reader, "PASS %s", SIM_PASSWORD);
        break;
    case POP3_PASS:
        reader->step = POP3_STAT;
        command(reader, "STAT");
        break;
    case POP3_STAT:
        if (sscanf(reader->answer[POP3_STAT], "+OK %u %lu", &reader->stat_count,
                   &reader->stat_bytes) != 2)
            sim_fail("pop3: %s", reader->answer[POP3_STAT]);
        reader->step = POP3_LIST;
        command(reader, "LIST");
        break;
    case POP3_LIST:
    case POP3_UIDL:
    case POP3_RETR:
    case POP3_DELE:
    case POP3_RSET:
    case POP3_QUIT:
    case POP3_STEPS:
        break;
    }
}

static void answered(struct sim_reader *reader, bool ok)
{
    if (!ok) {
        refused(reader);
        return;
    }
    switch (reader->step) {
    case POP3_LIST:
    case POP3_UIDL:
    case POP3_RETR:
        reader->in_text = true;
        reader->text_len = 0;
        break;
    case POP3_DELE:
        next_deletion(reader);
        break;
    case POP3_RSET:
        unmark_all(reader);
        quit(reader);
        break;
    case POP3_QUIT:
        if (!reader->login_refused) {
            deletions_hold(reader);
            reader->sessions_done++;
        }
        sim_tcp_close(reader->tcp);
        break;
    case POP3_GREETING:
    case POP3_USER:
    case POP3_PASS:
    case POP3_STAT:
    case POP3_STEPS:
        after_login_step(reader);
        break;
    }
}

static void take_line(void *context, const char *line, size_t len)
{
    struct sim_reader *reader = context;
    bool ok = strncmp(line, "+OK", 3) == 0;

    if (reader->in_text) {
        if (strcmp(line, ".") == 0) {
            text_ends(reader);
            return;
        }
        if (line[0] == '.') {
            line++;
            len--;
        }
        if (reader->step == POP3_RETR)
            take_text(reader, line, len);
        else
            take_listing(reader, line);
        return;
    }
    sim_note("pop3 %p: < %s", (void *)reader->tcp, line);
    if (!ok && strncmp(line, "-ERR", 4) != 0)
        sim_fail("pop3: not an answer: %s", line);
    reader->ok[reader->step] = ok;
    if (strncmp(line, "-ERR [SYS/TEMP]", 15) == 0)
        reader->temporary++;
    snprintf(reader->answer[reader->step], sizeof(reader->answer[0]), "%.127s",
             line);
    answered(reader, ok);
}

/* ---- Connection -------------------------------------------------------- */

static void received(struct sim_tcp *tcp, const uint8_t *data, size_t len)
{
    struct sim_reader *reader = tcp->context;

    if (tcp != reader->tcp || tcp->state == SIM_TCP_DONE)
        return;
    reader->octets += len;
    sim_lines_take(&reader->lines, data, len, take_line, reader);
}

static void ended(struct sim_tcp *tcp)
{
    sim_tcp_close(tcp);
}

static void closed(struct sim_tcp *tcp, enum sim_tcp_end end)
{
    struct sim_reader *reader = tcp->context;
    bool in_order = end == SIM_TCP_CLOSED && reader->step == POP3_QUIT;

    sim_event_stop(&reader->wake);
    if (!in_order && !reader->patient)
        sim_fail("pop3: the connection ended early (%d)", (int)end);
    sim_note("pop3 %p: closed (%d)", (void *)tcp, (int)end);
    if (reader->sessions_done >= reader->wanted) {
        reader->finished = true;
        if (reader->done != NULL)
            reader->done(reader);
        return;
    }
    sim_event_start(&reader->start, in_order && !reader->login_refused
                                        ? sim_random_below(&reader->random,
                                                           reader->pause_ns + 1)
                                        : RETRY_NS);
}

static const struct sim_tcp_handler handler = {
    .received = received,
    .ended = ended,
    .closed = closed,
};

static void start_session(struct sim_event *event)
{
    struct sim_reader *reader = SIM_ELEMENT(event, struct sim_reader, start);

    reader->sessions++;
    reader->step = POP3_GREETING;
    reader->in_text = false;
    reader->login_refused = false;
    reader->count = 0;
    reader->at = 0;
    reader->rude = sim_random_chance(&reader->random, reader->rude_ppm);
    memset(&reader->lines, 0, sizeof(reader->lines));
    reader->tcp = sim_tcp_open(reader->peer, 110, &handler, reader);
}

void sim_reader_start(struct sim_reader *reader, unsigned index,
                      uint64_t delay_ns)
{
    sim_random_init(&reader->random, sim_options.seed, "reader",
                    sim_shared->boot * 1000ull + index);
    sim_event_init(&reader->start, start_session);
    sim_event_init(&reader->wake, wake);
    sim_event_start(&reader->start, delay_ns);
}
