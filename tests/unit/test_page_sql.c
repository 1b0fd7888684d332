/* The page of the SQL prompt, as keys drive it: what is typed while a query
 * runs. The query itself is made here; it answers nothing and ends when the
 * test says so. */
#include "core/machine.h"
#include "menu/edit.h"
#include "menu/menu.h"
#include "menu/page.h"
#include "store/st_sql.h"
#include "tests/unit/blank_screen.h"
#include "tests/unit/check.h"
#include <stdio.h>
#include <string.h>

#define CTRL_D "\x04"

static struct {
    bool open, running;
    unsigned runs, left;
    char text[200];
} state;

/* ---- What lies around the page ------------------------------------------- */

bool sql_text_complete(const char *text, size_t len)
{
    return memchr(text, ';', len) != NULL;
}

void sql_session_init(struct sql_session *session)
{
    (void)session;
}

enum err st_sql_open(struct st_sql *sql)
{
    sql->query = (struct st_query *)(void *)&state;
    state.open = true;
    return OK;
}

bool st_sql_put(struct st_sql *sql, const char *text, size_t len)
{
    (void)sql;
    (void)snprintf(state.text, sizeof(state.text), "%.*s", (int)len, text);
    return true;
}

void st_sql_run(struct st_sql *sql)
{
    (void)sql;
    CHECK(state.open && !state.running);
    state.running = true;
    state.runs++;
}

size_t st_sql_read(struct st_sql *sql, void *buffer, size_t bytes)
{
    (void)sql;
    (void)buffer;
    (void)bytes;
    return 0;
}

bool st_sql_done(const struct st_sql *sql)
{
    (void)sql;
    return !state.running;
}

void st_sql_stop(struct st_sql *sql)
{
    (void)sql;
    state.running = false;
}

void st_sql_close(struct st_sql *sql)
{
    sql->query = NULL;
    state.open = state.running = false;
}

const struct menu_actions *menu_actions(void)
{
    return NULL;
}

void menu_leave(void)
{
    state.left++;
}

void menu_redraw(void)
{
}

/* ---- Tests --------------------------------------------------------------- */

static void type(const char *keys)
{
    for (; *keys != '\0'; keys++)
        CHECK(page_sql.key(*keys));
}

/* A query runs, and more is typed: the next one, and then the way out. */
static void test_ahead(void)
{
    page_sql.enter();
    type("SELECT 1;\r");
    CHECK(state.runs == 1 && state.running);
    type("SELECT 2;\r" CTRL_D);
    page_sql.draw();
    CHECK(state.runs == 1);
    state.running = false;
    page_sql.draw();
    CHECK(state.runs == 2 && strcmp(state.text, "SELECT 2;\n") == 0);
    CHECK(state.left == 0);
    state.running = false;
    page_sql.draw();
    CHECK(state.runs == 2 && state.left == 1 && !state.open);
    /* Nothing of it is left for the next visit. */
    page_sql.enter();
    page_sql.draw();
    page_sql.draw();
    CHECK(state.runs == 2 && state.left == 1);
}

int main(void)
{
    test_ahead();
    return check_report();
}
