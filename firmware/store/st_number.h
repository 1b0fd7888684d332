/* Settings that are numbers. */
#ifndef STORE_ST_NUMBER_H
#define STORE_ST_NUMBER_H

#include <stdint.h>

/* st_setting_number - a setting as a decimal number; `otherwise` where there is
 * none, or it is no number; moved into least..most. */
int64_t st_setting_number(const char *key, int64_t otherwise, int64_t least,
                          int64_t most);

#endif
