"""Sticks, as image files: made by mkusb, made wrong on purpose, read back.

Reading back uses what any workstation has: mtools and sqlite3.
"""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
MKUSB = os.path.join(ROOT, "build", "mkusb")
AO = os.path.join(ROOT, "build", "ao")
USERS = os.path.join(ROOT, "tests", "demo", "users.csv")
DOMAIN = "barepost.example"
HOSTNAME = "mail.barepost.example"
FILES = ("mail.db", "mail.db-wal")
PARTITION = "@@1M"  # where mkusb lets the first partition begin


def run(*command, **options):
    """Runs a tool and gives what it printed; its failure fails the test with
    everything that it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=options.pop("limit_s", 120), **options)
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, f"{' '.join(command)}: {text}"
    return text


def make(path, *options, users=USERS, size="256M", ntp="off"):
    """A stick as a user gets it, but that it asks no time servers of the world
    unless they are what a test is about. ntp: the setting; None: not set."""
    time_servers = () if ntp is None else ("--set", f"ntp={ntp}")
    run(MKUSB, "--users", users, "--size", size, "--hostname", HOSTNAME,
        "--domain", DOMAIN, *time_servers, *options, path)
    return path


def make_without_store(path):
    """A FAT32 stick that holds somebody's files, but no store."""
    with open(path, "wb") as image:
        image.truncate(64 << 20)
    table = b"label: dos\nstart=2048, type=c, bootable\n"
    subprocess.run(["/sbin/sfdisk", "-q", "--no-reread", "--no-tell-kernel",
                    path], input=table, check=True, timeout=60)
    run("mformat", "-i", path + PARTITION, "-F", "-c", "1", "-T",
        str((64 << 11) - 2048), "-h", "255", "-s", "63", "-H", "2048", "::")
    note = path + ".note"
    with open(note, "w") as text:
        text.write("holiday pictures\n")
    run("mcopy", "-i", path + PARTITION, note, "::/note.txt")
    return path


def extract(path, folder):
    """Copies the store out, as a file manager would. Gives its path."""
    os.makedirs(folder, exist_ok=True)
    for name in FILES:
        run("mcopy", "-n", "-o", "-i", path + PARTITION, "::/" + name,
            os.path.join(folder, name))
    return os.path.join(folder, "mail.db")


def query(database, sql):
    """Rows as lists of text, by the sqlite3 of the workstation."""
    text = run("sqlite3", "-batch", "-separator", "\x1f", database, sql)
    return [line.split("\x1f") for line in text.splitlines()]


def message_count(database):
    return int(query(database, "SELECT count(*) FROM mail")[0][0])


def check_whole(database):
    assert query(database, "PRAGMA integrity_check") == [["ok"]]


def file_offset(path, name):
    """Where a file's bytes begin in the image; it must be contiguous."""
    shown = run("mshowfat", "-i", path + PARTITION, "::/" + name)
    extents = re.findall(r"<(\d+)(?:-\d+)?>", shown)
    assert len(extents) == 1, f"{name} is in pieces: {shown}"
    with open(path, "rb") as image:
        image.seek(1 << 20)
        boot = image.read(512)
    reserved = int.from_bytes(boot[14:16], "little")
    fats, fat_sectors = boot[16], int.from_bytes(boot[36:40], "little")
    first = reserved + fats * fat_sectors
    sector = first + (int(extents[0]) - 2) * boot[13]
    return (1 << 20) + sector * 512


def change_store(path, folder, sql):
    """Changes the store as a workstation's sqlite3 would, and puts it back
    into the same sectors, with an empty WAL."""
    database = extract(path, folder)
    query(database, sql + "; PRAGMA wal_checkpoint(TRUNCATE);")
    with open(database, "rb") as changed:
        content = changed.read()
    with open(path, "r+b") as image:
        image.seek(file_offset(path, "mail.db"))
        image.write(content)
        image.seek(file_offset(path, "mail.db-wal"))
        image.write(bytes(4096))
