/* Between load.c and load_program.c. */
#ifndef LOAD_LOAD_INTERNAL_H
#define LOAD_LOAD_INTERNAL_H

#include "load/load.h"
#include "net/tftp.h"

/* load_say - what load_text() shows. load_say_not_fetched - why. load_end - it
 * is over: that text goes into the log. */
void load_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void load_say_not_fetched(const struct tftp *tftp, enum err result);
void load_end(void);

/* load_program_begin - a program is being fetched, in the way of `tftp`, which
 * calls the two below. name: of the file, for sentences. buffer: memory for it,
 * until load_end(). load_program_install - see load_install(). */
void load_program_begin(struct tftp *tftp, const char *name, char *buffer,
                        size_t bytes);
enum err load_program_take(struct tftp *tftp, const uint8_t *data,
                           size_t len) MUST_CHECK;
void load_program_fetched(struct tftp *tftp, enum err result);
void load_program_install(bool back, char *buffer, size_t bytes);

#endif
