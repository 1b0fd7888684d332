/* Reading ahead: what is read in order from a file of the store is fetched from
 * the medium in few long reads instead of many short ones.
 *
 * A read that begins where another one ended, or a little behind it, belongs to
 * a stream: then AHEAD_BYTES are fetched at once into a slot, and what follows
 * is taken from there. A body's pages lie behind one another, and so do the
 * bodies of a mailbox that was filled quickly; tables that are gone through,
 * too. Other reads fetch what was asked for.
 *
 * A slot holds what is on the medium. Who writes there tells so, and a slot
 * that was being filled meanwhile is used for the pages asked for only: those
 * are in no writer's hands, their neighbours may be. */
#ifndef MAILSTORE_AHEAD_H
#define MAILSTORE_AHEAD_H

#include "core/err.h"
#include "mailstore/window.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ahead_module_init - memory for slots, which the medium may read into; all of
 * them are empty then. Returns how many bytes it uses. */
size_t ahead_module_init(void *memory, size_t bytes);

/* ahead_read - bytes of a window's file, whole sectors, as the medium has them.
 * buffer: one that the medium may read into. Returns OK or its error. */
enum err ahead_read(struct window *window, uint64_t offset, uint8_t *buffer,
                    size_t bytes) MUST_CHECK;

/* ahead_forget - these bytes of the file were written, or will be: to be called
 * before and after. */
void ahead_forget(const struct window *window, uint64_t offset, size_t bytes);

#endif
