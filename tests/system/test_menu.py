"""The AO's text menu: by the serial console and by the PC's keyboard, seen on
the serial console and on the display. Screens are kept in build/screens."""
import os
import re
import zlib

import pytest

import mail
from conftest import SCREENS, STORE_OPEN, choose_load
from stick import DOMAIN, HOSTNAME

MENU = r"^ Barepost  \S+  Menu"  # the title
CLOSED = r"Mail is not being served yet"
TEXT_MEMORY, TEXT_BYTES = 0xB8000, 80 * 25 * 2


def display_text(machine, folder):
    """What stands in the text memory of the display adapter."""
    path = os.path.join(folder, "text")
    machine.qmp("pmemsave", val=TEXT_MEMORY, size=TEXT_BYTES, filename=path)
    with open(path, "rb") as file:
        characters = file.read()[::2].decode("cp437")
    return "\n".join(characters[at:at + 80].rstrip()
                     for at in range(0, len(characters), 80))


def keep_screen(machine, name):
    path = os.path.join(SCREENS, name + ".png")
    machine.screenshot(path)
    with open(path, "rb") as file:
        content = file.read()
    packed, at = b"", 8
    while at < len(content):
        length = int.from_bytes(content[at:at + 4], "big")
        if content[at + 4:at + 8] == b"IDAT":
            packed += content[at + 8:at + 8 + length]
        at += 12 + length
    pixels = zlib.decompress(packed)
    assert len(set(pixels)) > 1, "nothing is shown on the display"


def assert_whole(machine):
    """No line was cut: screen_text() marks one with dots in the last three
    columns."""
    machine.expect_screen(r"Esc  back")
    for line in machine.serial.screen().split("\n"):
        assert line[77:] != "...", line
    # The last cell of all is not sent to a terminal, which might scroll.
    assert not machine.serial.screen().split("\n")[-1].endswith(".."), "help"


def loaded(boot, image, **options):
    """A machine that stands in the AO menu, its store open."""
    server = boot(image, **options)
    choose_load(server.machine)
    server.machine.expect_screen(MENU)
    server.machine.expect_screen(STORE_OPEN)
    return server.machine


def test_load_stops_in_the_menu(copy_stick, boot, tmp_path):
    machine = loaded(boot, copy_stick)
    machine.expect_screen(CLOSED)
    keep_screen(machine, "menu")
    shown = display_text(machine, str(tmp_path))
    for text in ("Run: serve mail", "Network", "Users", "Power off", HOSTNAME):
        assert text in shown
    machine.send("1")
    machine.expect_screen("serving mail")
    machine.expect_screen(r"Address\s+10\.0\.2\.15")
    machine.expect_screen(r"Clock\s+20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC")
    assert machine.wait_banner(25)[1].startswith("220 ")
    keep_screen(machine, "running")


def test_boot_menu_on_the_display(copy_stick, boot, tmp_path):
    machine = boot(copy_stick).machine
    machine.expect_screen("Load")
    machine.expect_screen(r"boot in \d second")
    keep_screen(machine, "boot-menu")
    shown = display_text(machine, str(tmp_path))
    assert "Run" in shown and "Load" in shown


def test_every_page_by_serial_keys(copy_stick, boot):
    machine = loaded(boot, copy_stick)
    for key, seen in (("2", r"Gateway"), ("3", r"Mail domains"),
                      ("4", r"anna\s+Anna Example\s+admin"),
                      ("5", r"Messages stored"), ("6", r"TCB"),
                      ("7", r"Lines with"), ("t", r"Message or trans"),
                      ("q", r"Nothing waits"), ("r", r"Every domain"),
                      ("l", r"Slow strangers"), ("f", r"TFTP server"),
                      ("c", r"Set the clock"),
                      ("h", r"PCI\s+00:00\.0"), ("d", r"^  [0-9a-f]{16}"),
                      ("a", r"SQLite")):
        machine.send(key)
        machine.expect_screen(seen)
        assert_whole(machine)
        machine.send("\x1b")
        machine.expect_screen(MENU)


def test_typed_ahead(copy_stick, boot):
    """No key is lost while a page waits for the store: a form that is being
    saved, the log that is being read."""
    machine = loaded(boot, copy_stick)
    machine.send(b"3" + b"\x7f" * len(HOSTNAME) + b"a.example\r\r\x1b"
                 b"3" + b"\x7f" * 9 + b"b.example\r\r\x1b"
                 b"7serving\r\x1b[5~\x1b"
                 b"c\x15Berlin\r\r\r\x1b2")
    machine.expect_screen("Gateway")
    machine.expect_screen(r"^ Barepost  b\.example  Network")
    machine.send("\x1b")
    machine.expect_screen(MENU)
    machine.send("c")
    machine.expect_screen(r"Time zone\s+Berlin")


def test_hardware(copy_stick, boot):
    machine = loaded(boot, copy_stick)
    machine.send("h")
    for seen in (r"Processor\s+\S", r"Memory\s+6\d MB below",
                 r"Display\s+VGA text",
                 r"PCI\s+00:01\.1\s+8086:7010\s+IDE controller\s+-$",
                 r"PCI\s+\S+\s+8086:100e\s+Intel 82540EM\s+intel"):
        machine.expect_screen(seen)
    machine.send("\x1b[F")  # End
    machine.expect_screen(r"USB\s+\S+\s+46f4:0001\s+storage, 5 Gbit/s\s+\S")
    assert_whole(machine)


def test_memory_dump(copy_stick, boot):
    machine = loaded(boot, copy_stick)
    machine.send("d")
    machine.expect_screen(r"^  ffffffff8[0-9a-f]{7}  [0-9a-f]{4} ")
    machine.send("0\r")
    machine.expect_screen(r"^  0{16}  not memory")
    # The registers of the local APIC: mapped, but no memory.
    machine.send("ffffc000fee00000\r")
    machine.expect_screen(r"^  ffffc000fee00000  not memory")
    machine.send("ffffffff80100000\r")
    machine.expect_screen(r"^  ffffffff80100000  [0-9a-f]{4} ")
    machine.send("\x1b[A\x1b[A")
    machine.expect_screen(r"^  ffffffff800fffe0  not memory")
    machine.send("12\x7f\x1b")
    machine.expect_screen("type it in hexadecimal")
    machine.send("\x1b")
    machine.expect_screen(MENU)


def test_clock_and_zone(copy_stick, boot):
    server = boot(copy_stick)
    machine = server.machine
    choose_load(machine)
    machine.expect_screen(MENU)
    machine.expect_screen(STORE_OPEN)
    machine.send("c")
    machine.expect_screen("Set the clock")
    machine.send("Atlantis\x1bOQ")
    machine.expect_screen("Time zone is not right")
    machine.send(b"\x15Berlin\r\r2031-07-01 12:00\r")
    machine.expect_screen("Saved")
    machine.expect_screen(r"2031-07-01 12:00:\d\d CEST")
    machine.expect_screen(r"2031-07-01 10:00:\d\d UTC")
    machine.send("\x1b")
    machine.expect_screen(MENU)
    machine.send("1")
    machine.expect_screen(r"Clock\s+2031-07-01 12:\d\d:\d\d CEST")
    machine.expect_screen(r"^12:\d\d:\d\d service: serving")
    machine.wait_banner(25)
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}",
                         b"Subject: zone\r\n\r\nx\r\n")[0] == 250
    (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert re.search(rb"Tue, 1 Jul 2031 12:\d\d:\d\d \+0200", got)
    machine.power_cut()
    machine = boot(copy_stick).run().machine
    machine.expect_screen(r"Clock .* CES?T")


def test_by_the_keyboard(copy_stick, boot):
    """PS/2: arrows, Enter, Esc."""
    machine = loaded(boot, copy_stick)
    machine.keys("down", "down", "down", "ret")
    machine.expect_screen(r"anna\s+Anna Example\s+admin")
    machine.keys("esc")
    machine.expect_screen(MENU)
    machine.keys("home", "ret")
    machine.expect_screen("serving mail")
    machine.keys("m")
    machine.expect_screen(r"Mail is being served")


# Where it is plugged in: xHCI, a hub on xHCI, EHCI, which leaves it to UHCI.
HUB = "usb-hub,bus=usb.0,port=2"
COMPANION = "ich9-usb-uhci1,masterbus=usb.0,firstport=0"


@pytest.mark.parametrize("controller, devices, where", [
    ("qemu-xhci", (), ""), ("qemu-xhci", (HUB,), ",port=2.2"),
    ("ich9-usb-ehci1", (COMPANION,), ",port=2,usb_version=1"),
], ids=("xhci", "hub", "companion"))
def test_by_a_usb_keyboard(controller, devices, where, copy_stick, boot):
    """Plugged in while it runs. QEMU gives the keys to it alone as soon as it is
    configured."""
    machine = loaded(boot, copy_stick, controller=controller, devices=devices)
    machine.human("device_add usb-kbd,id=kbd,bus=usb.0" + where)
    machine.send("\x1b")  # the running screen, with the newest log lines
    machine.expect_screen("USB keyboard")
    machine.keys("m")
    machine.expect_screen(MENU)
    machine.keys("home", "down", "ret")
    machine.expect_screen("Gateway")
    machine.keys("esc")
    machine.expect_screen(MENU)
    machine.keys("3")
    machine.expect_screen("Host name")
    machine.qmp("device_del", id="kbd")
    machine.send("\x1b")
    machine.expect_screen(MENU)
    machine.send("\x1b")
    machine.expect_screen("USB keyboard removed")


def test_changed_name_survives_a_power_cut(copy_stick, boot):
    machine = loaded(boot, copy_stick)
    machine.send("3")
    machine.expect_screen("Host name")
    machine.send(b"\x7f" * len(HOSTNAME))
    machine.send("post.barepost.example\r\r")
    machine.expect_screen("Saved")
    machine.power_cut()
    banner = boot(copy_stick).run().banner
    assert banner.startswith("220 post.barepost.example")


def test_wrong_setting_is_refused(copy_stick, boot):
    machine = loaded(boot, copy_stick)
    machine.send("2")
    machine.expect_screen("Gateway")
    machine.send(b"\x7f" * 20 + b"300.1.2.3/24\x1bOQ")
    machine.expect_screen(r"Address is not right")
    machine.send("\x1b")
    machine.expect_screen(MENU)


def test_power_off_asks_twice(copy_stick, boot):
    machine = loaded(boot, copy_stick)
    machine.send("9")
    machine.expect_screen("Enter again")
    machine.send("x")
    machine.send("9")
    machine.expect_screen("Enter again")
    machine.send("\r")
    assert machine.wait_end() == "guest-shutdown"


def test_restart(copy_stick, boot):
    machine = loaded(boot, copy_stick)
    machine.send("8")
    machine.expect_screen("Enter again")
    machine.send("\r")
    assert machine.wait_end() == "guest-reset"
