"""A small Linux guest: Debian's kernel, and an initramfs made here of programs
of this computer, busybox and a script that runs once."""
import glob
import gzip
import os
import re
import stat
import subprocess

from stick import ROOT

KERNEL_FOLDER = os.path.join(ROOT, "build", "deps", "guest-kernel")
BUSYBOX = os.path.join(ROOT, "build", "deps", "busybox-static", "bin",
                       "busybox")
# What a USB stick needs of drivers, in any order: they know their own.
MODULES = ("xhci-pci", "usb-storage", "sd_mod", "crct10dif_common",
           "crct10dif_generic", "crc64_rocksoft_generic")
START = """#!/bin/busybox sh
export PATH=/usr/bin:/bin:/usr/sbin:/sbin TMPDIR=/tmp HOME=/tmp
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
for module in {modules}; do busybox insmod /modules/$module.ko; done
tries=0
while [ ! -b /dev/sda ] && [ $tries -lt 300 ]; do
    busybox sleep 0.1
    tries=$((tries + 1))
done
{script}
busybox poweroff -f
"""


def kernel():
    (path,) = glob.glob(os.path.join(KERNEL_FOLDER, "boot", "vmlinuz-*"))
    return path


def module_path(name):
    found = glob.glob(os.path.join(KERNEL_FOLDER, "**",
                                   re.sub("[-_]", "[-_]", name) + ".ko"),
                      recursive=True)
    return found[0] if found else None  # built into the kernel


def modules_in_order(names):
    """Each behind those that it names as its needs."""
    order = []

    def add(name):
        path = module_path(name)
        if path is None or path in order:
            return
        with open(path, "rb") as file:
            needs = re.search(rb"\0depends=([^\0]*)\0", file.read())
        for need in needs[1].decode().split(",") if needs else ():
            if need:
                add(need)
        order.append(path)
    for name in names:
        add(name)
    return order


def libraries(program):
    shown = subprocess.run(["ldd", program], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True).stdout
    return re.findall(r"(/\S+) \(0x", shown)


class Archive:
    """cpio, "newc", as the kernel unpacks it."""

    def __init__(self):
        self.bytes = bytearray()
        self.known = set()

    def _entry(self, name, mode, content=b""):
        self.known.add(name)
        encoded = name.encode() + b"\0"
        fields = (len(self.known), mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0,
                  len(encoded), 0)
        self.bytes += b"070701" + b"".join(b"%08x" % f for f in fields)
        for part in (encoded, content):
            self.bytes += part
            self.bytes += bytes(-len(self.bytes) % 4)

    def folders(self, path):
        parts = path.strip("/").split("/")[:-1]
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[:count])
            if name not in self.known:
                self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, path, content, mode=0o755):
        self.folders(path)
        if path.strip("/") not in self.known:
            self._entry(path.strip("/"), stat.S_IFREG | mode, content)

    def link(self, path, target):
        self.folders(path)
        self._entry(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def copy(self, source, path=None):
        with open(source, "rb") as file:
            self.file(path or source, file.read())

    def program(self, path):
        """With its libraries, at the place where it is here."""
        self.copy(path)
        for library in libraries(path):
            self.copy(library)

    def write(self, path):
        self._entry("TRAILER!!!", 0)
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(self.bytes)


def initramfs(path, script, programs=(), files=()):
    """script: shell lines, run when /dev/sda is there or 30 s have gone;
    then the guest switches off. files: (source, path in the guest)."""
    archive = Archive()
    for folder in ("proc/", "sys/", "dev/", "tmp/"):
        archive.folders(folder + "x")
    archive.copy(BUSYBOX, "/bin/busybox")
    archive.link("/bin/sh", "busybox")
    order = modules_in_order(MODULES)
    names = [os.path.basename(module)[:-3] for module in order]
    for module, name in zip(order, names):
        archive.copy(module, f"/modules/{name}.ko")
    for program in programs:
        archive.program(program)
    for source, place in files:
        archive.copy(source, place)
    archive.file("/init", START.format(modules=" ".join(names),
                                       script=script).encode())
    archive.write(path)
    return path
