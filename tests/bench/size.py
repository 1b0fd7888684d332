#!/usr/bin/python3
"""`make size`: what the bytes of the AO are for, part by part.

Code and constants of build/ao as it is loaded; memory that is zero at the start
is not counted. What no symbol covers is text, and the table of names.
"""
import os
import subprocess

import folders  # first: it lets the others be imported
import stick
from profile import room_of
from report import table

# FTS5 is part of SQLite's one file; its functions have names of their own.
FULL_TEXT = ("fts5", "Fts5", "unicode61")
# Made when the AO is built, by the names of their files.
MADE = {"charset_tables.c": "mailstore/mime: charsets",
        "html_names.c": "mailstore/mime", "assets.c": "firmware/web: assets",
        "font.c": "drivers/console"}
# What each part gives; parts that are not named here are shown without.
GIVES = {
    "sqlite": "SQL, JSON, tables and indexes, transactions, the write-ahead log",
    "sqlite: full-text search": "mail is found by its words at once",
    "mailstore": "deliveries, folders, conversations, search, rules, quotas, "
                 "files, data.db",
    "drivers/usb": "sticks and keyboards on xHCI, EHCI, UHCI, OHCI, behind "
                   "hubs, errors repaired",
    "firmware/net": "TCP/IP, DHCP, DNS, time, mDNS, TFTP, syslog",
    "texts": "what is said to users, peers and the log; SQL statements",
    "names of functions": "fault screens say where",
    "mailstore/mime": "any mail is read, HTML made harmless, MIME written",
    "mailstore/mime: charsets": "Chinese, Japanese, Korean and 29 one-byte "
                                "charsets",
    "firmware/web": "webmail",
    "firmware/web: assets": "its style, script and icons",
    "firmware/http": "HTTP/1.1, logins, uploads, ranges, conditions",
    "drivers/nic": "six families of network cards",
    "firmware/store": "group commit, readers, the index in the background",
    "firmware/relay": "mail to other servers: queue, retries, notices",
    "firmware/menu": "the text menu and the running screen",
    "firmware/smtp": "SMTP and submission with all extensions",
    "drivers": "PCI, ACPI, interrupts, clocks, disks, watchdogs, virtio",
    "firmware/admin": "administrators' pages, /metrics, DNS records to publish",
    "firmware/core": "tasks, timers, memory, log, time zones, unpacking",
    "musl": "the C library's part in it, SQL's mathematics",
    "firmware/pop3": "POP3 with all extensions",
    "userdb": "users, aliases, users.csv, international domains",
    "argon2": "passwords are kept as argon2id hashes",
    "firmware/account": "logins without waiting, brakes against guessers",
    "drivers/console": "screens of BIOS and UEFI, two fonts, serial line",
    "boot": "from the boot loader to C, fault screen",
    "firmware/load": "users, scripts and new versions by TFTP",
}


def part_of(name, source):
    room = room_of(source)
    file = os.path.basename(source.rpartition(":")[0])
    if file in MADE:
        return MADE[file]
    if room == "sqlite" and any(word in name for word in FULL_TEXT):
        return "sqlite: full-text search"
    parts = source.rpartition(":")[0].split("/")
    for folder in ("drivers", "mailstore"):
        if room == folder and folder in parts:
            inner = parts[parts.index(folder) + 1:-1]
            return "/".join([folder, *inner])
    return room


def lines_of(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE).stdout.splitlines()


def loaded():
    """Bytes of the sections that are loaded, and of the table of names."""
    whole = names = 0
    for line in lines_of("size", "-A", "-d", stick.AO + ".debug"):
        fields = line.split()
        if len(fields) == 3 and fields[0] in (".text", ".rodata", ".data"):
            whole += int(fields[1])
    for line in lines_of("size", os.path.join(folders.BUILD, "symbols.o")):
        fields = line.split()
        if fields[0].isdigit():
            names = int(fields[0])
    return whole, names


def main():
    sums = {}
    for line in lines_of("nm", "-S", "-l", stick.AO + ".debug"):
        head, _, source = line.partition("\t")
        fields = head.split()
        if len(fields) == 4 and fields[2] not in "bB":
            part = part_of(fields[3], source)
            sums[part] = sums.get(part, 0) + int(fields[1], 16)
    whole, names = loaded()
    sums["names of functions"] = names
    sums["texts"] = whole - sum(sums.values())
    table(f"Bytes of the AO's code and constants: {whole}",
          ["part", "KB", "what it gives"],
          [[part, f"{size / 1000:.1f}", GIVES.get(part, "")] for part, size in
           sorted(sums.items(), key=lambda row: -row[1])])


if __name__ == "__main__":
    main()
