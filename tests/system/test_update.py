"""A new version of Barepost by TFTP while mail is served, then the version
before it by the boot menu, from BIOS and from UEFI; files that are none."""
import gzip
import os
import re
from pathlib import Path

import mail
import stick
from conftest import choose_run
from mkusb_sticks import check_file_system, mkusb, put_at
from updates import UPDATE, builds, update

UEFI = ("-machine", "q35", "-bios", "/usr/share/ovmf/OVMF.fd")
UP_AND_AGAIN = "\x1bOS\x1bOS"  # F4, twice
BACK_AND_AGAIN = "\x1b[15~\x1b[15~"  # F5


def damaged(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


def serve_files(folder, ao, new):
    """Returns the name of each file with what is said to it."""
    with open(UPDATE, "rb") as file:
        same = file.read()
    good = update.update(ao, "9.9, " + new)
    foreign = ao.replace(b"\x7fELF\x02\x01", b"\x7fELF\x01\x01", 1)
    packed = gzip.compress(foreign, 1)
    text = b"no program at all\n" * 9000
    large = os.urandom(4 << 20)
    files = {
        "text.update": (text, "is no update of Barepost"),
        "short.update": (good[:-1], "is cut short"),
        "damaged.update": (damaged(good, len(good) // 2), "is damaged"),
        "later.update": (damaged(good, 16), "is for a later Barepost"),
        "same.update": (same, "is the version that starts already"),
        "large.update": (update.label(large, len(large), "x") + large,
                         "is too large for the room"),
        "wrong.update": (update.label(text, len(text), "x") + text,
                         "holds no Barepost for this PC"),
        "other.update": (update.label(packed, len(ao), "x") + packed,
                         "holds no Barepost for this PC"),
    }
    for name, (content, _) in files.items():
        Path(folder, name).write_bytes(content)
    Path(folder, "new.update").write_bytes(good)
    return {name: seen for name, (_, seen) in files.items()}


def load(machine, name, seen):
    machine.send(b"\x1b[A\x15" + b"10.0.2.2\r\x15" + name.encode() + b"\r")
    machine.expect_screen(re.escape(name) + ".*" + seen)


def open_load(machine):
    machine.expect_screen("serving mail")
    machine.send("\x1b")
    machine.expect_screen("Power off")
    machine.send("f")
    machine.expect_screen("TFTP server")


def check_build(machine, build):
    """By the page About, from the running screen."""
    machine.expect_screen("serving mail")
    machine.send("\x1b")
    machine.expect_screen("Power off")
    machine.send("a")
    machine.expect_screen("Build " + re.escape(build))
    machine.send("\x1b")
    machine.expect_screen("Power off")


def check_mail(server, text):
    body = f"Subject: {text}\r\n\r\nx\r\n".encode()
    assert mail.send_one(server.smtp, f"anna@{stick.DOMAIN}", body)[0] == 250


def restart(machine):
    machine.send("8")
    machine.expect_screen("Enter again")
    machine.send("\r")
    machine.monitor.event("RESET")


def start_under_uefi(boot, image, keys, build):
    machine = boot(image, memory="256M", extra=UEFI).machine
    machine.expect_screen(r"Previous version", limit_s=120)
    machine.send(keys)
    check_build(machine, build)
    return machine


def test_update_and_back(copy_stick, boot, tmp_path):
    old, new, ao = builds()
    folder = tmp_path / "served"
    folder.mkdir()
    wrong = serve_files(folder, ao, new)
    server = boot(copy_stick, tftp=str(folder)).run()
    machine = server.machine
    machine.qmp("set-action", reboot="reset")
    open_load(machine)
    machine.send(UP_AND_AGAIN)
    machine.expect_screen("nothing to install")
    for name, seen in wrong.items():
        load(machine, name, seen)
    machine.send(b"\x1b[A\x15" + b"10.0.2.2\r\x15new.update\r")
    check_mail(server, "while it is fetched")
    machine.expect_screen("Checked and ready: 9.9, next")
    assert f"program: 0.1, {old}\n" in mkusb("--inspect", copy_stick).ok().out
    machine.send(UP_AND_AGAIN)
    machine.expect_screen("Installed: 9.9, next")
    check_file_system(copy_stick, tmp_path)
    machine.send("\x1b")
    machine.expect_screen("Power off")
    restart(machine)
    choose_run(machine)
    check_build(machine, new)
    check_mail(server, "by the new version")
    restart(machine)
    machine.expect_screen("Previous version")
    machine.send("p")
    machine.send("\r")
    check_build(machine, old)
    machine.send("f")
    machine.expect_screen("TFTP server")
    machine.send(BACK_AND_AGAIN)
    machine.expect_screen("Installed: 0.1, ")
    got = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert len(got) == 2
    server.close()
    check_file_system(copy_stick, tmp_path)
    shown = mkusb("--inspect", copy_stick).ok().out
    assert f"program: 0.1, {old}\nprevious program: 9.9, next" in shown
    mkusb("--check", copy_stick).ok()
    start_under_uefi(boot, copy_stick, "\r", old).power_cut()
    start_under_uefi(boot, copy_stick, "p", new).power_cut()
    # What is damaged does not start: UEFI's loader takes the other one.
    put_at(copy_stick, stick.file_offset(copy_stick, "ao/ao") + 500_000,
           bytes(100))
    start_under_uefi(boot, copy_stick, "\r", new)


def test_stick_without_room(copy_stick, boot, tmp_path):
    """As older ones are: nothing is overwritten. mkusb --update makes room."""
    _, new, ao = builds()
    folder = tmp_path / "served"
    folder.mkdir()
    serve_files(folder, ao, new)
    drive = copy_stick + stick.PARTITION
    stick.run("mdel", "-i", drive, "::/ao/ao.old", "::/ao/ao.new")
    server = boot(copy_stick, tftp=str(folder)).run()
    open_load(server.machine)
    server.machine.send(b"\x15" + b"10.0.2.2\r\x15new.update\r")
    server.machine.expect_screen("no room for a second version: mkusb --update")
    server.close()
    assert "no room for a second" in mkusb("--check", copy_stick).ok().out
    mkusb("--update", copy_stick).ok()
    assert "previous program: 0.1" in mkusb("--check", copy_stick).ok().out
    check_file_system(copy_stick, tmp_path)
