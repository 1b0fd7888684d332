#!/usr/bin/python3
"""Makes build/barepost.update of build/ao: packed, with a label that says what
it is (firmware/core/program.h). Prints the file.

    update.py AO VERSION_HEADER
"""
import gzip
import hashlib
import os
import re
import struct
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
NUMBER = os.path.join(ROOT, "firmware", "core", "version.h")
STORE = os.path.join(ROOT, "mailstore", "store.h")


def store_version():
    with open(STORE, encoding="ascii") as header:
        return int(re.search(r"#define STORE_VERSION +(\d+)",
                             header.read())[1])


def label(program, unpacked_bytes, version, store=store_version()):
    """512 bytes; program: as it stands in the file."""
    head = struct.pack("<16s4I32s96s", b"Barepost program", 1, len(program),
                       unpacked_bytes, store, hashlib.sha256(program).digest(),
                       version.encode("ascii"))
    head = head.ljust(480, b"\0")
    return head + hashlib.sha256(head).digest()


def update(ao, version):
    packed = gzip.compress(ao, 9, mtime=0)
    return label(packed, len(ao), version) + packed


def quoted(path, name):
    with open(path, encoding="ascii") as header:
        return re.search(f'#define {name} "(.*)"', header.read())[1]


def main():
    with open(sys.argv[1], "rb") as ao:
        content = ao.read()
    version = (quoted(NUMBER, "VERSION_NUMBER") + ", " +
               quoted(sys.argv[2], "BUILD_ID"))
    sys.stdout.buffer.write(update(content, version))


if __name__ == "__main__":
    main()
