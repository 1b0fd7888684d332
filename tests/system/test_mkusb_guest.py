"""mkusb run for real: in a Linux of its own, on the device node of a USB stick,
found by --list. The stick then boots."""
import glob
import os
import shutil

import guest
import mail
import qemu
from conftest import Booted
from stick import DOMAIN, HOSTNAME, MKUSB, ROOT, USERS

SCRIPT = """
mkusb --list
echo "list: $?"
printf 'no\\n' | mkusb --users /users.csv /dev/sda
echo "refused: $?"
printf 'yes\\n' | mkusb --users /users.csv --hostname {hostname} \\
    --domain {domain} --set ntp=off /dev/sda
echo "made: $?"
mkusb --check /dev/sda
echo "checked: $?"
mkusb --inspect /dev/sda
echo "inspected: $?"
"""
PROGRAMS = ("mtools", "syslinux")
LINKS = ("mformat", "mmd", "mcopy", "mdir", "mdel", "mattrib", "mmove")


def build_initramfs(path):
    folder = os.path.dirname(MKUSB)
    files = [(os.path.join(folder, name), "/usr/bin/" + name)
             for name in ("ao", "BOOTX64.EFI")]
    files += [(source, source) for pattern in
              ("/usr/lib/syslinux/modules/bios/*.c32",
               "/usr/lib/syslinux/mbr/mbr.bin") for source in glob.glob(pattern)
              if os.path.basename(source) in
              ("menu.c32", "libutil.c32", "libcom32.c32", "mboot.c32",
               "ldlinux.c32", "mbr.bin")]
    # The code page of mtools' file names.
    files += [(source, source) for pattern in
              ("IBM850.so", "gconv-modules*", "gconv-modules.d/*")
              for source in glob.glob("/usr/lib/x86_64-linux-gnu/gconv/"
                                      + pattern) if os.path.isfile(source)]
    files += [(USERS, "/users.csv"), (MKUSB, "/usr/bin/mkusb")]
    files += [(library, library) for library in guest.libraries(MKUSB)]
    files += [(os.path.realpath(shutil.which("mtools")), "/usr/bin/" + link)
              for link in LINKS]
    return guest.initramfs(
        path, SCRIPT.format(hostname=HOSTNAME, domain=DOMAIN),
        programs=[shutil.which(name) for name in PROGRAMS], files=files)


def test_stick_made_in_a_guest_boots(tmp_path, figure):
    image = str(tmp_path / "stick.img")
    with open(image, "wb") as empty:
        empty.truncate(256 << 20)
    initramfs = build_initramfs(str(tmp_path / "initramfs.gz"))
    with qemu.Machine(stick=image, kernel=guest.kernel(), network=None,
                      append="console=ttyS0 quiet panic=-1", memory="512M",
                      extra=("-initrd", initramfs, "-global",
                             "usb-storage.removable=on")) as linux:
        linux.expect("/dev/sda.*list: 0", 120)
        linux.expect("refused: [1-9]", 60)
        linux.expect("made: 0", 120)
        linux.expect("checked: 0", 60)
        linux.expect("anna.*inspected: 0", 60)
        linux.wait_end(60)
    server = Booted(str(tmp_path), image)
    try:
        server.run()
        assert server.banner.startswith(f"220 {HOSTNAME}")
        assert mail.send_one(server.smtp, f"anna@{DOMAIN}",
                             b"Subject: guest\r\n\r\nx\r\n")[0] == 250
        (got,) = mail.fetch_all(server.pop3, "anna", "anna-demo")
        assert got.endswith(b"x\r\n")
    finally:
        server.close()
    figure("a stick made by mkusb in a Linux guest, on /dev/sda, boots")
