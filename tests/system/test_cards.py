"""Every network card that QEMU has and we know: mail in, mail out, and a link
that goes and comes back."""
import os

import pytest

import mail
from conftest import Booted, copy_image
from stick import DOMAIN

CARDS = [
    "e1000", "e1000-82544gc", "e1000-82545em", "e1000e",
    "rtl8139", "virtio-net-pci,disable-legacy=on", "virtio-net-pci,disable-modern=on",
    "virtio-net-pci",
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
