"""mkusb on image files and on the devices that this machine has: what it
refuses, and what it writes. What it reads back: test_mkusb_read.py.
"""
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

from mkusb_sticks import (  # also the fixtures
    CSV, ENVIRONMENT, MIB, MKUSB, PARTITION, READY_HASH, ao,
    check_file_system, digest, file_offset, image, master, mkusb, program_on,
    query, store_of, tool, users)

# ---- The command line -------------------------------------------------------

def test_help_and_version():
    text = mkusb("--help").ok().out
    for option in ("--users", "--size", "--hostname", "--domain", "--address",
                   "--gateway", "--dns", "--set", "--list", "--inspect",
                   "--user", "--export", "--format", "--update", "--check",
                   "--yes", "--ao"):
        assert option in text
    assert re.match(r"mkusb \d", mkusb("--version").ok().out)


@pytest.mark.parametrize("arguments, part", [
    ([], "--users"),
    (["--wrong"], "--wrong"),
    (["x.img"], "--users"),
    (["--users", "u.csv"], "target"),
    (["--users", "u.csv", "a", "b"], "more than one"),
    (["--list", "a"], "--list"),
    (["--check", "--update", "a"], "only one"),
    (["--check", "--size", "1G", "a"], "--size"),
    (["--update", "--user", "alice", "a"], "--user"),
    (["--inspect", "--ao", "x", "a"], "--ao"),
    (["--inspect", "--format", "maildir", "a"], "--export"),
    (["--users"], "users"),
])
def test_usage_errors(arguments, part):
    mkusb(*arguments).refused(part, status=2)


@pytest.mark.parametrize("option, value", [
    ("--size", "many"), ("--size", "0"), ("--size", "5X"), ("--size", "-1"),
    ("--size", "99999999999999999999"), ("--size", "16777216T"),
    ("--hostname", "bad_name"), ("--hostname", "-a"), ("--hostname", "a..b"),
    ("--hostname", "x" * 64), ("--domain", "exa mple"), ("--domain", ""),
    ("--address", "1.2.3.4"), ("--address", "1.2.3.256/24"),
    ("--address", "1.2.3.0/24"), ("--address", "dhc"),
    ("--gateway", "x"), ("--gateway", "10.0.0.1"), ("--dns", "::1"),
    ("--set", "novalue"), ("--set", "=x"), ("--set", "colour=red"),
    ("--set", "store_id=0123456789abcdef"), ("--set", "hostname=a_b"),
])
def test_bad_values(users, tmp_path, ao, option, value):
    target = tmp_path / "x.img"
    done = mkusb("--users", users, "--ao", ao, option, value, target)
    done.refused("mkusb: ")
    word = value.split("=")[-1] if option == "--set" else value
    assert word in done.err or option.strip("-") in done.err
    assert not target.exists()


def test_gateway_outside_network(users, tmp_path, ao):
    mkusb("--users", users, "--ao", ao, "--address", "10.0.0.5/24",
          "--gateway", "10.0.1.1", tmp_path / "x.img").refused("10.0.1.1")


# ---- users.csv ----------------------------------------------------------------

HEADER = b"username,password,name,quota_mb,admin,aliases\n"
FORWARD = b"username,password,forward\n"


@pytest.mark.parametrize("content, line, part", [
    (b"", 1, "username"),
    (b"user;password\na;b\n", 1, "user;password"),
    (b"username,name\na,b\n", 1, "password"),
    (b"username,password,username\na,b,c\n", 1, "twice"),
    (b"username,password,colour\na,b,red\n", 1, "colour"),
    (HEADER + b"alice,a,,,,\nbob\n", 3, "fields"),
    (HEADER + b"alice,a,,,,,,\n", 2, "fields"),
    (HEADER + b'alice,"a,,,,\n', 2, "quoted"),
    (HEADER + b'alice,a"b,,,,\n', 2, "quote"),
    (HEADER + b'alice,"a"b,,,,\n', 2, "quote"),
    (HEADER + b"alice,a,,lots,,\n", 2, "quota_mb"),
    (HEADER + b"alice,a,,-1,,\n", 2, "quota_mb"),
    (HEADER + b"alice,a,,99999999999999,,\n", 2, "quota_mb"),
    (HEADER + b"alice,a,,,perhaps,\n", 2, "admin"),
    (HEADER + b"alice,,,,,\n", 2, "password"),
    (HEADER + b",a,,,,\n", 2, "username"),
    (HEADER + b"al ice,a,,,,\n", 2, "al ice"),
    (HEADER + b"a" * 65 + b",a,,,,\n", 2, "username"),
    (HEADER + b"alice,a,,,,\n\nAlice,b,,,,\n", 4, "Alice"),
    (HEADER + b"alice,a,,,,info INFO\n", 2, "INFO"),
    (HEADER + b"alice,a,,,,bob\nbob,b,,,,\n", 2, "bob"),
    (HEADER + b"bob,b,,,,\n\nalice,a,,,,Bob\n", 4, "Bob"),
    (FORWARD + b"alice,a,far\n", 2, "far"),
    (FORWARD + b"alice,a,only\n", 2, "only"),
    (FORWARD + b"alice,a,x@far.example X@far.example\n", 2, "twice"),
    (HEADER + b"alice,a,,,,in..fo\n", 2, "in..fo"),
    (HEADER + b"alice,a,,,,a@b@c\n", 2, "a@b@c"),
    (HEADER + b"alice,a,\xff\xfe,,,\n", 2, "UTF-8"),
    (HEADER + b"alice,\xff,,,,\n", 2, "UTF-8"),
    (HEADER + b"alice,a\0b,,,,\n", 2, "NUL"),
    (HEADER + b"alice,$argon2id$broken,,,,\n", 2, "hash"),
    (HEADER + b"alice," + b"p" * 5000 + b",,,,\n", 2, "long"),
])
def test_bad_users(tmp_path, ao, content, line, part):
    users, target = tmp_path / "users.csv", tmp_path / "x.img"
    users.write_bytes(content)
    mkusb("--users", users, "--ao", ao, target).refused(
        f"users.csv: line {line}: ", part)
    assert not target.exists()


def test_aliases_of_several_and_forwards(tmp_path, ao):
    users, target = tmp_path / "users.csv", tmp_path / "x.img"
    users.write_bytes(
        b"username,password,aliases,forward\n"
        b"alice,a,all @example.org,alice@phone.example\n"
        b"bob,b,all bob@second.example,only b@far.example b@near.example\n")
    mkusb("--users", users, "--ao", ao, "--size", "64M", "--set",
          "domain:example.org=size=10M closed", target).ok()
    database = store_of(target, tmp_path / "store")
    assert query(database, "SELECT Alias,Name,Address FROM alias LEFT JOIN"
                           " user USING(UserID) ORDER BY AliasID") == [
        "all|alice|", "@example.org|alice|",
        "alice||alice@phone.example", "alice|alice|", "all|bob|",
        "bob@second.example|bob|", "bob||b@far.example",
        "bob||b@near.example"]
    assert query(database, "SELECT Value FROM setting WHERE Key="
                           "'domain:example.org'") == ["size=10M closed"]


def test_memory_for_many_users(tmp_path, ao):
    users, target = tmp_path / "users.csv", tmp_path / "x.img"
    for count, words in ((400, None), (900, "the PC needs 128 MB of memory")):
        users.write_text("username,password\n" + "".join(
            f'user{i},"{READY_HASH}"\n' for i in range(count)))
        said = mkusb("--users", users, "--ao", ao, "--size", "64M", "--yes",
                     target).ok()
        assert f"{count} users" in said.out + said.err
        if words:
            assert words in said.out + said.err
        else:
            assert "MB of memory" not in said.out + said.err


def test_no_users(tmp_path, ao):
    users, target = tmp_path / "users.csv", tmp_path / "x.img"
    users.write_bytes(HEADER)
    mkusb("--users", users, "--ao", ao, target).refused("users.csv", "no user")
    mkusb("--users", tmp_path / "none.csv", "--ao", ao, target).refused(
        "none.csv", "No such file")
    mkusb("--users", tmp_path, "--ao", ao, target).refused("not a file")
    assert not target.exists()


# ---- The target -----------------------------------------------------------------

def test_targets_that_are_none(users, tmp_path, ao):
    def make(target):
        return mkusb("--users", users, "--ao", ao, "--yes", target)
    make("/dev/null").refused("/dev/null", "character device")
    make("/dev/zero").refused("/dev/zero", "character device")
    make(tmp_path).refused("folder")
    make("/dev/no-such-stick").refused("plugged in", "--list")
    make(tmp_path / "none" / "x.img").refused("no folder")
    make("").refused("empty")
    os.mkfifo(tmp_path / "pipe")
    make(tmp_path / "pipe").refused("pipe")


def first_disk():
    """A disk of this machine that something is mounted from."""
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            fields = line.split()
            source = fields[fields.index("-") + 2]
            if fields[4] == "/" and source.startswith("/dev/") and \
                    os.path.exists(source):
                return source
    pytest.skip("the root folder is on no block device here")


@pytest.mark.parametrize("mode", ["--users", "--update"])
def test_system_disk(users, ao, mode):
    disk = first_disk()
    if not stat.S_ISBLK(os.stat(disk).st_mode):
        pytest.skip(f"{disk} is no block device")
    arguments = ["--users", users] if mode == "--users" else ["--update"]
    mkusb(*arguments, "--ao", ao, "--yes", disk).refused("running system")


def test_device_not_usb(users, ao):
    """An idle loop device is a block device that hangs on no USB."""
    for number in range(8):
        device = f"/dev/loop{number}"
        if os.path.exists(device) and os.path.exists(
                f"/sys/block/loop{number}"):
            break
    else:
        pytest.skip("there is no loop device")
    mkusb("--users", users, "--ao", ao, "--yes", device).refused(
        device, "not a USB stick")


@pytest.fixture
def loop(tmp_path):
    """A block device of our own. Which file system is mounted from it does not
    matter, and not every kernel has FAT."""
    if os.geteuid() != 0:
        pytest.skip("setting up a loop device needs root")
    path = tmp_path / "loop.img"
    with open(path, "wb") as file:
        file.truncate(64 * MIB)
    tool("mke2fs", "-q", "-F", path)
    done = tool("losetup", "--find", "--show", path, check=False)
    if done.status != 0:
        pytest.skip("no loop device can be set up: " + done.err.strip())
    device = done.out.strip()
    yield device
    tool("umount", device, check=False)
    tool("losetup", "--detach", device, check=False)


def test_mounted_device(loop, users, ao, tmp_path):
    point = tmp_path / "mount point"
    point.mkdir()
    done = tool("mount", "-t", "ext2", loop, point, check=False)
    if done.status != 0:
        pytest.skip("it cannot be mounted here: " + done.err.strip())
    (point / "holiday").write_text("pictures")
    for mode in (["--users", users], ["--update"]):
        mkusb(*mode, "--ao", ao, "--yes", loop).refused(
            "mounted at", str(point), "umount")
    assert (point / "holiday").read_text() == "pictures"
    tool("umount", loop)
    before = digest(tmp_path / "loop.img")
    mkusb("--users", users, "--ao", ao, "--yes", loop).refused(
        "not a USB stick")
    mkusb("--inspect", loop).refused("not a Barepost stick")
    assert digest(tmp_path / "loop.img") == before


def test_reading_a_device(loop, master):
    """--inspect and --check take any block device that can be read."""
    tool("dd", f"if={master}", f"of={loop}", "bs=1M", "status=none")
    mkusb("--check", loop).ok()
    assert "bob" in mkusb("--inspect", loop).ok().out


def test_sizes_that_are_too_small(users, tmp_path, ao):
    for size in ("1", "1M", "30M", "33M"):
        done = mkusb("--users", users, "--ao", ao, "--size", size,
                     tmp_path / "x.img")
        done.refused("too small", "at least")
    least = re.search(r"at least ([\d.]+) MiB", done.err)
    assert least and float(least[1]) <= 64
    assert not (tmp_path / "x.img").exists()
    size = str(int(float(least[1]))) + "M"
    mkusb("--users", users, "--ao", ao, "--size", size,
          tmp_path / "x.img").ok()
    mkusb("--check", tmp_path / "x.img").ok()


def test_read_only_folder(users, ao, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    mkusb("--users", users, "--ao", ao, folder / "x.img").refused(
        "cannot be made")


def test_content_is_overwritten_only_when_wanted(users, ao, image):
    before = digest(image)
    mkusb("--users", users, "--ao", ao, image).refused("--yes")
    mkusb("--users", users, "--ao", ao, image, typed=b"y\n").refused("--yes")
    assert digest(image) == before
    done = mkusb("--users", users, "--ao", ao, image, typed=b"yes\n").ok()
    assert "will be lost" in done.err
    assert digest(image) != before
    before = digest(image)
    mkusb("--users", users, "--ao", ao, "--yes", image).ok()
    assert digest(image) != before
    assert os.path.getsize(image) == 64 * MIB


def test_a_failure_leaves_the_old_image(users, ao, image, tmp_path):
    before = digest(image)
    users.write_bytes(HEADER + b"alice\n")
    mkusb("--users", users, "--ao", ao, "--yes", image).refused("line 2")
    mkusb("--users", users, "--ao", image, "--yes", image).refused()
    assert digest(image) == before
    assert sorted(os.listdir(tmp_path)) == ["stick.img", "users.csv"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(tmp_path, ao, number):
    """While passwords are hashed, the unfinished image is there already. A shell
    that runs the tests in the background lets them inherit SIGINT ignored."""
    users = tmp_path / "users.csv"
    users.write_text("username,password\n" + "".join(
        f"user{n},secret {n}\n" for n in range(2000)))
    folder = tmp_path / "images"
    folder.mkdir()
    process = subprocess.Popen([MKUSB, "--users", users, "--ao", ao,
                                folder / "stick.img"], env=ENVIRONMENT,
                               preexec_fn=lambda: signal.signal(
                                   number, signal.SIG_DFL))
    while not os.listdir(folder):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    assert os.listdir(folder) == []


def test_an_empty_file_gives_its_size(users, ao, tmp_path):
    target = tmp_path / "x.img"
    with open(target, "wb") as file:
        file.truncate(100 * MIB)
    mkusb("--users", users, "--ao", ao, target).ok()
    assert os.path.getsize(target) == 100 * MIB
    mkusb("--check", target).ok()


def test_progress_on_a_terminal(users, ao, tmp_path):
    """Steps with counts and percent there, one line elsewhere."""
    command = [MKUSB, "--users", users, "--ao", ao, "--size", "64M"]
    quiet = mkusb(*command[1:], tmp_path / "a.img").ok()
    assert quiet.out == "" and quiet.err.count("\n") == 1
    ours, theirs = os.openpty()
    done = subprocess.Popen([*map(str, command), str(tmp_path / "b.img")],
                            stdin=theirs, stdout=theirs, stderr=theirs,
                            env=ENVIRONMENT)
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert done.wait(timeout=60) == 0
    for part in (b"Hashing passwords ... 2/2", b"Formatting", b"Copying",
                 b"Writing ... 100 %", b"is ready"):
        assert part in shown, shown


# ---- Programs and files that mkusb needs ----------------------------------------

def test_missing_tool(users, ao, tmp_path):
    """A PATH with everything but mformat, and one with nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    env = dict(ENVIRONMENT, PATH=str(folder))
    if os.path.exists("/usr/sbin/mtools"):
        pytest.skip("mtools is in /usr/sbin here")
    mkusb("--users", users, "--ao", ao, tmp_path / "x.img",
          env=env).refused("mformat", "package mtools")
    for name in ("mformat", "mmd", "mcopy", "mdir", "mdel", "mattrib", "mmove"):
        os.symlink(shutil.which(name), folder / name)
    mkusb("--users", users, "--ao", ao, tmp_path / "x.img",
          env=env).refused("syslinux", "package syslinux")


def test_failing_tool(users, ao, tmp_path):
    """What a tool complains about is shown, and no image is left."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "mmd").write_text("#!/bin/sh\necho the disk is purple >&2\n"
                                "exit 3\n")
    (folder / "mmd").chmod(0o755)
    env = dict(ENVIRONMENT, PATH=f"{folder}:{ENVIRONMENT['PATH']}")
    mkusb("--users", users, "--ao", ao, tmp_path / "x.img",
          env=env).refused("mmd", "status 3", "the disk is purple")
    assert not (tmp_path / "x.img").exists()


def test_bad_ao(users, tmp_path, ao):
    target = tmp_path / "x.img"
    mkusb("--users", users, "--ao", tmp_path / "none", target).refused(
        "none", "--ao")
    mkusb("--users", users, "--ao", users, target).refused("not an AO")
    mkusb("--users", users, "--ao", tmp_path, target).refused("not an AO")
    alone = tmp_path / "alone"
    alone.write_bytes(ao.read_bytes())
    mkusb("--users", users, "--ao", alone, target).refused("BOOTX64.EFI")
    (tmp_path / "BOOTX64.EFI").write_bytes(b"no application")
    mkusb("--users", users, "--ao", alone, target).refused(
        "not a UEFI application")
    assert not target.exists()


# ---- What is written ---------------------------------------------------------------

def test_stick_of_64_mib(master, ao, tmp_path):
    check_file_system(master, tmp_path)
    menu = tool("mtype", "-i", f"{master}{PARTITION}",
                "::/boot/syslinux/syslinux.cfg").out
    assert menu.startswith("SERIAL 0 115200\n")
    assert "TIMEOUT 50\n" in menu
    (own,) = re.findall(r"APPEND /ao/ao mode=run store=([0-9a-f]{16})\n", menu)
    database = store_of(master, tmp_path / "store")
    assert query(database, "PRAGMA integrity_check") == ["ok"]
    assert query(database, "PRAGMA journal_mode") == ["wal"]
    assert query(database, "SELECT Name,FullName,QuotaBytes,Admin FROM user "
                           "ORDER BY UserID") == [
        f"alice|Alice Archer|{100 * MIB}|1", "bob|Bob|0|0"]
    assert query(database, "SELECT Alias,Name FROM alias JOIN user "
                           "USING(UserID) ORDER BY Alias") == [
        "info|alice", "postmaster|alice"]
    settings = dict(line.split("|") for line in query(
        database, "SELECT Key,Value FROM setting"))
    assert settings["hostname"] == "barepost"
    assert settings["domains"] == "example.org"
    assert settings["address"] == "dhcp"
    assert settings["store_id"] == own
    assert query(database, "SELECT count(*) FROM mail") == ["0"]


def test_ao_and_text_are_on_it(master, ao, tmp_path):
    assert program_on(master, "ao") == ao.read_bytes()
    assert program_on(master, "ao.old") == ao.read_bytes()
    tool("mcopy", "-i", f"{master}{PARTITION}", "::/EFI/BOOT/BOOTX64.EFI",
         tmp_path / "efi")
    assert digest(tmp_path / "efi") == digest(ao.parent / "BOOTX64.EFI")
    text = tool("mtype", "-i", f"{master}{PARTITION}", "::/README.TXT").out
    assert "mail.db" in text and "mkusb --inspect" in text


def test_passwords(tmp_path, ao):
    """Plain ones are hashed with salts of their own; ready ones are kept."""
    users, target = tmp_path / "users.csv", tmp_path / "x.img"
    users.write_text("username,password\na,same\nb,same\n"
                     f'c,"{READY_HASH}"\n')
    mkusb("--users", users, "--ao", ao, "--size", "64M", target).ok()
    rows = query(store_of(target, tmp_path / "store"),
                 "SELECT Password FROM user ORDER BY UserID")
    form = r"\$argon2id\$v=19\$m=7168,t=5,p=1\$[A-Za-z0-9+/]{22}\$[\w+/]{43}"
    assert re.fullmatch(form, rows[0]) and re.fullmatch(form, rows[1])
    assert rows[0] != rows[1]
    assert rows[2] == READY_HASH
    with open(target, "rb") as file:
        assert b"same" not in file.read()


def test_settings(users, ao, tmp_path):
    target = tmp_path / "x.img"
    mkusb("--users", users, "--ao", ao, "--size", "64M", "--hostname",
          "mail.example.org", "--address", "192.168.7.2/24", "--gateway",
          "192.168.7.1", "--dns", "192.168.7.1", "--dns", "9.9.9.9",
          "--domain", "example.org", "--domain", "example.net",
          "--set", "hostname=mx.example.org", target).ok()
    settings = dict(line.split("|") for line in query(
        store_of(target, tmp_path / "store"), "SELECT Key,Value FROM setting"))
    assert settings["hostname"] == "mx.example.org"
    assert settings["domains"] == "example.org example.net"
    assert settings["address"] == "192.168.7.2/24"
    assert settings["gateway"] == "192.168.7.1"
    assert settings["dns"] == "192.168.7.1 9.9.9.9"


@pytest.mark.parametrize("size, mail_mib", [
    ("256M", 150), ("1G", 700), ("8G", 4000), ("64G", 4000)])
def test_larger_sticks(users, ao, tmp_path, size, mail_mib):
    """Sparse: their data area is not written."""
    target = tmp_path / "x.img"
    mkusb("--users", users, "--ao", ao, "--size", size, target).ok()
    assert os.stat(target).st_blocks * 512 < 100 * MIB
    if size in ("256M", "1G"):
        check_file_system(target, tmp_path)
    listed = tool("mdir", "-i", f"{target}{PARTITION}", "::/").out
    sizes = [int(re.search(r"(\d+) \d{4}-\d\d-\d\d", line)[1])
             for line in listed.splitlines() if "mail" in line.lower()
             and re.search(r"(\d+) \d{4}-\d\d-\d\d", line)]
    assert mail_mib * MIB <= max(sizes) < 1 << 32
    if size != "256M":  # its clusters are smaller than a page
        assert file_offset(target, "mail.db") % 4096 == 0
    mkusb("--check", target).ok()


def test_two_sticks_differ(users, ao, tmp_path):
    """Disk signature, volume serial and store id are random."""
    seen = set()
    for name in ("a", "b"):
        target = tmp_path / name
        mkusb("--users", users, "--ao", ao, "--size", "64M", target).ok()
        with open(target, "rb") as file:
            head = file.read(MIB + 512)
        seen |= {head[440:444], head[MIB + 67:MIB + 71]}
        seen |= set(query(store_of(target, tmp_path / (name + "s")),
                          "SELECT Value FROM setting WHERE Key='store_id'"))
    assert len(seen) == 6


def test_no_root_needed(ao, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("this already is no root")
    folder = tmp_path / "nobody"
    folder.mkdir()
    (folder / "users.csv").write_text(CSV)
    shutil.copy(ao, folder / "ao")
    shutil.copy(ao.parent / "BOOTX64.EFI", folder)
    for path in [folder, *folder.iterdir()]:
        os.chown(path, 65534, 65534)
    for parent in list(folder.parents)[:-1]:
        if not parent.stat().st_mode & 0o001:
            try:
                os.chmod(parent, parent.stat().st_mode | 0o011)
            except OSError:
                pytest.skip(f"{parent} cannot be opened to others")
    if tool("test", "-x", MKUSB, check=False, user=65534).status != 0:
        pytest.skip("the build folder is closed to others")
    mkusb("--users", folder / "users.csv", "--ao", folder / "ao", "--size",
          "64M", folder / "x.img", user=65534).ok()
    mkusb("--inspect", folder / "x.img", user=65534).ok()
