/* The line of the SQL prompt under the keys of a shell. */
#include "check.h"
#include "core/machine.h"
#include "menu/edit.h"
#include <string.h>

static struct edit edit;

static void type(const char *keys)
{
    for (; *keys != '\0'; keys++)
        (void)edit_key(&edit, (unsigned char)*keys);
}

static bool is(const char *line, size_t at)
{
    return strcmp(edit.line, line) == 0 && edit.len == strlen(line) &&
           edit.at == at;
}

static void test_typing(void)
{
    memset(&edit, 0, sizeof edit);
    type("select 2");
    CHECK(is("select 2", 8));
    CHECK(edit_key(&edit, KEY_LEFT));
    type("1");
    CHECK(is("select 12", 8));
    CHECK(edit_key(&edit, KEY_HOME) && edit_key(&edit, KEY_DELETE));
    CHECK(is("elect 12", 0));
    CHECK(edit_key(&edit, 8) && is("elect 12", 0));
    CHECK(edit_key(&edit, KEY_END) && edit_key(&edit, 127));
    CHECK(is("elect 1", 7));
    CHECK(edit_key(&edit, KEY_RIGHT) && is("elect 1", 7));
    type("\x01\x06\x06\x0b"); /* begin, two right, cut to the end */
    CHECK(is("el", 2));
    type("f from t\x17"); /* the last word */
    CHECK(is("elf from ", 9));
    type("\x17\x17\x17\x17");
    CHECK(is("", 0));
    type("abc\x02\x15"); /* one left, cut to the begin */
    CHECK(is("c", 0));
    CHECK(!edit_key(&edit, KEY_F1) && !edit_key(&edit, 27));
    for (int i = 0; i < 2 * EDIT_BYTES; i++)
        (void)edit_key(&edit, 'x');
    CHECK(edit.len == EDIT_BYTES - 1 && strlen(edit.line) == edit.len);
}

static void test_history(void)
{
    char line[8];

    memset(&edit, 0, sizeof edit);
    CHECK(edit_key(&edit, KEY_UP) && is("", 0));
    edit_remember(&edit, "one");
    edit_remember(&edit, "two");
    edit_remember(&edit, "two"); /* is kept once */
    edit_remember(&edit, "");
    type("new");
    CHECK(edit_key(&edit, KEY_UP) && is("two", 3));
    CHECK(edit_key(&edit, KEY_UP) && is("one", 3));
    CHECK(edit_key(&edit, KEY_UP) && is("one", 3));
    CHECK(edit_key(&edit, KEY_DOWN) && is("two", 3));
    CHECK(edit_key(&edit, KEY_DOWN) && is("new", 3));
    CHECK(edit_key(&edit, KEY_DOWN) && is("new", 3));
    edit_clear(&edit);
    CHECK(is("", 0));
    for (int i = 0; i < 3 * EDIT_HISTORY; i++) {
        snprintf(line, sizeof line, "%d", i);
        edit_remember(&edit, line);
    }
    for (int i = 0; i < EDIT_HISTORY; i++)
        CHECK(edit_key(&edit, KEY_UP));
    snprintf(line, sizeof line, "%d", 2 * EDIT_HISTORY);
    CHECK(strcmp(edit.line, line) == 0);
}

int main(void)
{
    test_typing();
    test_history();
    return check_report();
}
