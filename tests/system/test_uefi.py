"""The same stick under UEFI: its boot menu, the framebuffer, mail in and out."""
import os

import mail
from conftest import SCREENS, STORE_OPEN
from stick import DOMAIN, HOSTNAME

FIRMWARE = ("-machine", "q35", "-bios", "/usr/share/ovmf/OVMF.fd")
BOOT_LIMIT_S = 120  # the firmware itself takes most of it


def start(boot, image):
    server = boot(image, memory="256M", extra=FIRMWARE)
    server.machine.expect_screen(r"Load\b", limit_s=BOOT_LIMIT_S)
    return server


def keep(machine, name):
    os.makedirs(SCREENS, exist_ok=True)
    machine.screenshot(os.path.join(SCREENS, name + ".png"))


def test_mail_under_uefi(copy_stick, boot):
    server = start(boot, copy_stick)
    keep(server.machine, "uefi-boot-menu")
    server.machine.send("\r")
    server.machine.expect_screen("serving mail")
    _, banner = server.machine.wait_banner(25)
    assert banner.startswith(f"220 {HOSTNAME}")
    body = b"Subject: UEFI\r\n\r\n" + os.urandom(3000).hex().encode() + b"\r\n"
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}", body)[0] == 250
    (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert got.endswith(body)
    keep(server.machine, "uefi-running")


def test_load_and_power_off_under_uefi(copy_stick, boot):
    """ACPI is found through UEFI's tables: the PC really goes off."""
    machine = start(boot, copy_stick).machine
    machine.send("\x1b[B")
    machine.expect_screen("Stops in a menu")
    machine.send("\r")
    machine.expect_screen("Mail is not being served yet")
    machine.expect_screen(STORE_OPEN)
    machine.send("9")
    machine.expect_screen("Enter again")
    machine.send("\r")
    assert machine.wait_end() == "guest-shutdown"
