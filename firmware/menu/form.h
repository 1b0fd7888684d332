/* A form: some settings of the store, edited line by line and saved together.
 */
#ifndef MENU_FORM_H
#define MENU_FORM_H

#include <stdbool.h>

#define FORM_VALUE_BYTES 256
#define FORM_FIELDS      8

/* One setting. */
struct form_field {
    const char *key; /* of the setting */
    const char *label;
    const char *hint; /* what may be put in */
    bool (*valid)(const char *value);
};

/* form_enter - starts editing: takes the present values. */
void form_enter(const struct form_field *fields, unsigned count);

void form_draw(void);

/* form_key - edits; Enter on the last field saves all that changed. Returns
 * false for keys that a form does not know (Esc). */
bool form_key(int key);

#endif
