"""mkusb as the tests of it run it, and the sticks that they look at: with what a
workstation has, sfdisk, fsck.fat, mtools, sqlite3."""
import hashlib
import os
import re
import struct
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
MKUSB = os.path.join(ROOT, "build", "mkusb")
MIB = 1 << 20
PARTITION = "@@1M"
ENVIRONMENT = dict(os.environ, MTOOLSRC="/dev/null", LC_ALL="C",
                   PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
CSV = """username,password,name,quota_mb,admin,aliases
alice,alice's secret,Alice Archer,100,yes,postmaster info
bob,"b,o""b",Bob,,no,
"""
# Of the password "ready", salt "saltsaltsaltsalt", made by the argon2 program.
READY_HASH = ("$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
              "u2z5LZzIIeR6sBVNuNHuNpvPwJeiz2h8mCiSIEx0u6s")


class Done:
    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    def ok(self):
        assert self.status == 0, self.err + self.out
        return self

    def refused(self, *parts, status=1):
        """The sentence must hold all the parts."""
        assert self.status == status, f"{self.status}: {self.out}{self.err}"
        for part in parts:
            assert part in self.err, self.err
        return self


def mkusb(*arguments, typed=b"", env=None, user=None):
    return Done(subprocess.run(
        [MKUSB, *map(str, arguments)], input=typed, env=env or ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
        user=user))


def tool(*command, check=True, **options):
    done = Done(subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, **options))
    if check:
        done.ok()
    return done


@pytest.fixture(scope="session")
def ao(tmp_path_factory):
    """Something that has the header of an AO; what it would do is tested by
    booting elsewhere."""
    path = tmp_path_factory.mktemp("ao") / "ao"
    magic, flags = 0x1BADB002, 0x00010003
    header = struct.pack("<III", magic, flags, -(magic + flags) & 0xFFFFFFFF)
    path.write_bytes(b"\x7fELF" + bytes(60) + header + os.urandom(300000))
    (path.parent / "BOOTX64.EFI").write_bytes(b"MZ" + os.urandom(200000))
    return path


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users.csv"
    path.write_text(CSV)
    return path


@pytest.fixture(scope="session")
def master(tmp_path_factory, ao):
    """A fresh stick of 64 MiB, not to be written."""
    folder = tmp_path_factory.mktemp("master")
    (folder / "users.csv").write_text(CSV)
    image = folder / "master.img"
    mkusb("--users", folder / "users.csv", "--ao", ao, "--size", "64M",
          "--domain", "example.org", image).ok()
    return image


@pytest.fixture
def image(master, tmp_path):
    path = tmp_path / "stick.img"
    tool("cp", "--sparse=always", master, path)
    return path


def copy_out(image, folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        tool("mcopy", "-n", "-o", "-i", f"{image}{PARTITION}", f"::/{name}",
             folder / name)
    return folder / names[0]


def program_on(image, name):
    """What stands in a slot of the program, without what follows it."""
    slot = subprocess.run(
        ["mtype", "-i", f"{image}{PARTITION}", f"::/ao/{name}"],
        env=ENVIRONMENT, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    label = slot[-512:]
    assert label.startswith(b"Barepost program")
    return slot[:struct.unpack_from("<I", label, 20)[0]]


def store_of(image, folder):
    return copy_out(image, folder, "mail.db", "mail.db-wal")


def file_offset(image, name):
    """Where a file's bytes begin; it must be in one piece."""
    shown = tool("mshowfat", "-i", f"{image}{PARTITION}", f"::/{name}").out
    extents = re.findall(r"<(\d+)(?:-\d+)?>", shown)
    assert len(extents) == 1, shown
    with open(image, "rb") as file:
        file.seek(MIB)
        boot = file.read(512)
    first = struct.unpack_from("<H", boot, 14)[0] + 2 * struct.unpack_from(
        "<I", boot, 36)[0]
    return MIB + (first + (int(extents[0]) - 2) * boot[13]) * 512


def put_at(image, offset, data):
    with open(image, "r+b") as file:
        file.seek(offset)
        file.write(data)


def digest(path):
    sum_ = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sum_.update(block)
    return sum_.hexdigest()


def query(database, sql):
    return tool("sqlite3", "-batch", database, sql).out.splitlines()


def check_file_system(image, folder):
    """By other programs than those that wrote it."""
    table = tool("sfdisk", "--json", image).out
    assert '"label":"dos"' in table.replace(" ", "").replace("\n", "")
    assert '"bootable":true' in table.replace(" ", "")
    assert re.search(r'"type":\s*"c"', table)
    assert re.search(r'"start":\s*2048', table)
    part = folder / "part.img"
    tool("dd", f"if={image}", f"of={part}", "bs=1M", "skip=1", "conv=sparse",
         "status=none")
    done = tool("fsck.fat", "-n", part)
    part.unlink()
    assert "differ" not in done.out, done.out
    with open(image, "rb") as file:
        file.seek(MIB)
        boot = file.read(512)
        file.seek(MIB + 6 * 512)
        assert file.read(512) == boot
    data = struct.unpack_from("<H", boot, 14)[0] + 2 * struct.unpack_from(
        "<I", boot, 36)[0]
    assert data % 8 == 0
    listed = tool("mdir", "-i", f"{image}{PARTITION}", "-/", "-a", "-b",
                  "::/").out.split()
    for name in ("/boot/syslinux/ldlinux.sys", "/boot/syslinux/ldlinux.c32",
                 "/boot/syslinux/menu.c32", "/boot/syslinux/mboot.c32",
                 "/boot/syslinux/libutil.c32", "/boot/syslinux/libcom32.c32",
                 "/boot/syslinux/syslinux.cfg", "/ao/ao", "/README.TXT",
                 "/mail.db", "/mail.db-wal"):
        assert f"::{name}" in listed, listed
