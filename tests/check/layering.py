#!/usr/bin/python3
"""Which room may include which: DESIGN.md's layers, checked on #include lines.

    core < drivers, net, mime, userdb < mailstore < store < protocol < account,
    limits < envelope < smtp, pop3, relay, http < web, admin < menu, main

Nothing but drivers/ and boot/ touches hardware (drivers/io.h), nothing in
firmware/ includes a driver, protocols know of the network only streams and
addresses, SQL is spoken in mailstore/ only. Also: no further top-level folder.
Prints each violation as file:line: reason; exit status 1 if there is one.
"""
import os
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
PROTOCOLS = ("smtp", "pop3", "relay", "http")
# What is served over http: pages for users, for administrators.
PAGES = ("web", "admin", "files")
# Rooms that hold what several protocols share.
HELPERS = ("protocol", "account", "limits", "envelope")
BELOW_PROTOCOLS = {"core", "net", "store", "mailstore", "mime", "userdb"}

MAY = {
    "core": {"core"},
    "drivers": {"core", "drivers"},
    "boot": {"core", "drivers", "boot"},
    "net": {"core", "net"},
    "userdb": {"core", "userdb"},
    "mime": {"core", "mime"},
    "mailstore": {"core", "userdb", "mime", "mailstore"},
    "store": {"core", "userdb", "mime", "mailstore", "store"},
    "mkusb": {"core", "userdb", "mime", "mailstore", "mkusb"},
}
for helper in HELPERS:
    MAY[helper] = BELOW_PROTOCOLS | {"protocol", helper}
MAY["envelope"] |= {"account", "limits"}
for protocol in PROTOCOLS:
    MAY[protocol] = BELOW_PROTOCOLS | set(HELPERS) | {protocol}
for pages in PAGES:
    MAY[pages] = BELOW_PROTOCOLS | set(HELPERS) | set(PROTOCOLS) | {pages}
# They stand in the frame of the webmail.
MAY["files"] |= {"web"}
MAY["admin"] |= {"web"}
# Files over the network, which are then used.
MAY["load"] = BELOW_PROTOCOLS | set(HELPERS) | {"load"}
MAY["menu"] = BELOW_PROTOCOLS | set(HELPERS) | set(PROTOCOLS) | set(PAGES) | \
    {"load", "menu"}
MAY["main"] = MAY["menu"] | {"main"}

# What a protocol may know of the network.
STREAM_HEADERS = {"stream.h", "address.h", "tcp.h", "dns.h"}
# Headers of others, and who alone may use them.
LIBRARIES = {"sqlite3.h": {"mailstore"}, "argon2.h": {"userdb"},
             "libusb-1.0/libusb.h": {"mkusb"}, "libusb.h": {"mkusb"}}
FOLDERS = {"boot", "drivers", "firmware", "mailstore", "userdb", "mkusb",
           "tests"}


def room_of(path):
    parts = path.split("/")
    if path.startswith("mailstore/mime/"):
        return "mime"
    if parts[0] != "firmware":
        return parts[0]
    return parts[1] if len(parts) > 2 else "main"


def resolve(path, name):
    """The file that the compiler takes, as a path from the root, or None."""
    for folder in (os.path.dirname(path), "", "firmware"):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(candidate):
            return candidate
    return None


def judge(path, room, name, quoted):
    """What is wrong with this include, or None."""
    if name in LIBRARIES and room != "tests" and room not in LIBRARIES[name]:
        return f"<{name}> is for {', '.join(sorted(LIBRARIES[name]))} only"
    target = resolve(path, name) if quoted else None
    if target is None:
        return f'"{name}" is nowhere' if quoted and name not in LIBRARIES \
            else None
    if room == "tests":
        return None
    there = room_of(target)
    if room not in MAY:
        return f"room {room} is not known: give it a place in {sys.argv[0]}"
    if there not in MAY[room]:
        return f"{room} must not include {there} ({target})"
    if target == "drivers/io.h" and room not in ("drivers", "boot"):
        return "only drivers/ and boot/ touch hardware"
    if there == "net" and room in PROTOCOLS + HELPERS \
            and os.path.basename(target) not in STREAM_HEADERS:
        return f"a protocol knows streams only, not {target}"
    return None


def check_file(path):
    found = []
    room = room_of(path)
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            match = INCLUDE.match(line)
            wrong = match and judge(path, room, match[1] or match[2],
                                    bool(match[1]))
            if wrong:
                found.append(f"{path}:{number}: {wrong}")
    return found


def check_folders(files):
    names = {path.split("/")[0] for path in files if "/" in path}
    return [f"{name}/: no such room in the design" for name in sorted(names)
            if name not in FOLDERS and not name.startswith(".")]


def main():
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
    sources = [path for path in files
               if path.endswith((".c", ".h")) and os.path.isfile(path)]
    found = check_folders(files)
    for path in sources:
        found += check_file(path)
    print("\n".join(found + [f"layering: {len(sources)} files, "
                             f"{len(found)} violations"]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
