/* Run, Load and the previous version, by arrow keys, Enter or their letters.
 * Run is taken after five seconds without a key: an appliance comes back by
 * itself.
 */
#include "boot/uefi/menu.h"

#define WAIT_S      5
#define SECOND      10000000u /* in 100 ns */
#define TITLE_ROW   1
#define FIRST_ROW   3
#define ENTRIES     3
#define PREVIOUS    2
#define HELP_ROW    (FIRST_ROW + ENTRIES + 1)
#define WAIT_ROW    (HELP_ROW + 2)
#define LEFT_COLUMN 4
/* Attributes [12.4]: background << 4 | foreground. */
#define NORMAL   0x07
#define TITLE    0x0f
#define SELECTED 0x70

/* mkusb puts the id of the stick's store in the place of the sixteen dashes. */
#define STORE " store=----------------"

struct entry {
    const char16_t *label, *help;
    const char *command_line;
    char16_t letter;
};

/* Filled at run time: the loader is not relocated, so a table of pointers in
 * its data would point to where it was linked. */
static void get_entry(unsigned index, struct entry *entry)
{
    if (index == 0) {
        entry->label = u" Run              ";
        entry->help = u"This PC serves mail from this stick; its own disks are "
                      u"not touched. ";
        entry->command_line = "mode=run" STORE;
        entry->letter = u'r';
    } else if (index == PREVIOUS) {
        entry->label = u" Previous version ";
        entry->help = u"Runs the version that was here before the last update. "
                      u"            ";
        entry->command_line = "mode=run program=previous" STORE;
        entry->letter = u'p';
    } else {
        entry->label = u" Load             ";
        entry->help = u"Stops in a menu: network, names, users, store, log; "
                      u"then Run.         ";
        entry->command_line = "mode=load" STORE;
        entry->letter = u'l';
    }
}

static void put(struct efi_text_output *output, unsigned row, unsigned column,
                unsigned attribute, const char16_t *text)
{
    (void)output->set_cursor_position(output, column, row);
    (void)output->set_attribute(output, attribute);
    (void)output->output_string(output, text);
}

static void draw(struct efi_text_output *output, unsigned selected)
{
    struct entry entry;

    for (unsigned i = 0; i < ENTRIES; i++) {
        get_entry(i, &entry);
        put(output, FIRST_ROW + i, LEFT_COLUMN,
            i == selected ? SELECTED : NORMAL, entry.label);
    }
    get_entry(selected, &entry);
    put(output, HELP_ROW, LEFT_COLUMN, NORMAL, entry.help);
}

static void draw_wait(struct efi_text_output *output, unsigned seconds)
{
    char16_t text[] = u"Run in ? s ";

    text[7] = (char16_t)(u'0' + seconds);
    put(output, WAIT_ROW, LEFT_COLUMN, NORMAL,
        seconds > 0 ? text : u"           ");
}

/* Returns true when the key has chosen the selected entry. */
static bool take_key(const struct efi_key *key, unsigned *selected)
{
    struct entry entry;

    if (key->scan == EFI_SCAN_UP && *selected > 0)
        (*selected)--;
    if (key->scan == EFI_SCAN_DOWN && *selected + 1 < ENTRIES)
        (*selected)++;
    for (unsigned i = 0; i < ENTRIES; i++) {
        get_entry(i, &entry);
        if ((key->character | 0x20) == entry.letter) {
            *selected = i;
            return true;
        }
    }
    return key->character == u'\r';
}

/* A second has gone by, or a key was pressed. Returns true when the choice is
 * made. wait_s: 0 once a key was pressed. */
static bool step(struct efi_system_table *system, void **events,
                 unsigned *wait_s, unsigned *selected)
{
    struct efi_key key;
    uint64_t which = 0;

    if (system->boot_services->wait_for_event(2, events, &which) != 0)
        return true;
    if (which == 1) {
        if (*wait_s == 0)
            return false;
        draw_wait(system->output, --*wait_s);
        return *wait_s == 0;
    }
    if (system->input->read_key(system->input, &key) != 0)
        return false;
    *wait_s = 0;
    draw_wait(system->output, 0);
    return take_key(&key, selected);
}

static void choose(struct choice *choice, unsigned index)
{
    struct entry entry;

    get_entry(index, &entry);
    choice->command_line = entry.command_line;
    choice->previous = index == PREVIOUS;
}

void menu_choose(struct efi_system_table *system, struct choice *choice)
{
    struct efi_text_output *output = system->output;
    struct efi_boot_services *services = system->boot_services;
    unsigned wait_s = WAIT_S, selected = 0;
    void *events[2];

    events[0] = system->input->wait_for_key;
    choose(choice, selected);
    if (services->create_event(EFI_EVENT_TIMER, 0, NULL, NULL, &events[1]) != 0)
        return;
    (void)services->set_timer(events[1], EFI_TIMER_PERIODIC, SECOND);
    (void)output->set_attribute(output, NORMAL);
    (void)output->clear_screen(output);
    (void)output->enable_cursor(output, 0);
    put(output, TITLE_ROW, LEFT_COLUMN, TITLE, u"Barepost");
    draw_wait(output, wait_s);
    do
        draw(output, selected);
    while (!step(system, events, &wait_s, &selected));
    (void)services->close_event(events[1]);
    choose(choice, selected);
}
