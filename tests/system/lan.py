"""A local network of one's own: a bridge in a namespace, tap devices for virtual
PCs, and hosts, each a computer by itself with namespaces (network, mounts,
processes, name) and a root of its own.

Lan() moves the calling thread into the network's namespace, as a computer of
that network (HOST): whatever it and its children then open, sockets and QEMU
too, lies there. close() moves it back; nothing is left behind, for the hosts'
processes die with their namespaces.

A host's root is this computer's files overlaid by a RAM disk: packages may be
unpacked into it, users and files be added, and this computer sees none of it.
It needs root; possible() says whether it can be had here, why_not() why not.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import namespace
from qemu import Hang

PREFIX4, PREFIX6 = "10.0.2.", "fd00:2::"
CLONE_NEWNET = 0x40000000
HERE = os.path.dirname(os.path.abspath(__file__))
HOST_SCRIPT = os.path.join(HERE, "lan_host.sh")
# Addresses of HOST where tests listen by themselves, and one of it where
# nobody does; at the last one there is no computer at all.
SCRIPTED = [PREFIX4 + str(number) for number in range(41, 53)]
NOBODY_LISTENS, NO_COMPUTER = PREFIX4 + "98", PREFIX4 + "99"
# The AO's side, for mkusb.
STICK_OPTIONS = (*namespace.STICK_OPTIONS, "--dns", PREFIX4 + "53")

libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """Why no such network can be made here; empty when it can."""
    if os.geteuid() != 0:
        return "namespaces with tap devices need root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    if not namespace.possible():
        return "network namespaces are not allowed here"
    with open("/proc/filesystems", encoding="ascii") as known:
        return "" if "\toverlay\n" in known.read() else "no overlayfs"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, stdin=subprocess.DEVNULL,
                   timeout=20)


def sysctl(name, value):
    with open("/proc/sys/" + name, "w", encoding="ascii") as setting:
        setting.write(value)


class Lan:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="barepost-lan-")
        self.hosts = []
        self.taps = 0
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        ip("link", "set", "lo", "up")
        ip("link", "add", "lan", "type", "bridge", "mcast_snooping", "0")
        for address in (namespace.HOST, *SCRIPTED, NOBODY_LISTENS):
            ip("addr", "add", address + "/24", "dev", "lan")
        ip("-6", "addr", "add", PREFIX6 + "2/64", "dev", "lan", "nodad")
        ip("link", "set", "lan", "up")
        # A host that is not there is known after 1 s instead of 3.
        sysctl("net/ipv4/neigh/lan/mcast_solicit", "1")

    def tap(self):
        """A new tap device of the network, for one virtual PC."""
        name = f"tap{self.taps}"
        self.taps += 1
        ip("tuntap", "add", "dev", name, "mode", "tap")
        ip("link", "set", name, "master", "lan", "up")
        return name

    def host(self, *arguments, **options):
        host = Host(self, *arguments, **options)
        self.hosts.append(host)
        return host

    def close(self):
        for host in self.hosts:
            host.close()
        if libc.setns(self.home, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(self.home)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def account_lines(users):
    """passwd and group of this computer and the users {name: number}."""
    texts = {}
    for path, form in (("/etc/passwd", "{0}:x:{1}:{1}::/home/{0}:/bin/sh\n"),
                       ("/etc/group", "{0}:x:{1}:\n")):
        with open(path, encoding="utf-8") as file:
            known = [line for line in file.read().splitlines(True)
                     if line.split(":")[0] not in users]
        texts[path] = "".join(known) + "".join(
            form.format(name, number) for name, number in users.items())
    return texts


class Host:
    """A computer of the network that runs one program (command, for sh).

    number: last part of its addresses; tree: where packages were unpacked;
    files: {path: text} to be written; users: {name: number} to be added."""

    def __init__(self, lan, name, number, command, tree="", files=(), users=(),
                 resolver=""):
        self.name, self.address = name, PREFIX4 + str(number)
        self.folder = os.path.join(lan.folder, name)
        staged = os.path.join(self.folder, "files")
        texts = account_lines(dict(users))
        texts["/etc/hosts"] = f"127.0.0.1 localhost\n{self.address} {name}\n"
        texts["/etc/hostname"] = texts["/etc/mailname"] = name + "\n"
        texts["/etc/resolv.conf"] = f"nameserver {resolver}\n"
        texts.update(dict(files))
        for path, text in texts.items():
            os.makedirs(os.path.dirname(staged + path), exist_ok=True)
            with open(staged + path, "w", encoding="utf-8") as file:
                file.write(text)
        self.output = os.path.join(self.folder, "output")
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--net",
                 "--mount", "--uts", "--ipc", "--pid", "--fork",
                 "--kill-child", "sh", HOST_SCRIPT, self.folder, name,
                 str(number), tree, command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output)
        self._join(lan, f"port{number}")

    def _join(self, lan, port):
        """Gives it its network card once its namespace is there."""
        if self.process.stdout.readline() != b"ready\n":
            raise Hang(f"{self.name} does not start: {self.log()}")
        ip("link", "add", port, "type", "veth", "peer", "name", "eth0",
           "netns", str(self.process.pid))
        ip("link", "set", port, "master", "lan", "up")
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as children:
            self.init = int(children.read().split()[0])

    def path(self, inside):
        """A path of the host as it is seen from here, while it runs."""
        return f"/proc/{self.init}/root{inside}"

    def log(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def run(self, *command):
        """Runs a command on the host; gives what it printed."""
        return subprocess.run(
            ["nsenter", "--target", str(self.init), "--all", "--root", "--wd=/",
             *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=60, check=True).stdout.decode()

    def wait_port(self, port, limit_s=30):
        """Waits until its program listens."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection((self.address, port), 2).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise Hang(f"{self.name} does not serve port {port}: {self.log()}")

    def close(self):
        """Its first process ends, and all others with it."""
        if self.process.poll() is None:
            os.kill(self.init, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
