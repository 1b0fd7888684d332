/* Memory dump: bytes at an address that is typed, row by row. What is not
 * memory (nothing is mapped there, or registers, which reading would change) is
 * shown as such. */
#include "core/machine.h"
#include "menu/page.h"
#include "menu/screen.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KEY_BACKSPACE 8
#define KEY_ENTER     13
#define KEY_ESCAPE    27
#define DIGITS        16
#define ROW_BYTES     16u
#define DUMP_ROW      (PAGE_FIRST_ROW + 2)
#define DUMP_ROWS     (PAGE_LAST_ROW - DUMP_ROW)

static struct {
    uint64_t address; /* of the first row */
    char typed[DIGITS + 1];
    bool typing;
} state;

static void enter(void)
{
    if (state.address == 0)
        state.address = (uint64_t)(uintptr_t)&state & ~(uint64_t)15;
    state.typing = false;
}

static void draw_row(unsigned row, uint64_t address)
{
    uint8_t bytes[ROW_BYTES];
    char hex[ROW_BYTES * 3], text[ROW_BYTES + 1];
    unsigned used = 0;

    screen_format(row, 2, SCREEN_BRIGHT, "%016llx",
                  (unsigned long long)address);
    if (!machine_memory_read(address, bytes, ROW_BYTES)) {
        screen_text(row, 20, SCREEN_DIM, "not memory");
        return;
    }
    for (unsigned i = 0; i < ROW_BYTES; i++) {
        used += (unsigned)snprintf(hex + used, sizeof(hex) - used, "%02x%s",
                                   bytes[i], i % 2 != 0 ? " " : "");
        text[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
    }
    text[ROW_BYTES] = '\0';
    screen_format(row, 20, SCREEN_NORMAL, "%s %s", hex, text);
}

static void draw(void)
{
    screen_text(PAGE_FIRST_ROW, 2, SCREEN_BRIGHT, "Address");
    screen_format(PAGE_FIRST_ROW, 12,
                  state.typing ? SCREEN_SELECTED : SCREEN_FIELD, "%-16s",
                  state.typing ? state.typed : "");
    if (state.typing)
        screen_cursor(PAGE_FIRST_ROW, 12 + (unsigned)strlen(state.typed));
    else
        screen_text(PAGE_FIRST_ROW, 30, SCREEN_DIM,
                    "type it in hexadecimal, then Enter");
    for (unsigned i = 0; i < DUMP_ROWS; i++)
        draw_row(DUMP_ROW + i, state.address + (uint64_t)i * ROW_BYTES);
    screen_format(PAGE_LAST_ROW, 2, SCREEN_DIM,
                  "Virtual addresses. The data of this page: %llx",
                  (unsigned long long)(uintptr_t)&state);
}

static int digit_of(int key)
{
    if (key >= '0' && key <= '9')
        return key - '0';
    if (key >= 'a' && key <= 'f')
        return key - 'a' + 10;
    return key >= 'A' && key <= 'F' ? key - 'A' + 10 : -1;
}

static void go(void)
{
    uint64_t address = 0;

    for (const char *c = state.typed; *c != '\0'; c++)
        address = address << 4 | (uint64_t)digit_of(*c);
    state.typing = false;
    if (state.typed[0] != '\0')
        state.address = address & ~(uint64_t)(ROW_BYTES - 1);
}

static bool type(int key)
{
    size_t len = state.typing ? strlen(state.typed) : 0;

    if (key == KEY_BACKSPACE && state.typing) {
        if (len > 0)
            state.typed[len - 1] = '\0';
        return true;
    }
    if (digit_of(key) < 0)
        return false;
    state.typing = true;
    if (len < DIGITS) {
        state.typed[len] = (char)key;
        state.typed[len + 1] = '\0';
    }
    return true;
}

static bool key(int key)
{
    const uint64_t page = (uint64_t)DUMP_ROWS * ROW_BYTES;

    if (type(key))
        return true;
    if (state.typing && (key == KEY_ESCAPE || key == KEY_ENTER)) {
        if (key == KEY_ENTER)
            go();
        state.typing = false;
    } else if (key == KEY_UP) {
        state.address -= ROW_BYTES;
    } else if (key == KEY_DOWN) {
        state.address += ROW_BYTES;
    } else if (key == KEY_PAGE_UP) {
        state.address -= page;
    } else if (key == KEY_PAGE_DOWN) {
        state.address += page;
    } else {
        return false;
    }
    return true;
}

const struct page page_dump = {
    .title = "Memory",
    .help = "hexadecimal, Enter  go there    Up Down Page-Up Page-Down  scroll"
            "    Esc  back",
    .live = true,
    .enter = enter,
    .draw = draw,
    .key = key,
};
