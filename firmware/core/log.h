/* Log: one fact per line, "module: event key=value".
 *
 * Two kinds of lines:
 * - log_info(), log_warn(), log_err(): what the one at the console should see.
 *   They go into a ring in memory, whose end the running screen and the fault
 *   screen show.
 * - log_mail(), log_fact(): the life of each message, and what else belongs
 *   into the books rather than on the screen.
 * Both go to the sinks: the store's log (store/st_log.h) and, where it is set,
 * a syslog server.
 *
 * Safe to call from MT, RT and ST; not from interrupt handlers. Do not log per
 * segment or per command at LOG_INFO.
 *
 * Values that may hold spaces or come from outside go through log_value(). Keys
 * that the views know: user= (one local user), local= (local users, commas
 * between), from=, to= (addresses), id= (transaction), client= (address). */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines of the ring that are longer than this are cut, with "..." behind. */
#define LOG_LINE_BYTES 160
/* How many lines the ring keeps. */
#define LOG_LINES 256
/* The text of any line, with NUL; longer ones are cut, with "..." behind. */
#define LOG_TEXT_BYTES 640

/* log_write - formats one line, keeps it in the ring and gives it to the sinks.
 * level: lines above log_set_level() are dropped before they are formatted.
 * module: short lower-case name of the room, without colon.
 * format: printf, no newline at the end, no floating point. */
void log_write(enum log_level level, const char *module, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* log_mail - one fact in the life of a message, for the sinks only.
 * mail_id: the message's id in the store (st_inbound_id() while it comes in);
 * 0 for a fact about no message. */
void log_mail(int64_t mail_id, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* log_mail_text - the same for a line that is put together already; what is
 * longer than LOG_TEXT_BYTES is cut. */
void log_mail_text(int64_t mail_id, const char *module, const char *text,
                   size_t len);

#define log_fact(module, ...) log_mail(0, module, __VA_ARGS__)

/* log_value - `len` bytes of text as a value: as they are, or, when there are
 * spaces, quotes or none at all, in quotes with \" and \\ inside. What does not
 * fit is left out. Returns buffer. */
const char *log_value(char *buffer, size_t bytes, const char *text, size_t len);

/* log_set_level - the most verbose level that is kept; LOG_INFO at start. */
void log_set_level(enum log_level level);

/* log_line - the line that was logged `back` lines ago (0 is the newest), with
 * the local time of day and the module in front.
 * Returns NULL when there is none. Valid until LOG_LINES further lines. */
const char *log_line(unsigned back);

/* log_count - lines kept since start, also those that left the ring. */
uint64_t log_count(void);

/* ---- Sinks --------------------------------------------------------------- */

/* One line on its way to the sinks; valid during the call. */
struct log_entry {
    int64_t time_ms; /* Unix time */
    int64_t mail_id; /* 0: about no message */
    enum log_level level;
    const char *module; /* a constant */
    const char *text;   /* UTF-8 without control characters, NUL-terminated */
    size_t len;
};

struct log_sink {
    struct log_sink *next;
    void (*take)(const struct log_entry *entry); /* must not log itself */
};

/* log_add_sink - it gets the lines that are in the ring, and from now on every
 * line that is kept. Adding it again does nothing. */
void log_add_sink(struct log_sink *sink);

#define log_err(module, ...)   log_write(LOG_ERR, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)

#endif
