/* Log: one fact per line, "module: event key=value".
 *
 * Lines go into a ring in memory, whose end the running screen, the log page
 * and the fault screen show, and with them the serial console. Safe to call
 * from MT, RT and ST; not from interrupt handlers. Do not log per segment or
 * per command at LOG_INFO. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines longer than this are cut. */
#define LOG_LINE_BYTES 160
/* How many lines the ring keeps. */
#define LOG_LINES 256

/* log_write - formats one line and keeps it.
 * level: lines above log_set_level() are dropped before they are formatted.
 * module: short lower-case name of the room, without colon.
 * format: printf, no newline at the end, no floating point. */
void log_write(enum log_level level, const char *module, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* log_set_level - the most verbose level that is kept; LOG_INFO at start. */
void log_set_level(enum log_level level);

/* log_line - the line that was logged `back` lines ago (0 is the newest).
 * Returns NULL when there is none. Valid until LOG_LINES further lines. */
const char *log_line(unsigned back);

/* log_count - lines kept since start, also those that left the ring. */
uint64_t log_count(void);

#define log_err(module, ...)   log_write(LOG_ERR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)

#endif
