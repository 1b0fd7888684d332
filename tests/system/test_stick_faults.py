"""Sticks that do not do what they should: each is named on the screen, and no
mail is taken that is not on it. (One that stalls: tests/sim/stick_faults.c. In
QEMU, cancelling a request that is held back stops the whole machine.)"""
import mail
from conftest import Booted, choose_run
from stick import DOMAIN

NAME = r"QEMU QEMU HARDDISK"
USB = ("-device", "usb-storage,id=stk,drive=stick,bus=usb.0,bootindex=1")


def booted(tmp_path, image, *blockdev):
    """With block devices of the test's own between stick and image."""
    extra = ("-blockdev", f"driver=file,node-name=stick-file,filename={image}")
    for line in blockdev:
        extra += line
    server = Booted(str(tmp_path), None, extra=extra + USB)
    server.stick = image
    return server


def answer_to(server):
    """What a message gets as its answer, at whichever command."""
    return mail.send_one(server.smtp, f"anna@{DOMAIN}",
                         b"Subject: x\r\n\r\nx\r\n")[0]


def test_write_protected(copy_stick, tmp_path):
    server = booted(tmp_path, copy_stick, (
        "-blockdev", "driver=raw,node-name=stick,file=stick-file,read-only=on"))
    try:
        choose_run(server.machine)
        server.machine.expect_screen(rf"{NAME}.*write-protected")
        assert 400 <= answer_to(server) < 500
        server.machine.expect_screen(
            rf"Store\s+{NAME} is write-protected: no mail is taken")
        assert mail.fetch_all(server.pop3, "anna", "anna-demo") == []
    finally:
        server.close()


def test_fails_to_write(copy_stick, tmp_path):
    server = booted(tmp_path, copy_stick, (
        "-blockdev", "driver=blkdebug,node-name=faulty,image=stick-file,"
        "inject-error.0.event=none,inject-error.0.iotype=write,"
        "inject-error.0.errno=5"), (
        "-blockdev", "driver=raw,node-name=stick,file=faulty"))
    try:
        choose_run(server.machine)
        server.machine.wait_banner(25)
        assert 400 <= answer_to(server) < 500
        server.machine.expect_screen(
            rf"Store\s+{NAME} fails to write: no mail is taken")
    finally:
        server.close()
