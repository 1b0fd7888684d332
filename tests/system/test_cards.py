"""Every network card that QEMU has and we know: mail in, mail out, and a link
that goes and comes back."""
import os

import pytest

import mail
from conftest import STORE_OPEN, Booted, choose_load, copy_image
from stick import DOMAIN

CARDS = [
    "e1000", "e1000-82544gc", "e1000-82545em", "e1000e",
    "rtl8139", "virtio-net-pci,disable-legacy=on", "virtio-net-pci,disable-modern=on",
    "virtio-net-pci", "vmxnet3",
]
BIG = 1 << 20


@pytest.fixture(params=CARDS, ids=lambda card: card.replace(",", "-"))
def server(request, fresh_stick, tmp_path):
    image = copy_image(fresh_stick, str(tmp_path / "stick.img"))
    booted = Booted(str(tmp_path), image, nic=request.param).run()
    yield booted
    booted.close()


def test_mail_through_each_card(server):
    machine = server.machine
    line = os.urandom(35).hex().encode() + b"\r\n"
    body = b"Subject: card\r\n\r\n" + line * (BIG // len(line))
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}", body)[0] == 250
    (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert got.endswith(body)
    machine.qmp("set_link", name="nic", up=False)
    machine.expect_screen("is the cable in", limit_s=60)
    machine.qmp("set_link", name="nic", up=True)
    machine.expect_screen("link up", limit_s=60)
    (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert got.endswith(body)


SECOND = ("-netdev", "user,id=net2", "-device",
          "rtl8139,netdev=net2,id=nic2,mac=52:54:00:aa:bb:cc")
STATION = "52:54:00:12:34:56"


def test_two_cards(copy_stick, boot):
    """The one with link serves; the one chosen in the menu does."""
    machine = boot(copy_stick, extra=SECOND).machine
    choose_load(machine)
    machine.expect_screen(STORE_OPEN)
    machine.send("2")
    machine.expect_screen(r"\* 00:0\d\.0 " + STATION + r"  link, 1000 Mbit/s")
    machine.qmp("set_link", name="nic", up=False)
    machine.expect_screen(r"\* 00:0\d\.0 52:54:00:aa:bb:cc  link, 100 Mbit/s")
    machine.qmp("set_link", name="nic", up=True)
    machine.expect_screen(r"  00:0\d\.0 " + STATION + r"  link, 1000 Mbit/s")
    machine.send("\t\t\t\t" + STATION + "\x1bOQ")
    machine.expect_screen(r"Saved\.")
    machine.expect_screen(r"\* 00:0\d\.0 " + STATION)
    machine.send("\x1b")
    machine.expect_screen(r"  Menu")
    machine.send("1")
    assert machine.wait_banner(25)[1].startswith("220 ")
