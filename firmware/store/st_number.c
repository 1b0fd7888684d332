/* Settings that are numbers: see st_number.h. */
#include "store/st_number.h"
#include "store/st.h"

#define DIGITS_MAX 18

int64_t st_setting_number(const char *key, int64_t otherwise, int64_t least,
                          int64_t most)
{
    const char *text = st_setting(key);
    int64_t number = 0;
    unsigned digits = 0;

    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (digits == DIGITS_MAX)
            return most;
        number = number * 10 + (text[digits] - '0');
    }
    if (digits == 0 || text[digits] != '\0')
        number = otherwise;
    if (number < least)
        return least;
    return number > most ? most : number;
}
