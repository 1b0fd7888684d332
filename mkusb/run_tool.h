/* Other programs that mkusb uses: mtools and syslinux. */
#ifndef MKUSB_RUN_TOOL_H
#define MKUSB_RUN_TOOL_H

#include "core/err.h"
#include <stddef.h>

/* run_tool - runs a program without a shell and waits for it.
 * argv: as for execvp, argv[0] is the program's name; /usr/sbin and /sbin are
 * searched too. input: what it reads from stdin (NULL: nothing).
 * output: takes stdout, NUL-terminated, cut at output_bytes (NULL: dropped).
 * Returns OK, or ERR_REFUSED after having said what went wrong, with what the
 * program printed, or which Debian package holds it. */
enum err run_tool(const char *const argv[], const char *input, char *output,
                  size_t output_bytes) MUST_CHECK;

/* run_tool_quiet - the same, but a failing program is no error to be said.
 * Returns OK or ERR_NOT_FOUND. */
enum err run_tool_quiet(const char *const argv[]) MUST_CHECK;

/* run_tool_present - OK when a program can be started, else ERR_REFUSED after
 * having said which package holds it. */
enum err run_tool_present(const char *name) MUST_CHECK;

#endif
