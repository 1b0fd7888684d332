"""One stick, many PCs: each row boots it, sends a mail and fetches it. The
cards have a test of their own (test_cards.py)."""
import os

import pytest

import mail
from conftest import Booted, copy_image
from stick import DOMAIN, HOSTNAME

UEFI = ("-bios", "/usr/share/ovmf/OVMF.fd")
LIMIT_S = 120

HUB = "usb-hub,bus=usb.0,port=1"
# QEMU's hubs are of USB 1.1: EHCI leaves them to these.
COMPANIONS = ("ich9-usb-uhci1,masterbus=usb.0,firstport=0,multifunction=on",
              "ich9-usb-uhci2,masterbus=usb.0,firstport=2",
              "ich9-usb-uhci3,masterbus=usb.0,firstport=4")
# Hubs in a row: two below the first one.
CASCADE = (HUB, "usb-hub,bus=usb.0,port=1.2", "usb-hub,bus=usb.0,port=1.2.3")

# firmware, type of machine, memory, controller of the stick
ROWS = [
    ("bios", "pc", "32M", "qemu-xhci"),
    ("bios", "pc", "64M", "qemu-xhci"),
    ("bios", "q35", "512M", "qemu-xhci"),
    ("bios", "q35", "6G", "nec-usb-xhci"),
    ("bios", "pc", "64M", "piix3-usb-uhci"),
    ("bios", "pc", "64M", "pci-ohci"),
    ("bios", "q35", "64M", "usb-ehci"),
    ("uefi", "q35", "512M", "usb-ehci"),
    ("uefi", "q35", "6G", "nec-usb-xhci"),
    ("uefi", "pc", "512M", "qemu-xhci"),
]


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_boots_and_serves(row, fresh_stick, tmp_path, figure):
    firmware, machine, memory, controller = row
    extra = ("-machine", machine) + (UEFI if firmware == "uefi" else ())
    serve(fresh_stick, tmp_path, memory=memory, extra=extra,
          controller=controller)
    figure("boots, takes and gives mail: " + ", ".join(row))


# name, controller, further devices, port of the stick
HUB_ROWS = [
    ("a hub on xHCI", "qemu-xhci", (HUB,), "1.1"),
    ("three hubs in a row on xHCI", "qemu-xhci", CASCADE, "1.2.3.4"),
    ("a hub on UHCI", "piix3-usb-uhci", (HUB,), "1.1"),
    ("a hub at a companion of EHCI", "ich9-usb-ehci1", (*COMPANIONS, HUB),
     "1.1"),
]


@pytest.mark.parametrize("row", HUB_ROWS, ids=lambda row: row[0])
def test_boots_behind_hubs(row, fresh_stick, tmp_path, figure):
    name, controller, devices, port = row
    serve(fresh_stick, tmp_path, controller=controller, devices=devices,
          port=port)
    figure("boots, takes and gives mail: bios, the stick behind " + name)


def serve(fresh_stick, tmp_path, **options):
    """Boots, sends a mail and fetches it."""
    image = copy_image(fresh_stick, str(tmp_path / "stick.img"))
    server = Booted(str(tmp_path), image, **options)
    try:
        server.machine.expect_screen(r"Load\b", LIMIT_S)
        server.machine.send("\r")
        _, banner = server.machine.wait_banner(25, LIMIT_S)
        assert banner.startswith(f"220 {HOSTNAME}")
        body = b"Subject: row\r\n\r\n" + os.urandom(900).hex().encode() + b"\r\n"
        assert mail.send_one(server.smtp, f"anna@{DOMAIN}", body)[0] == 250
        (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
        assert got.endswith(body)
    finally:
        server.close()
