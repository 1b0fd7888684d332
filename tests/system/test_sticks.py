"""Several sticks in one PC: the one that it was booted from is taken, whatever
the order in which they are found, and no other one in its place."""
import mail
import stick
from conftest import choose_run
from stick import DOMAIN

HUB = "usb-hub,bus=usb.0,port=2"
UEFI = ("-bios", "/usr/share/ovmf/OVMF.fd")
BODY = b"Subject: mine\r\n\r\nwhere it belongs\r\n"


def other_stick(path, port):
    """QEMU's arguments for a second stick."""
    return ("-blockdev", f"driver=file,node-name=other-file,filename={path}",
            "-blockdev", "driver=raw,node-name=other,file=other-file",
            "-device", "usb-storage,id=two,drive=other,bus=usb.0,"
            f"port={port}")


def test_own_stick_among_others(copy_stick, boot, tmp_path):
    """The other one is found first, the own one behind a hub."""
    other = stick.make(str(tmp_path / "other.img"))
    server = boot(copy_stick, devices=(HUB,), port="2.1",
                  extra=other_stick(other, 1)).run()
    machine = server.machine
    machine.expect_screen(r"Store.*store [0-9a-f]{8} on")
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}", BODY)[0] == 250
    machine.pull_stick()
    machine.expect_screen(r"Store.*(pulled out|not there|another store)")
    with mail.Smtp(server.smtp) as client:
        client.command("EHLO tests.example")
        assert 400 <= client.deliver(f"anna@{DOMAIN}", BODY)[0] < 500
    machine.plug_stick(port="2.3")
    machine.expect_screen(r"Store.*store [0-9a-f]{8} on")
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}", BODY)[0] == 250
    machine.power_cut()
    assert stick.message_count(server.store()) == 2
    assert stick.message_count(stick.extract(other, str(tmp_path / "o"))) == 0


def test_own_stick_under_uefi(copy_stick, boot, tmp_path):
    other = stick.make(str(tmp_path / "other.img"))
    server = boot(copy_stick, port="3", memory="512M",
                  extra=("-machine", "q35") + UEFI + other_stick(other, 1))
    server.machine.expect_screen(r"Load\b", 120)
    server.machine.send("\r")
    server.machine.wait_banner(25, 120)
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}", BODY)[0] == 250
    server.machine.power_cut()
    assert stick.message_count(server.store()) == 1


def test_only_another_stick(copy_stick, boot, tmp_path):
    """Booted from a stick that is pulled before the AO has found it."""
    other = stick.make(str(tmp_path / "other.img"))
    machine = boot(copy_stick, port="1", paused=True,
                   extra=other_stick(other, 2)).machine
    machine.go()
    choose_run(machine)
    machine.expect("Loading .*ok")
    machine.pull_stick()
    machine.expect_screen(r"Store.*waiting for store [0-9a-f]{8}")
    machine.plug_stick(port=3)
    machine.expect_screen(r"Store.*store [0-9a-f]{8} on")
