"""The power button, restart and power off, on each kind of board and
firmware."""
import pytest

import mail
from conftest import STORE_OPEN, choose_load
from stick import DOMAIN

UEFI = ("-bios", "/usr/share/ovmf/OVMF.fd")
BOARDS = [("bios", "pc"), ("bios", "q35"), ("uefi", "pc"), ("uefi", "q35")]
BOOT_LIMIT_S = 120


def run(machine):
    machine.expect_screen(r"Load\b", BOOT_LIMIT_S)
    machine.send("\r")
    assert machine.wait_banner(25, BOOT_LIMIT_S)[1].startswith("220 ")


@pytest.mark.parametrize("board", BOARDS, ids="-".join)
def test_restart_and_button(board, copy_stick, boot):
    """Restart by the menu; then a press of the button closes the store and
    switches off."""
    firmware, kind = board
    extra = ("-machine", kind) + (UEFI if firmware == "uefi" else ())
    server = boot(copy_stick, memory="256M", extra=extra)
    machine = server.machine
    machine.qmp("set-action", reboot="reset")
    machine.expect_screen(r"Load\b", BOOT_LIMIT_S)
    choose_load(machine)
    machine.expect_screen(STORE_OPEN)
    machine.send("8")
    machine.expect_screen("Enter again")
    machine.send("\r")
    machine.monitor.event("RESET")
    run(machine)
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}",
                         b"Subject: kept\r\n\r\nx\r\n")[0] == 250
    machine.qmp("system_powerdown")
    assert machine.wait_end() == "guest-shutdown"
