/* The ring of log lines. */
#include "core/log.h"
#include "core/machine.h"
#include <stdarg.h>
#include <stdio.h>

static struct {
    char lines[LOG_LINES][LOG_LINE_BYTES];
    uint64_t count;
    enum log_level level;
} state = {.level = LOG_INFO};

/* Control characters in what peers sent must not reach a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

void log_write(enum log_level level, const char *module, const char *format,
               ...)
{
    static const char *const names[] = {
        [LOG_ERR] = "error ",
        [LOG_WARN] = "warning ",
        [LOG_INFO] = "",
        [LOG_DEBUG] = "",
    };
    uint64_t ms;
    char *line;
    int used;
    va_list arguments;

    if (level > state.level)
        return;
    ms = machine_monotonic_ns() / 1000000;
    line = state.lines[state.count % LOG_LINES];
    used = snprintf(line, LOG_LINE_BYTES, "%5llu.%03llu %s: %s",
                    (unsigned long long)(ms / 1000),
                    (unsigned long long)(ms % 1000), module, names[level]);
    if (used > 0 && used < LOG_LINE_BYTES) {
        va_start(arguments, format);
        (void)vsnprintf(line + used, (size_t)(LOG_LINE_BYTES - used), format,
                        arguments);
        va_end(arguments);
    }
    make_printable(line);
    state.count++;
}

void log_set_level(enum log_level level)
{
    state.level = level;
}

const char *log_line(unsigned back)
{
    if (back >= LOG_LINES || back >= state.count)
        return NULL;
    return state.lines[(state.count - 1 - back) % LOG_LINES];
}

uint64_t log_count(void)
{
    return state.count;
}
