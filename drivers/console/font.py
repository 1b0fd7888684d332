#!/usr/bin/python3
"""Makes the framebuffer's fonts as C: the printable ASCII characters of console
fonts in PSF format (1 or 2, with a table of Unicode characters, gzipped).

    font.py NAME=FILE... >font.c
"""
import gzip
import struct
import sys

FIRST, LAST = 0x20, 0x7E


def parse_psf1(data):
    mode, height = data[2], data[3]
    count = 512 if mode & 1 else 256
    at, glyph, of = 4 + count * height, 0, {}
    while glyph < count and at + 2 <= len(data):
        code, = struct.unpack_from("<H", data, at)
        at += 2
        if code == 0xFFFF:
            glyph += 1
        else:
            of.setdefault(code, glyph)
    return 8, height, 4, height, of


def parse_psf2(data):
    _, size, _, count, glyph_bytes, height, width = \
        struct.unpack_from("<7I", data, 4)
    of = {}
    table = data[size + count * glyph_bytes:].split(b"\xff")
    for glyph, entry in enumerate(table[:count]):
        for character in entry.split(b"\xfe")[0].decode("utf-8"):
            of.setdefault(ord(character), glyph)
    return width, height, size, glyph_bytes, of


def rows_of(data):
    """Width, height, and all rows of all characters."""
    if data[:2] == b"\x36\x04":
        width, height, start, glyph_bytes, of = parse_psf1(data)
    elif data[:4] == b"\x72\xb5\x4a\x86":
        width, height, start, glyph_bytes, of = parse_psf2(data)
    else:
        sys.exit("font.py: not a PSF font")
    if width > 16 or height > 32:
        sys.exit(f"font.py: {width} x {height} is too large")
    row_bytes = (width + 7) // 8
    rows = []
    for code in range(FIRST, LAST + 1):
        at = start + of[code] * glyph_bytes
        for row in range(height):
            bits = int.from_bytes(
                data[at + row * row_bytes:at + (row + 1) * row_bytes], "big")
            rows.append(bits >> row_bytes * 8 - width)
    return width, height, rows


def main():
    print('#include "drivers/console/font.h"')
    for argument in sys.argv[1:]:
        name, path = argument.split("=", 1)
        with gzip.open(path) as file:
            width, height, rows = rows_of(file.read())
        print(f"\nstatic const uint16_t rows_{name}[] = {{")
        for at in range(0, len(rows), 12):
            print("    " + ", ".join(f"{row:#x}" for row in rows[at:at + 12])
                  + ",")
        print(f"}};\nconst struct font {name} = "
              f"{{{width}, {height}, rows_{name}}};")


if __name__ == "__main__":
    main()
