/* The pages of the log, as keys drive them: answers that come when another of
 * them is shown. Readings are answered when the test says so. */
#include "core/log.h"
#include "menu/page.h"
#include "menu/wrap.h"
#include "store/st_log.h"
#include "tests/unit/blank_screen.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <string.h>

static struct {
    struct st_log_read *asked; /* NULL: nothing is */
    unsigned times;
    char top[100]; /* the text that is drawn first */
} state;

/* ---- What lies around the pages ------------------------------------------ */

void st_log_read(struct st_log_read *read)
{
    CHECK(state.asked == NULL);
    state.asked = read;
    state.times++;
}

enum st_state st_state(void)
{
    return ST_READY;
}

void menu_note(const char *text)
{
    (void)text;
}

unsigned wrap_rows(const char *text)
{
    if (state.top[0] == '\0')
        (void)snprintf(state.top, sizeof(state.top), "%s", text);
    return 1;
}

void wrap_draw(unsigned row, uint8_t attribute, const char *text)
{
    (void)row;
    (void)attribute;
    (void)text;
}

/* ---- Driving ------------------------------------------------------------- */

static void answer(const char *text)
{
    struct st_log_read *read = state.asked;

    CHECK(read != NULL);
    if (read == NULL)
        return;
    state.asked = NULL;
    memset(read->lines, 0, sizeof(*read->lines));
    read->lines[0].log_id = 1;
    (void)snprintf(read->lines[0].text, sizeof(read->lines[0].text), "%s",
                   text);
    read->count = 1;
    read->request.result = OK;
    read->request.done(&read->request);
}

static bool shows(const struct page *page, const char *text)
{
    state.top[0] = '\0';
    page->draw();
    return strstr(state.top, text) != NULL;
}

static void type(const struct page *page, const char *keys)
{
    for (; *keys != '\0'; keys++)
        (void)page->key(*keys);
}

/* A message is looked for, and the page left before it is found. */
static void test_left(void)
{
    page_trace.enter();
    type(&page_trace, "42\r");
    CHECK(state.times == 1 && state.asked->mail_id == 42);
    page_log.enter();
    answer("a line of the message");
    CHECK(!shows(&page_log, "of the message"));
    CHECK(state.times == 2 && state.asked->mail_id == 0 &&
          state.asked->backward);
    answer("the newest line");
    CHECK(shows(&page_log, "the newest line"));
    /* The other way round. */
    page_log.enter();
    page_trace.enter();
    answer("the newest line");
    CHECK(!shows(&page_trace, "newest") && state.asked == NULL);
    type(&page_trace, "7\r");
    CHECK(state.asked->mail_id == 7);
    answer("a line of the message");
    CHECK(shows(&page_trace, "of the message"));
}

int main(void)
{
    test_left();
    return check_report();
}
