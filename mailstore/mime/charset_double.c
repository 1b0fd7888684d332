/* Charsets of two bytes a character: Shift_JIS, EUC-JP, EUC-KR, GB18030, Big5.
 * Each knows a lead byte by its range; what follows decides. */
#include "mailstore/mime/charset_internal.h"

/* A character that was found, or else a sequence that is none. */
static size_t found(uint32_t code, const uint8_t *bytes, uint32_t *character)
{
    if (code == 0)
        return charset_bad(bytes, character);
    *character = code;
    return 2;
}

static size_t lone(uint32_t code, uint32_t *character)
{
    *character = code;
    return 1;
}

/* The number-th code from first on that is not marked as own. */
static uint32_t select_added(const uint8_t *own, const uint16_t *ranks,
                             uint32_t codes, uint32_t number)
{
    uint32_t low = 0, high = (codes - 1) / 256;

    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;

        if (ranks[middle] <= number)
            low = middle;
        else
            high = middle - 1;
    }
    number -= ranks[low];
    for (uint32_t code = low * 256; code < codes; code++) {
        if ((own[code / 8] >> code % 8 & 1) != 0)
            continue;
        if (number-- == 0)
            return code;
    }
    return 0;
}

size_t charset_shift_jis(struct charset_state *state, const uint8_t *bytes,
                         size_t n, uint32_t *character)
{
    uint8_t lead = bytes[0], trail;
    uint32_t row;

    (void)state;
    if (lead < 0x80)
        return lone(lead, character);
    if (lead >= 0xa1 && lead <= 0xdf)
        return lone(charset_kana(lead), character);
    if (lead == 0x80 || lead == 0xa0 || lead > 0xfc)
        return lone(UTF8_REPLACEMENT, character);
    if (n < 2)
        return 0;
    trail = bytes[1];
    if (trail < 0x40 || trail == 0x7f || trail > 0xfc)
        return charset_bad(bytes, character);
    row = lead < 0xa0 ? lead - 0x81u : lead - 0xc1u;
    return found(charset_cell(&charset_jis, row * 188 + trail -
                                                (trail < 0x7f ? 0x40u : 0x41u)),
                 bytes, character);
}

size_t charset_euc_jp(struct charset_state *state, const uint8_t *bytes,
                      size_t n, uint32_t *character)
{
    uint8_t lead = bytes[0];

    (void)state;
    if (lead < 0x80)
        return lone(lead, character);
    if (lead != 0x8e && lead != 0x8f && (lead < 0xa1 || lead == 0xff))
        return lone(UTF8_REPLACEMENT, character);
    if (n < 2 || (lead == 0x8f && bytes[1] >= 0xa1 && n < 3))
        return 0;
    if (bytes[1] < 0xa1 || bytes[1] == 0xff)
        return charset_bad(bytes, character);
    if (lead == 0x8e)
        return found(bytes[1] < 0xe0 ? charset_kana(bytes[1]) : 0, bytes,
                     character);
    if (lead == 0x8f) { /* JIS X 0212 */
        *character = UTF8_REPLACEMENT;
        return bytes[2] < 0x80 ? 2 : 3;
    }
    return found(charset_grid(&charset_jis, (uint8_t)(lead - 0xa1),
                              (uint8_t)(bytes[1] - 0xa1)),
                 bytes, character);
}

/* Windows' Hangul beside KS X 1001: its number, in order. */
static uint32_t hangul_number(uint8_t lead, uint8_t trail)
{
    uint32_t cell;

    if (trail >= 0x41 && trail <= 0x5a)
        cell = trail - 0x41u;
    else if (trail >= 0x61 && trail <= 0x7a)
        cell = trail - 0x61u + 26;
    else if (trail >= 0x81 && trail <= 0xfe)
        cell = trail - 0x81u + 52;
    else
        return CHARSET_KSC_ADDED;
    if (lead < 0xa1)
        return (lead - 0x81u) * 178 + cell;
    return 32 * 178 + (lead - 0xa1u) * 84 + cell;
}

size_t charset_euc_kr(struct charset_state *state, const uint8_t *bytes,
                      size_t n, uint32_t *character)
{
    uint8_t lead = bytes[0], trail;
    uint32_t number;

    (void)state;
    if (lead < 0x80)
        return lone(lead, character);
    if (lead == 0x80 || lead == 0xff)
        return lone(UTF8_REPLACEMENT, character);
    if (n < 2)
        return 0;
    trail = bytes[1];
    if (lead >= 0xa1 && trail >= 0xa1)
        return found(charset_grid(&charset_ksc, (uint8_t)(lead - 0xa1),
                                  (uint8_t)(trail - 0xa1)),
                     bytes, character);
    number = hangul_number(lead, trail);
    if (number >= CHARSET_KSC_ADDED)
        return charset_bad(bytes, character);
    *character = 0xac00 + select_added(charset_ksc_own, charset_ksc_own_ranks,
                                       CHARSET_KSC_CODES, number);
    return 2;
}

/* GBK's places outside the 94 x 94; 0: none. */
static uint32_t gbk_outside(uint8_t lead, uint8_t trail)
{
    uint32_t cell = trail - 0x40u - (trail > 0x7f), number;

    if (lead >= 0xa1 && lead <= 0xa9)
        return charset_cell(&charset_gbk_symbols, (lead - 0xa1u) * 96 + cell);
    number = lead < 0xa1 ? (lead - 0x81u) * 190 + cell
                         : 32 * 190 + (lead - 0xaau) * 96 + cell;
    if (number >= CHARSET_GBK_ADDED)
        return charset_cell(&charset_gbk_rest, number - CHARSET_GBK_ADDED);
    return 0x4e00 + select_added(charset_gbk_own, charset_gbk_own_ranks,
                                 CHARSET_GBK_CODES, number);
}

static uint32_t gb_four(const uint8_t *bytes)
{
    uint32_t linear = ((bytes[0] - 0x81u) * 10 + bytes[1] - 0x30u) * 1260 +
                      (bytes[2] - 0x81u) * 10 + bytes[3] - 0x30u;
    unsigned low = 0, high = CHARSET_GB_RANGES - 1;

    if (linear >= 189000)
        return linear - 189000 + 0x10000;
    if (linear >= 39420)
        return UTF8_REPLACEMENT;
    while (low < high) {
        unsigned middle = (low + high + 1) / 2;

        if (charset_gb_linear[middle] <= linear)
            low = middle;
        else
            high = middle - 1;
    }
    return charset_gb_first[low] + linear - charset_gb_linear[low];
}

size_t charset_gb18030(struct charset_state *state, const uint8_t *bytes,
                       size_t n, uint32_t *character)
{
    uint8_t lead = bytes[0], trail;

    (void)state;
    if (lead < 0x80)
        return lone(lead, character);
    if (lead == 0x80 || lead == 0xff)
        return lone(lead == 0x80 ? 0x20ac : UTF8_REPLACEMENT, character);
    if (n < 2)
        return 0;
    trail = bytes[1];
    if (trail >= 0x30 && trail <= 0x39) {
        if (n < 3 || (bytes[2] >= 0x81 && bytes[2] != 0xff && n < 4))
            return 0;
        if (bytes[2] < 0x81 || bytes[2] == 0xff || bytes[3] < 0x30 ||
            bytes[3] > 0x39)
            return lone(UTF8_REPLACEMENT, character);
        *character = gb_four(bytes);
        return 4;
    }
    if (trail < 0x40 || trail == 0x7f || trail == 0xff)
        return charset_bad(bytes, character);
    if (lead >= 0xa1 && trail >= 0xa1)
        return found(charset_grid(&charset_gb, (uint8_t)(lead - 0xa1),
                                  (uint8_t)(trail - 0xa1)),
                     bytes, character);
    return found(gbk_outside(lead, trail), bytes, character);
}

size_t charset_big5_decode(struct charset_state *state, const uint8_t *bytes,
                           size_t n, uint32_t *character)
{
    uint8_t lead = bytes[0], trail;

    (void)state;
    if (lead < 0x80)
        return lone(lead, character);
    if (lead == 0x80 || lead == 0xff)
        return lone(UTF8_REPLACEMENT, character);
    if (n < 2)
        return 0;
    trail = bytes[1];
    if (lead < 0xa1 || trail < 0x40 || (trail > 0x7e && trail < 0xa1) ||
        trail == 0xff)
        return charset_bad(bytes, character);
    return found(
        charset_cell(&charset_big5, (lead - 0xa1u) * 157 + trail -
                                        (trail < 0x7f ? 0x40u : 0x62u)),
        bytes, character);
}
