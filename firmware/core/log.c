/* Lines are formatted once, made harmless, and handed on: to the ring, whose
 * slots are overwritten in turn, and to each sink. */
#include "core/log.h"
#include "core/bytes.h"
#include "core/date.h"
#include "core/machine.h"
#include "core/zone.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct line {
    int64_t time_ms;
    const char *module;
    enum log_level level;
    size_t text_at; /* behind time, module and level */
    char text[LOG_LINE_BYTES];
};

static struct {
    struct line lines[LOG_LINES];
    uint64_t count;
    struct log_sink *sinks;
    bool busy;  /* a sink is at work */
    size_t len; /* of text */
    char text[LOG_TEXT_BYTES];
} state;

/* Alone: what is zero at the start takes no room in the program. */
static enum log_level shown_level = LOG_INFO;

/* How many bytes the character at `at` has, 0 when it is none that may be
 * printed: a control character, or no UTF-8 (RFC 3629 section 4). */
static size_t printable(const unsigned char *at)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    unsigned value = at[0] & (0xffu >> (len + 1));

    if (len == 1)
        return at[0] >= ' ' && at[0] != 0x7f;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3fu);
    }
    /* C1 controls, overlong forms, surrogates, beyond Unicode. */
    if (value < 0xa0 || (len == 3 && value < 0x800) ||
        (len == 4 && value < 0x10000) || value > 0x10ffff ||
        (value >= 0xd800 && value < 0xe000))
        return 0;
    return len;
}

#define ONES UINT64_C(0x0101010101010101)

/* Whether all eight are printable ASCII, as nearly all is: none has the highest
 * bit, none gets it by taking a space away or adding one. */
static bool is_plain(const unsigned char *eight)
{
    uint64_t word = get_le64(eight);

    return ((word | (word - ONES * ' ') | (word + ONES)) & ONES << 7) == 0;
}

/* What peers sent must not drive a terminal, nor spoil a text column. */
static void make_printable(char *text, size_t len)
{
    unsigned char *at = (unsigned char *)text, *end = at + len;

    while (at < end) {
        size_t bytes;

        if (end - at >= 8 && is_plain(at)) {
            at += 8;
            continue;
        }
        bytes = printable(at);
        if (bytes == 0)
            *at = '?';
        at += bytes == 0 ? 1 : bytes;
    }
}

static void mark_cut(char *text, size_t bytes)
{
    memcpy(text + bytes - 4, "...", 4);
}

__attribute__((format(printf, 1, 0))) static void
format_text(const char *format, va_list arguments)
{
    int len = vsnprintf(state.text, sizeof(state.text), format, arguments);

    state.len = len < 0 ? 0 : (size_t)len;
    if (state.len >= sizeof(state.text)) {
        mark_cut(state.text, sizeof(state.text));
        state.len = sizeof(state.text) - 1;
    }
    state.text[state.len] = '\0';
    make_printable(state.text, state.len);
}

static void give_to_sinks(enum log_level level, int64_t mail_id,
                          const char *module, int64_t time_ms)
{
    struct log_entry entry = {
        .time_ms = time_ms,
        .mail_id = mail_id,
        .level = level,
        .module = module,
        .text = state.text,
        .len = state.len,
    };

    state.busy = true;
    for (struct log_sink *sink = state.sinks; sink != NULL; sink = sink->next)
        sink->take(&entry);
    state.busy = false;
}

static void keep_line(enum log_level level, const char *module, int64_t time_ms)
{
    static const char *const names[] = {
        [LOG_ERR] = "error ",
        [LOG_WARN] = "warning ",
        [LOG_INFO] = "",
        [LOG_DEBUG] = "",
    };
    struct line *line = &state.lines[state.count % LOG_LINES];
    int used = snprintf(line->text, LOG_LINE_BYTES, "00:00:00 %s: %s", module,
                        names[level]);

    if (used < 0 || used >= LOG_LINE_BYTES)
        return;
    if (snprintf(line->text + used, (size_t)(LOG_LINE_BYTES - used), "%s",
                 state.text) >= LOG_LINE_BYTES - used)
        mark_cut(line->text, LOG_LINE_BYTES);
    line->time_ms = time_ms;
    line->module = module;
    line->level = level;
    line->text_at = (size_t)used;
    state.count++;
}

void log_write(enum log_level level, const char *module, const char *format,
               ...)
{
    va_list arguments;
    int64_t now;

    if (level > shown_level || state.busy)
        return;
    now = machine_wall_clock_ms();
    va_start(arguments, format);
    format_text(format, arguments);
    va_end(arguments);
    keep_line(level, module, now);
    give_to_sinks(level, 0, module, now);
}

void log_mail(int64_t mail_id, const char *module, const char *format, ...)
{
    va_list arguments;

    if (state.sinks == NULL || state.busy)
        return;
    va_start(arguments, format);
    format_text(format, arguments);
    va_end(arguments);
    give_to_sinks(LOG_INFO, mail_id, module, machine_wall_clock_ms());
}

void log_mail_text(int64_t mail_id, const char *module, const char *text,
                   size_t len)
{
    bool cut = len >= sizeof(state.text);

    if (state.sinks == NULL || state.busy)
        return;
    if (cut)
        len = sizeof(state.text) - 1;
    memcpy(state.text, text, len);
    state.text[len] = '\0';
    state.len = len;
    if (cut)
        mark_cut(state.text, sizeof(state.text));
    make_printable(state.text, len);
    give_to_sinks(LOG_INFO, mail_id, module, machine_wall_clock_ms());
}

const char *log_value(char *buffer, size_t bytes, const char *text, size_t len)
{
    bool plain = len > 0;
    size_t used = 0;

    for (size_t i = 0; i < len; i++)
        plain = plain && text[i] != ' ' && text[i] != '"' && text[i] != '\\';
    if (plain) {
        if (len >= bytes)
            len = bytes - 1;
        memcpy(buffer, text, len);
        buffer[len] = '\0';
        return buffer;
    }
    buffer[used++] = '"';
    for (size_t i = 0; i < len && used + 4 < bytes; i++) {
        if (text[i] == '"' || text[i] == '\\')
            buffer[used++] = '\\';
        buffer[used++] = text[i];
    }
    buffer[used++] = '"';
    buffer[used] = '\0';
    return buffer;
}

void log_set_level(enum log_level level)
{
    shown_level = level;
}

static void put_digits(char *text, int number)
{
    text[0] = (char)('0' + number / 10);
    text[1] = (char)('0' + number % 10);
}

const char *log_line(unsigned back)
{
    struct line *line;
    struct date date;

    if (back >= LOG_LINES || back >= state.count)
        return NULL;
    line = &state.lines[(state.count - 1 - back) % LOG_LINES];
    /* Only now: the time zone may have been set meanwhile. */
    date_of(zone_local_ms(line->time_ms), &date);
    put_digits(line->text, date.hour);
    put_digits(line->text + 3, date.minute);
    put_digits(line->text + 6, date.second);
    return line->text;
}

uint64_t log_count(void)
{
    return state.count;
}

/* What was logged before the sink was there, as far as the ring has it. */
static void replay(struct log_sink *sink)
{
    uint64_t kept = state.count < LOG_LINES ? state.count : LOG_LINES;

    state.busy = true;
    for (uint64_t i = state.count - kept; i < state.count; i++) {
        const struct line *line = &state.lines[i % LOG_LINES];
        struct log_entry entry = {
            .time_ms = line->time_ms,
            .level = line->level,
            .module = line->module,
            .text = line->text + line->text_at,
            .len = strlen(line->text + line->text_at),
        };

        sink->take(&entry);
    }
    state.busy = false;
}

void log_add_sink(struct log_sink *sink)
{
    for (struct log_sink *each = state.sinks; each != NULL; each = each->next)
        if (each == sink)
            return;
    sink->next = state.sinks;
    state.sinks = sink;
    replay(sink);
}
