#!/usr/bin/python3
"""`make bench-profile`: where the AO's instructions go, function by function.

    profile.py [SESSIONS [MESSAGES]]          default: 100 3000

Delivers messages of 1 KiB as `make bench` does, in a machine whose executed
instructions are counted (profile_plugin.c, TCG only), takes away what a start
without a message costs, and prints instructions per message: by room, then by
function.
"""
import bisect
import os
import shutil
import subprocess
import sys
import tempfile

import folders
import namespace
import qemu
import servers
import stick
from report import table

PLUGIN = os.path.join(folders.BUILD, "bench", "profile_plugin.so")
FUNCTIONS_SHOWN = 45


def read_symbols():
    lines = subprocess.run(["nm", "-n", "-l", stick.AO], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    addresses, names = [], []
    for line in lines:
        head, _, source = line.partition("\t")
        fields = head.split()
        if len(fields) == 3 and fields[1] in "tTwW":
            addresses.append(int(fields[0], 16))
            names.append((fields[2], room_of(source)))
    return addresses, names


def room_of(source):
    path = os.path.relpath(source.rpartition(":")[0] or "/", folders.ROOT)
    if path.startswith(("build", "..")):
        for part in ("sqlite", "musl", "argon2"):
            if part in path:
                return part
        return "libraries"
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "firmware" and len(parts) > 2 \
        else parts[0]


def count(folder, barepost, sessions, messages):
    """{(function, room): instructions} of a start and so many messages."""
    path = os.path.join(folder, "blocks")
    with barepost.start(extra=(
            "-plugin", f"{PLUGIN},out={path}")) as running:
        if messages:
            taken = running.send(sessions, messages)
            print(f"{messages} messages, {sessions} sessions: "
                  f"{messages / taken:.0f}/s while counted")
        running.machine.qmp("quit")
        running.machine.process.wait(20)
    addresses, names = read_symbols()
    sums = {}
    with open(path) as file:
        for line in file:
            address, instructions, executions = line.split()
            at = bisect.bisect_right(addresses, int(address, 16)) - 1
            name = names[at] if at >= 0 else ("firmware of the PC", "BIOS")
            sums[name] = (sums.get(name, 0)
                          + int(instructions) * int(executions))
    return sums


def main():
    tap = namespace.enter(os.path.abspath(__file__))
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    messages = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    if qemu.accelerator() != "tcg":
        sys.exit("instructions are counted under TCG only")
    folder = tempfile.mkdtemp(prefix="barepost-profile-")
    try:
        barepost = servers.Barepost(folder, tap)
        start = count(folder, barepost, sessions, 0)
        sums = count(folder, barepost, sessions, messages)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rooms = {}
    for name in sums:
        sums[name] = max(sums[name] - start.get(name, 0), 0) / messages
        rooms[name[1]] = rooms.get(name[1], 0) + sums[name]
    whole = sum(rooms.values())
    by_function = {f"{function} ({room})": value
                   for (function, room), value in sums.items()}
    for title, parts in (("room", rooms), ("function", by_function)):
        rows = sorted(parts.items(),
                      key=lambda row: -row[1])[:FUNCTIONS_SHOWN]
        table(f"Instructions per message, by {title}: {whole:.0f}",
              [title, "instructions", "%"],
              [[name, f"{value:.0f}", f"{100 * value / whole:.1f}"]
               for name, value in rows if value / whole > 0.002])


if __name__ == "__main__":
    main()
