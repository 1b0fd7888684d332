"""Watchdogs: an AO that hangs comes back into service by itself."""
import pytest

import mail
from gdb import Debugger
from stick import DOMAIN
from test_power import run

# Two counts of ten seconds.
HANG_LIMIT_S = 60
WATCHDOGS = {
    "i6300esb": ("-device", "i6300esb"),
    "iTCO": ("-machine", "q35", "-global", "ICH9-LPC.noreboot=off"),
}


@pytest.mark.parametrize("name", WATCHDOGS)
def test_hung_ao_comes_back(name, copy_stick, boot, figure):
    server = boot(copy_stick, extra=WATCHDOGS[name])
    machine = server.machine
    machine.qmp("set-action", reboot="reset", watchdog="reset")
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
