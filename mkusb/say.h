/* What mkusb tells its user: errors, progress, questions; all on stderr.
 * Results (--list, --inspect) go to stdout. */
#ifndef MKUSB_SAY_H
#define MKUSB_SAY_H

#include "core/err.h"
#include <stdbool.h>
#include <stdint.h>

/* say_refused - prints "mkusb: " and the sentence. Returns ERR_REFUSED, so
 * that a function can end with it: everything that fails is explained where it
 * fails, and its callers only pass the error on. */
enum err say_refused(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* say_line - a line that is always shown (warnings, the closing line). */
void say_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* say_step - begins a step, e.g. "Formatting"; shown on a terminal only.
 * say_count - how far the step is; percent when `total` is in bytes.
 * say_step_end - closes the line of the last step. */
void say_step(const char *text);
void say_count(uint64_t done, uint64_t total);
void say_percent(uint64_t done, uint64_t total);
void say_step_end(void);

/* say_confirm - asks the question and reads a line from stdin.
 * Returns whether it was "yes". */
bool say_confirm(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* say_size - "512 bytes", "64.0 MiB", "3.7 GiB" into text. */
#define SAY_SIZE_BYTES 32
const char *say_size(uint64_t bytes, char text[SAY_SIZE_BYTES]);

#endif
