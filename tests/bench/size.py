#!/usr/bin/python3
"""`make size`: what the bytes of the AO are for, room by room.

Code and constants of build/ao as it is loaded; memory that is zero at the start
is not counted.
"""
import subprocess

import folders  # first: it lets the others be imported
import stick
from profile import room_of
from report import table

# FTS5 is part of SQLite's one file; its functions have names of their own.
FULL_TEXT = ("fts5", "Fts5", "unicode61")


def part_of(name, source):
    room = room_of(source)
    if room == "sqlite" and any(word in name for word in FULL_TEXT):
        return "sqlite: full-text search"
    parts = source.rpartition(":")[0].split("/")
    for folder in ("drivers", "mailstore"):
        if room == folder and folder in parts:
            inner = parts[parts.index(folder) + 1:-1]
            return "/".join([folder, *inner])
    return room


def main():
    lines = subprocess.run(
        ["nm", "-S", "-l", stick.AO + ".debug"], check=True, text=True,
        stdout=subprocess.PIPE).stdout.splitlines()
    sums = {}
    for line in lines:
        head, _, source = line.partition("\t")
        fields = head.split()
        if len(fields) == 4 and fields[2] not in "bB":
            part = part_of(fields[3], source)
            sums[part] = sums.get(part, 0) + int(fields[1], 16)
    whole = sum(sums.values())
    table(f"Bytes of the AO's code and constants: {whole}", ["part", "KB"],
          [[part, f"{size / 1000:.1f}"] for part, size in
           sorted(sums.items(), key=lambda row: -row[1])])


if __name__ == "__main__":
    main()
