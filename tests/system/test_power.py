"""The power button, restart and power off, on each kind of board and firmware;
and watchdogs: an AO that hangs comes back into service by itself."""
import pytest

import mail
from conftest import choose_load
from gdb import Debugger
from stick import DOMAIN, HOSTNAME

UEFI = ("-bios", "/usr/share/ovmf/OVMF.fd")
BOARDS = [("bios", "pc"), ("bios", "q35"), ("uefi", "pc"), ("uefi", "q35")]
BOOT_LIMIT_S = 120
# Two counts of ten seconds.
HANG_LIMIT_S = 60


def goes_on_after_reset(machine):
    machine.qmp("set-action", reboot="reset", watchdog="reset")


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
    goes_on_after_reset(machine)
    machine.expect_screen(r"Load\b", BOOT_LIMIT_S)
    choose_load(machine)
    machine.expect_screen(HOSTNAME)
    machine.send("8")
    machine.expect_screen("Enter again")
    machine.send("\r")
    machine.monitor.event("RESET")
    run(machine)
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}",
                         b"Subject: kept\r\n\r\nx\r\n")[0] == 250
    machine.qmp("system_powerdown")
    assert machine.wait_end() == "guest-shutdown"


WATCHDOGS = {
    "i6300esb": ("-device", "i6300esb"),
    "iTCO": ("-machine", "q35", "-global", "ICH9-LPC.noreboot=off"),
}


@pytest.mark.parametrize("name", WATCHDOGS)
def test_hung_ao_comes_back(name, copy_stick, boot, figure):
    server = boot(copy_stick, extra=WATCHDOGS[name])
    machine = server.machine
    goes_on_after_reset(machine)
    run(machine)
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}",
                         b"Subject: before\r\n\r\nx\r\n")[0] == 250
    with Debugger(machine) as debugger:
        debugger.hang()
    machine.monitor.event("WATCHDOG", HANG_LIMIT_S)
    machine.monitor.event("RESET")
    run(machine)
    machine.send("m")
    machine.expect_screen("Mail is being served")
    machine.send("7")
    machine.expect_screen(rf"Barepost hung: {name} has restarted the PC")
    (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert got.endswith(b"x\r\n")
    figure(f"a hung AO is restarted by {name} and serves again")
