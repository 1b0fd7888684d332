#!/usr/bin/python3
"""`make bench-profile`: where the AO's instructions go, function by function.

    profile.py [smtp] [SESSIONS [MESSAGES]]    default: smtp 100 3000
    profile.py pop3|read [CLIENTS]             default: 20
    profile.py http [CONNECTIONS]              default: 30

smtp delivers messages of 1 KiB, pop3 fetches and deletes maildrops of messages
of 10 KiB, read only fetches them, both as `make bench` does, in a machine whose executed instructions
are counted (profile_plugin.c, TCG only). What the same machine executes without
that is taken away; printed are instructions per message, or request: by room, then
by function. http asks for the page of `make bench`.
"""
import bisect
import os
import shutil
import subprocess
import sys
import tempfile

import folders
import maildrops
import measures
import namespace
import qemu
import servers
import stick
from report import table

PLUGIN = os.path.join(folders.BUILD, "bench", "profile_plugin.so")
FUNCTIONS_SHOWN = 45
ROOMS = ("boot", "drivers", "firmware", "mailstore", "userdb")


def read_symbols():
    lines = subprocess.run(["nm", "-n", "-l", stick.AO + ".debug"], check=True,
                           text=True,
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
    """By the folders of the path only: with a compiler's cache it may begin
    where another copy of this tree lies."""
    parts = source.rpartition(":")[0].split("/")
    if "build" in parts:
        for library in ("sqlite", "musl", "argon2"):
            if library in source:
                return library
    for at, part in enumerate(parts):
        if part == "firmware" and at + 2 < len(parts):
            return f"firmware/{parts[at + 1]}"
        if part in ROOMS:
            return part
    return "libraries"


def count(folder, barepost, work):
    """({(function, room): instructions} of a start and that work, what the work
    gave: how much was done)."""
    path = os.path.join(folder, "blocks")
    with barepost.start(extra=(
            "-plugin", f"{PLUGIN},out={path}")) as running:
        done = work(running)
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
    return sums, done


def smtp(sessions=100, messages=3000):
    """(messages, what is taken away, what is counted)."""
    return messages, lambda running: None, \
        lambda running: running.send(sessions, messages)


def pop3(clients=20, mode="fetch"):
    users = servers.FETCHERS[:clients]

    def fetch(running, most):
        running.fill(users)
        measures.pop3_load(running.address(110), mode, most, *users)
    return len(users) * maildrops.MESSAGES, lambda running: fetch(running, 0), \
        lambda running: fetch(running, maildrops.MESSAGES)


def read(clients=20):
    return pop3(clients, "read")


def http(connections=30):
    def ask(running):
        running.serve_web()
        return measures.wrk(running.address(80), connections, 15)[0]
    return None, lambda running: None, ask


def main():
    tap = namespace.enter(os.path.abspath(__file__))
    arguments = sys.argv[1:]
    what = {"smtp": smtp, "pop3": pop3, "read": read,
            "http": http}.get(arguments[0] if arguments else "")
    messages, without, work = (what or smtp)(
        *map(int, arguments[1:] if what else arguments))
    if qemu.accelerator() != "tcg":
        sys.exit("instructions are counted under TCG only")
    folder = tempfile.mkdtemp(prefix="barepost-profile-")
    try:
        barepost = servers.Barepost(folder, tap)
        start, _ = count(folder, barepost, without)
        sums, done = count(folder, barepost, work)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    messages = messages or done
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
        table(f"Instructions per message or request, by {title}: {whole:.0f}",
              [title, "instructions", "%"],
              [[name, f"{value:.0f}", f"{100 * value / whole:.1f}"]
               for name, value in rows if value / whole > 0.002])


if __name__ == "__main__":
    main()
