/* Where a report goes to: see report.h.
 *
 * The memory that outlives a restart lies in the middle of the largest free
 * range, which neither firmware nor boot loader reaches. Loaded again, the AO
 * looks for it by its first bytes. Firmware that clears memory takes the report
 * with it: then it has only been on screen.
 *
 *   magic, bytes, sum, text with a line feed behind each line */
#include "boot/report.h"
#include "boot/boot.h"
#include "core/machine.h"
#include "drivers/console/console.h"

#define MAGIC      0x54524f5045525042ull /* "BPREPORT" */
#define KEPT_BYTES (2 * MEMORY_PAGE_BYTES)
#define LINE_BYTES 176u
/* The place is a multiple of this: so that it can be looked for. */
#define STEP (1u << 20)

struct kept {
    uint64_t magic;
    uint32_t bytes, sum;
    char text[KEPT_BYTES - 16];
};

static struct report_state {
    struct kept *kept; /* NULL: there is no such memory */
    bool had;          /* its text is of the AO before this one */
    char line[LINE_BYTES];
    unsigned used;
    unsigned rows; /* of the screen, that are used up */
} state;

static uint32_t sum_of(const char *text, uint32_t bytes)
{
    uint32_t sum = bytes;

    for (uint32_t i = 0; i < bytes; i++)
        sum = (sum << 5 | sum >> 27) ^ (uint8_t)text[i];
    return sum;
}

static bool is_report(uint64_t place)
{
    const struct kept *kept = direct_pointer(place);

    return kept->magic == MAGIC && kept->bytes > 0 &&
           kept->bytes < sizeof(kept->text) &&
           kept->sum == sum_of(kept->text, kept->bytes);
}

/* A report in one of the places where it may have been kept; 0: none. */
static uint64_t find_report(const struct memory_map *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_range *range = &map->range[i];
        uint64_t place = (range->start + STEP - 1) & ~(uint64_t)(STEP - 1);

        for (; place + KEPT_BYTES <= range->end; place += STEP) {
            if (is_report(place))
                return place;
        }
    }
    return 0;
}

static uint64_t choose_place(const struct memory_map *map)
{
    uint64_t best = 0, start = 0, place;

    for (unsigned i = 0; i < map->count; i++) {
        const uint64_t bytes = map->range[i].end - map->range[i].start;

        if (bytes <= best)
            continue;
        best = bytes;
        start = map->range[i].start;
    }
    place = (start + best / 2) & ~(uint64_t)(STEP - 1);
    return place > start && place + KEPT_BYTES <= start + best ? place : 0;
}

void report_init(struct memory_map *map)
{
    uint64_t place = find_report(map);

    state.had = place != 0;
    if (place == 0)
        place = choose_place(map);
    if (place == 0)
        return;
    memory_map_remove(map, place, KEPT_BYTES);
    state.kept = direct_pointer(place);
    if (state.had)
        state.kept->text[state.kept->bytes] = '\0';
    state.kept->magic = 0;
    state.kept->bytes = 0;
}

const char *machine_last_failure(void)
{
    return state.had ? state.kept->text : NULL;
}

static void put(char character)
{
    if (state.used < LINE_BYTES)
        state.line[state.used++] = character;
}

void report_text(const char *text)
{
    for (; *text != '\0'; text++)
        put(*text);
}

void report_hex(uint64_t value, unsigned digits)
{
    while (digits-- > 0)
        put("0123456789abcdef"[value >> 4 * digits & 15]);
}

void report_number(uint64_t value)
{
    char digits[20];
    unsigned count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        put(digits[--count]);
}

/* The sum fits after each line: nobody knows which one is the last. */
static void keep(void)
{
    struct kept *kept = state.kept;

    state.had = false;
    if (kept == NULL || kept->bytes + state.used + 2 > sizeof(kept->text))
        return;
    for (unsigned i = 0; i < state.used; i++)
        kept->text[kept->bytes++] = state.line[i];
    kept->text[kept->bytes++] = '\n';
    kept->sum = sum_of(kept->text, kept->bytes);
    kept->magic = MAGIC;
}

/* The terminal, too, begins on a clear screen. */
static void clear_terminal(void)
{
    for (const char *c = "\033[0m\033[2J\033[H"; *c != '\0'; c++)
        serial_emergency_write(*c);
}

unsigned report_rows_left(void)
{
    return MACHINE_ROWS - state.rows;
}

/* The screen first: the serial line is slow, and who has read a line there may
 * count on it standing on the screen. */
void report_line(bool on_screen)
{
    keep();
    if (state.rows == 0)
        clear_terminal();
    if (on_screen && state.rows < MACHINE_ROWS) {
        if (state.rows++ > 0)
            screen_emergency_write('\n');
        for (unsigned i = 0; i < state.used && i < MACHINE_COLUMNS; i++)
            screen_emergency_write(state.line[i]);
    }
    for (unsigned i = 0; i < state.used; i++)
        serial_emergency_write(state.line[i]);
    serial_emergency_write('\n');
    state.used = 0;
}
