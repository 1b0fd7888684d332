#!/usr/bin/python3
"""Makes the tables of charsets as C, from Python's own codecs.

    charset.py >charset_tables.c        charset.py --sizes   bytes of each

A table is a list of cells (the 128 upper bytes of a charset of one byte, the
94 x 94 or more places of one of two), each a character of the Basic Plane or
none. It is kept in blocks of 32 cells, which charset.c reads from their start:

    00-7c     the character before it in the block, plus 1 to 125
    7d N      N cells without a character
    7e        one cell without
    7f        the rest of the block has none
    80-d1 X   U+4E00 and on, by the 14 bits
    d2 X Y    U+XXYY
    d3-ff     the character before it, minus 1 to 45

Tables that are mostly in the order of Unicode thus take a byte a character,
the others two.
"""
import sys

BLOCK = 32

SINGLE = {
    "iso8859_2": 0, "iso8859_3": 0, "iso8859_4": 0, "iso8859_5": 0,
    "iso8859_6": 0, "iso8859_7": 0, "iso8859_8": 0, "iso8859_10": 0,
    "iso8859_13": 0, "iso8859_14": 0, "iso8859_15": 0, "iso8859_16": 0,
    "cp1250": 0, "cp1251": 0, "cp1252": 0, "cp1253": 0, "cp1254": 0,
    "cp1255": 0, "cp1256": 0, "cp1257": 0, "cp1258": 0, "cp874": 0,
    "koi8_r": 0, "koi8_u": 0, "cp437": 0, "cp850": 0, "cp852": 0, "cp866": 0,
    "mac_roman": 0,
}


def character(codec, data):
    """The one character of the Basic Plane that data stands for, or None."""
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    if len(text) != 1 or ord(text) > 0xFFFF or 0xE000 <= ord(text) <= 0xF8FF:
        return None
    return ord(text)


def single(codec):
    return [character(codec, bytes([0x80 + i])) for i in range(128)]


def grid(codec, rows=94):
    """The 94 x 94 of a set in its EUC form."""
    return [character(codec, bytes([0xA1 + i // 94, 0xA1 + i % 94]))
            for i in range(rows * 94)]


def jis():
    """By the place in Shift_JIS: 188 to a first byte, whose extensions by NEC
    and IBM are rows of their own."""
    cells = []
    for pointer in range(11104):
        lead, trail = pointer // 188, pointer % 188
        lead += 0x81 if lead < 0x1F else 0xC1
        trail += 0x40 if trail < 0x3F else 0x41
        cells.append(character("cp932", bytes([lead, trail])))
    return cells


def big5():
    """157 to a first byte from a1 on."""
    cells = []
    for pointer in range(89 * 157):
        lead, trail = 0xA1 + pointer // 157, pointer % 157
        trail += 0x40 if trail < 0x3F else 0x62
        cells.append(character("cp950", bytes([lead, trail])))
    return cells


def gbk_symbols():
    """What GBK has beside GB2312 and the ideographs in Unicode's order: 96 to
    a first byte from a1 to a9, second bytes 40 to a0 without 7f."""
    cells = []
    for lead in range(0xA1, 0xAA):
        for trail in list(range(0x40, 0x7F)) + list(range(0x80, 0xA1)):
            cells.append(character("gb18030", bytes([lead, trail])))
    return cells


def gbk_order():
    """The places of the ideographs that GBK adds in Unicode's order: which of
    U+4E00 to U+9FA5 are not among them (GB2312's), and what stands in the
    places behind the last."""
    own = set(grid("gb2312"))
    missing = [code in own for code in range(0x4E00, 0x9FA6)]
    codes = [0x4E00 + i for i, gone in enumerate(missing) if not gone]
    places = [bytes([lead, trail])
              for first, last, low, high in ((0x81, 0xA0, 0x40, 0xFE),
                                             (0xAA, 0xFE, 0x40, 0xA0))
              for lead in range(first, last + 1)
              for trail in range(low, high + 1) if trail != 0x7F]
    cells = [character("gb18030", place) for place in places]
    assert cells[:len(codes)] == codes
    return missing, cells[len(codes):]


def uhc_order():
    """Which Hangul syllables KS X 1001 has; Windows adds the others in order.
    """
    own = set(grid("euc_kr"))
    has = [code in own for code in range(0xAC00, 0xD7A4)]
    places = [bytes([lead, trail])
              for leads, last in ((range(0x81, 0xA1), 0xFE),
                                  (range(0xA1, 0xC7), 0xA0))
              for lead in leads
              for low, high in ((0x41, 0x5A), (0x61, 0x7A), (0x81, last))
              for trail in range(low, high + 1)]
    codes = [0xAC00 + i for i, there in enumerate(has) if not there]
    assert [character("cp949", p) for p in places[:len(codes)]] == codes
    return has


def gb_ranges():
    """Where the four-byte form has the Basic Plane: linear number, first
    character, of each range."""
    ranges, previous = [], None
    for linear in range(39420):
        data = bytes([0x81 + linear // 12600, 0x30 + linear // 1260 % 10,
                      0x81 + linear // 10 % 126, 0x30 + linear % 10])
        code = ord(data.decode("gb18030"))
        if previous is None or code != previous + 1:
            ranges.append((linear, code))
        previous = code
    return ranges


def pack_block(cells):
    data, previous, i = bytearray(), 0, 0
    while i < len(cells):
        code = cells[i]
        if code is None:
            run = i
            while run < len(cells) and cells[run] is None:
                run += 1
            if run == len(cells):
                data.append(0x7F)
            elif run - i > 1:
                data += bytes([0x7D, run - i])
            else:
                data.append(0x7E)
            i = run
            continue
        if previous and 1 <= code - previous <= 125:
            data.append(code - previous - 1)
        elif previous and 1 <= previous - code <= 45:
            data.append(0xD2 + previous - code)
        elif 0x4E00 <= code < 0x4E00 + 0x5200:
            data += bytes([0x80 + (code - 0x4E00 >> 8), code - 0x4E00 & 0xFF])
        else:
            data += bytes([0xD2, code >> 8, code & 0xFF])
        previous = code
        i += 1
    return bytes(data)


def pack(cells):
    """The offsets of the blocks, and the bytes; blocks that are alike are kept
    once."""
    offsets, data, known = [], bytearray(), {}
    cells = cells + [None] * (-len(cells) % BLOCK)
    for at in range(0, len(cells), BLOCK):
        block = pack_block(cells[at:at + BLOCK])
        if block not in known:
            known[block] = len(data)
            data += block
        offsets.append(known[block])
    return offsets, bytes(data)


def bits(flags):
    data = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        data[i // 8] |= flag << i % 8
    return bytes(data)


def tables():
    made = [(name, pack(single(name))) for name in SINGLE]
    made += [("jis", pack(jis())), ("ksc", pack(grid("cp949"))),
             ("gb", pack(grid("gb18030"))), ("big5", pack(big5())),
             ("gbk_symbols", pack(gbk_symbols())),
             ("gbk_rest", pack(gbk_order()[1]))]
    return made


def ranks(flags):
    """How many flags are not set before each 256th."""
    counts, count = [], 0
    for i, flag in enumerate(flags):
        if i % 256 == 0:
            counts.append(count)
        count += not flag
    return counts


def array(kind, name, values):
    print(f"{kind} {name}[] = {{")
    for at in range(0, len(values), 16):
        print("    " + ", ".join(str(v) for v in values[at:at + 16]) + ",")
    print("};")


def main():
    made = tables()
    if "--sizes" in sys.argv:
        for name, (offsets, data) in made:
            print(f"{name:12} {len(offsets) * 2 + len(data):6}")
        return
    print('/* Made by charset.py. */\n#include "mailstore/mime/charset_tables.h"')
    for name, (offsets, data) in made:
        array("static const uint16_t", f"{name}_blocks", offsets)
        array("static const uint8_t", f"{name}_cells", data)
        print(f"const struct charset_table charset_{name} = "
              f"{{{name}_blocks, {name}_cells, {len(offsets)}}};")
    for name, flags in (("gbk_own", gbk_order()[0]), ("ksc_own", uhc_order())):
        array("const uint8_t", f"charset_{name}", bits(flags))
        array("const uint16_t", f"charset_{name}_ranks", ranks(flags))
    ranges = gb_ranges()
    array("const uint16_t", "charset_gb_linear", [linear for linear, _ in ranges])
    array("const uint16_t", "charset_gb_first", [code for _, code in ranges])


if __name__ == "__main__":
    main()
