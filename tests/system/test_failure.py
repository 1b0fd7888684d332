"""An AO that fails: a screen that can be photographed, a restart, and the same
text in the log afterwards. On VGA text and on a framebuffer."""
import re

import mail
from conftest import SCREENS
from gdb import Debugger
from stick import DOMAIN
from test_menu import display_text

UEFI = ("-machine", "q35", "-bios", "/usr/share/ovmf/OVMF.fd")
BOOT_LIMIT_S = 120
REPORT = (r"BAREPOST HAS FAILED: invalid opcode", r"build \S+ of 20\d\d-",
          r"rip=[0-9a-f]{16} rsp=ffff[0-9a-f]{12} rbp=ffff[0-9a-f]{12}",
          r"Called from:", r"^  ffffffff8[0-9a-f]{7} \w+\+0x[0-9a-f]+",
          r"Last log lines:", r"mdns: name=mail\.local",
          r"Restart in 10 seconds")


def run(machine):
    machine.qmp("set-action", reboot="reset")
    machine.expect_screen(r"Load\b", BOOT_LIMIT_S)
    machine.send("\r")
    assert machine.wait_banner(25, BOOT_LIMIT_S)[1].startswith("220 ")
    machine.expect_screen(r"mdns: name=mail\.local")


def fail(machine):
    with Debugger(machine) as debugger:
        debugger.fault()
    machine.expect("Restart in 10 seconds")


def comes_back(server):
    """By itself, with what it kept; and the report stands in the log."""
    machine = server.machine
    machine.monitor.event("RESET")
    run(machine)
    (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert got.endswith(b"before\r\n")
    machine.send("m")
    machine.expect_screen("Mail is being served")
    machine.send("7")
    machine.expect_screen(r"Lines with")
    machine.send(b"\x15BAREPOST HAS FAILED\r")
    machine.expect_screen(r"failure: .*BAREPOST HAS FAILED: invalid opcode")
    machine.send(b"\x15rip=\r")
    machine.expect_screen(r"failure: .*rip=ffffffff8")


def send_one(server):
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}",
                         b"Subject: x\r\n\r\nbefore\r\n")[0] == 250


def test_failure_on_vga(copy_stick, boot, tmp_path):
    server = boot(copy_stick)
    machine = server.machine
    run(machine)
    send_one(server)
    fail(machine)
    shown = display_text(machine, str(tmp_path))
    machine.screenshot(SCREENS + "/failure.png")
    assert len(shown.split("\n")) == 25
    for wanted in REPORT:
        assert re.search(wanted, shown, re.M), (wanted, shown)
    comes_back(server)
    # Told once only.
    machine.power_cut()
    again = boot(copy_stick).run().machine
    again.expect_screen(r"mdns: name=mail\.local")
    assert "failure:" not in again.serial.screen()


def test_failure_on_a_framebuffer(copy_stick, boot):
    server = boot(copy_stick, memory="256M", extra=UEFI)
    run(server.machine)
    send_one(server)
    fail(server.machine)
    server.machine.screenshot(SCREENS + "/failure-framebuffer.png")
    comes_back(server)
