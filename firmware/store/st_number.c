/* Settings that are numbers or switches: see st_number.h. */
#include "store/st_number.h"
#include "store/st.h"
#include <strings.h>

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

bool st_setting_switch(const char *key, bool otherwise)
{
    static const struct {
        const char *word;
        bool on;
    } words[] = {{"yes", true}, {"on", true},   {"1", true},
                 {"no", false}, {"off", false}, {"0", false}};
    const char *value = st_setting(key);

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i].word) == 0)
            return words[i].on;
    }
    return otherwise;
}
