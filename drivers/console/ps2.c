/* Keyboard behind an 8042 controller, which translates to scan code set 1; US
 * layout. The mouse port stays off.
 *
 * The controller's start-up takes at most a few ms (answers are waited for 5
 * ms each, three of them), and goes on without an answer: some controllers are
 * emulated and answer only part. */
#include "core/machine.h"
#include "drivers/acpi.h"
#include "drivers/console/console.h"
#include "drivers/interrupt.h"
#include "drivers/io.h"

#define DATA    0x60u
#define STATUS  0x64u
#define COMMAND 0x64u
#define LINE    1u

#define STATUS_OUTPUT 0x01u /* a byte waits for us */
#define STATUS_INPUT  0x02u /* ours was not taken yet */
#define STATUS_MOUSE  0x20u

#define READ_CONFIGURATION  0x20u
#define WRITE_CONFIGURATION 0x60u
#define MOUSE_OFF           0xa7u
#define KEYBOARD_OFF        0xadu
#define KEYBOARD_ON         0xaeu
#define CONFIG_INTERRUPT    0x01u
#define CONFIG_MOUSE        0x02u
#define CONFIG_KEYBOARD_OFF 0x10u
#define CONFIG_MOUSE_OFF    0x20u
#define CONFIG_TRANSLATE    0x40u

#define START_SCANNING 0xf4u

#define ANSWER_US 5000u
#define BYTES_MAX 32u

#define CODE_EXTENDED    0xe0u
#define CODE_PAUSE       0xe1u
#define CODE_RELEASED    0x80u
#define CODE_CONTROL     0x1du
#define CODE_LEFT_SHIFT  0x2au
#define CODE_RIGHT_SHIFT 0x36u
#define CODE_CAPS        0x3au

static struct ps2_state {
    bool present;
    bool extended; /* E0 came before */
    unsigned skip; /* bytes of the Pause sequence still to come */
    bool left_shift, right_shift, caps;
    unsigned control; /* bit 0 left, bit 1 right */
} state;

static const char plain[0x3a] =
    "\0\0331234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[0x3a] =
    "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

/* Keys without a character, by code. */
static const struct {
    uint8_t code;
    bool extended;
    uint16_t key;
} special[] = {
    {0x3b, false, KEY_F1},
    {0x3c, false, KEY_F2},
    {0x3d, false, KEY_F3},
    {0x3e, false, KEY_F4},
    {0x3f, false, KEY_F5},
    {0x40, false, KEY_F6},
    {0x41, false, KEY_F7},
    {0x42, false, KEY_F8},
    {0x43, false, KEY_F9},
    {0x44, false, KEY_F10},
    {0x57, false, KEY_F11},
    {0x58, false, KEY_F12},
    {0x48, true, KEY_UP},
    {0x50, true, KEY_DOWN},
    {0x4b, true, KEY_LEFT},
    {0x4d, true, KEY_RIGHT},
    {0x47, true, KEY_HOME},
    {0x4f, true, KEY_END},
    {0x49, true, KEY_PAGE_UP},
    {0x51, true, KEY_PAGE_DOWN},
    {0x52, true, KEY_INSERT},
    {0x53, true, KEY_DELETE},
    {0x1c, true, '\r'},
    {0x35, true, '/'},
    /* The numeric pad, as it works without Num Lock. */
    {0x48, false, KEY_UP},
    {0x50, false, KEY_DOWN},
    {0x4b, false, KEY_LEFT},
    {0x4d, false, KEY_RIGHT},
    {0x47, false, KEY_HOME},
    {0x4f, false, KEY_END},
    {0x49, false, KEY_PAGE_UP},
    {0x51, false, KEY_PAGE_DOWN},
    {0x52, false, KEY_INSERT},
    {0x53, false, KEY_DELETE},
    {0x4a, false, '-'},
    {0x4e, false, '+'},
};

static bool wait_status(uint8_t mask, uint8_t value)
{
    const uint64_t end_us = io_now_us() + ANSWER_US;

    while ((io_in8(STATUS) & mask) != value) {
        if (io_now_us() > end_us)
            return false;
    }
    return true;
}

static bool write_byte(uint16_t port, uint8_t value)
{
    if (!wait_status(STATUS_INPUT, 0))
        return false;
    io_out8(port, value);
    return true;
}

static void empty_output(void)
{
    for (unsigned i = 0; i < BYTES_MAX; i++) {
        if (!(io_in8(STATUS) & STATUS_OUTPUT))
            return;
        (void)io_in8(DATA);
    }
}

void ps2_init(void)
{
    uint8_t configuration;

    if (!acpi_has_keyboard_controller() || io_in8(STATUS) == 0xff)
        return;
    if (!write_byte(COMMAND, KEYBOARD_OFF) || !write_byte(COMMAND, MOUSE_OFF))
        return;
    empty_output();
    if (!write_byte(COMMAND, READ_CONFIGURATION) ||
        !wait_status(STATUS_OUTPUT, STATUS_OUTPUT))
        return;
    configuration = io_in8(DATA);
    configuration = (uint8_t)((configuration | CONFIG_INTERRUPT |
                               CONFIG_TRANSLATE | CONFIG_MOUSE_OFF) &
                              ~(CONFIG_MOUSE | CONFIG_KEYBOARD_OFF));
    if (!write_byte(COMMAND, WRITE_CONFIGURATION) ||
        !write_byte(DATA, configuration) || !write_byte(COMMAND, KEYBOARD_ON) ||
        !write_byte(DATA, START_SCANNING))
        return;
    state.present = true;
    interrupt_enable(LINE);
}

static int find_special(uint8_t code, bool extended)
{
    for (unsigned i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if (special[i].code == code && special[i].extended == extended)
            return special[i].key;
    }
    return KEY_NONE;
}

static int find_character(uint8_t code)
{
    const bool shift = state.left_shift || state.right_shift;
    char character;

    if (code >= sizeof(plain))
        return KEY_NONE;
    character = plain[code];
    if (character >= 'a' && character <= 'z') {
        if (state.control)
            return character - 'a' + 1;
        return shift != state.caps ? shifted[code] : character;
    }
    return shift ? shifted[code] : character;
}

/* The keys that only change what others mean. Returns true for them. */
static bool track_modifier(uint8_t code, bool extended, bool pressed)
{
    switch (code) {
    case CODE_LEFT_SHIFT:
        /* With E0 it is made up by the keyboard around other keys. */
        if (!extended)
            state.left_shift = pressed;
        return true;
    case CODE_RIGHT_SHIFT:
        if (!extended)
            state.right_shift = pressed;
        return true;
    case CODE_CONTROL:
        if (pressed)
            state.control |= extended ? 2u : 1u;
        else
            state.control &= extended ? ~2u : ~1u;
        return true;
    case CODE_CAPS:
        if (pressed)
            state.caps = !state.caps;
        return true;
    default:
        return false;
    }
}

static void take_code(uint8_t byte)
{
    const bool pressed = !(byte & CODE_RELEASED);
    const uint8_t code = byte & (uint8_t)~CODE_RELEASED;
    const bool extended = state.extended;
    int key;

    if (state.skip > 0) {
        state.skip--;
        return;
    }
    if (byte == CODE_PAUSE) {
        state.skip = 2;
        return;
    }
    state.extended = byte == CODE_EXTENDED;
    if (state.extended || byte == 0xfa || byte == 0xfe || byte == 0xff ||
        byte == 0x00)
        return;
    if (track_modifier(code, extended, pressed) || !pressed)
        return;
    key = find_special(code, extended);
    if (key == KEY_NONE && !extended)
        key = find_character(code);
    keys_put(key);
}

bool ps2_poll(void)
{
    unsigned count = 0;

    if (!state.present)
        return false;
    while (count < BYTES_MAX) {
        const uint8_t status = io_in8(STATUS);
        uint8_t byte;

        if (status == 0xff || !(status & STATUS_OUTPUT))
            break;
        byte = io_in8(DATA);
        if (!(status & STATUS_MOUSE))
            take_code(byte);
        count++;
    }
    return count > 0;
}
