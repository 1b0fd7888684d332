/* Settings that are numbers or switches. */
#ifndef STORE_ST_NUMBER_H
#define STORE_ST_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* st_setting_number - a setting as a decimal number; `otherwise` where there is
 * none, or it is no number; moved into least..most. */
int64_t st_setting_number(const char *key, int64_t otherwise, int64_t least,
                          int64_t most);

/* st_setting_switch - a setting that is yes, on or 1, resp. no, off or 0, in
 * any case of letters; `otherwise` where there is none, or it is neither. */
bool st_setting_switch(const char *key, bool otherwise);

#endif
