/* Messages, progress and questions on stderr.
 *
 * On a terminal a step is one line that is written over and over; elsewhere
 * steps are silent, so that logs hold only errors, warnings and the closing
 * line. */
#include "mkusb/say.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    char step[80];
    bool open;      /* a step's line is not closed yet */
    unsigned shown; /* figure on screen */
} state;

enum err say_refused(const char *format, ...)
{
    va_list list;

    say_step_end();
    fputs("mkusb: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    return ERR_REFUSED;
}

void say_line(const char *format, ...)
{
    va_list list;

    say_step_end();
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

static bool on_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

void say_step(const char *text)
{
    say_step_end();
    snprintf(state.step, sizeof(state.step), "%s", text);
    state.shown = UINT32_MAX;
    if (!on_terminal())
        return;
    state.open = true;
    fprintf(stderr, "%s ...", state.step);
    fflush(stderr);
}

void say_count(uint64_t done, uint64_t total)
{
    if (!state.open)
        return;
    fprintf(stderr, "\r%s ... %" PRIu64 "/%" PRIu64, state.step, done, total);
    fflush(stderr);
}

void say_percent(uint64_t done, uint64_t total)
{
    unsigned percent = total == 0 ? 100 : (unsigned)(done * 100 / total);

    if (!state.open || percent == state.shown)
        return;
    state.shown = percent;
    fprintf(stderr, "\r%s ... %u %%", state.step, percent);
    fflush(stderr);
}

void say_step_end(void)
{
    if (state.open)
        fputc('\n', stderr);
    state.open = false;
}

bool say_confirm(const char *format, ...)
{
    char answer[16];
    va_list list;

    say_step_end();
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputs(" Type yes to go on: ", stderr);
    fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        fputc('\n', stderr);
        return false;
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcmp(answer, "yes") == 0;
}

const char *say_size(uint64_t bytes, char text[SAY_SIZE_BYTES])
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    uint64_t tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024;
    unsigned index = 0;

    if (bytes < 1024) {
        snprintf(text, SAY_SIZE_BYTES, "%" PRIu64 " bytes", bytes);
        return text;
    }
    while (tenths >= 10240 && index < 3) {
        tenths /= 1024;
        index++;
    }
    snprintf(text, SAY_SIZE_BYTES, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10,
             tenths % 10, unit[index]);
    return text;
}
