/* The settings that mkusb writes into the store, and their syntax. */
#ifndef MKUSB_SETTINGS_H
#define MKUSB_SETTINGS_H

#include "core/err.h"
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_MAX         64
#define SETTINGS_KEY_BYTES   64
#define SETTINGS_VALUE_BYTES 1024

struct setting {
    char key[SETTINGS_KEY_BYTES];
    char value[SETTINGS_VALUE_BYTES];
};

struct settings {
    struct setting list[SETTINGS_MAX];
    unsigned count;
};

/* settings_put - sets a key; settings_append adds a further word to it.
 * Returns OK, or ERR_REFUSED after having said what is wrong (syntax of key or
 * value, too long, too many). */
enum err settings_put(struct settings *settings, const char *key,
                      const char *value) MUST_CHECK;
enum err settings_append(struct settings *settings, const char *key,
                         const char *word) MUST_CHECK;

/* settings_get - NULL when the key is not set. */
const char *settings_get(const struct settings *settings, const char *key);

/* settings_size - bytes of a value like 500K or 25M that was checked. */
uint64_t settings_size(const char *value);

/* settings_complete - fills in hostname, domains and address where they were
 * not given, and checks what belongs together (gateway within the network). */
enum err settings_complete(struct settings *settings) MUST_CHECK;

#endif
