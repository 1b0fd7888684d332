"""Real mail servers and a name server, each a host of lan.py: Debian's Postfix,
Exim, OpenSMTPD and unbound as `make deps` unpacked them, with the files of
folder peers/.

Each takes mail for users of its own domain into Maildirs, and relays whatever
else comes from the tests' network by what the DNS says.
"""
import glob
import os
import time

from qemu import Hang
from stick import ROOT

DEPS = os.path.join(ROOT, "build", "deps")
FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
DNS = "10.0.2.53"
VMAIL = {"vmail": 5000}


def text(name):
    with open(os.path.join(FILES, name), encoding="utf-8") as file:
        return file.read()


def unbound(lan):
    """The name server of all of them."""
    host = lan.host(
        "ns.example", 53, "unbound -d -d -c /etc/unbound/unbound.conf",
        tree=os.path.join(DEPS, "unbound"),
        files={"/etc/unbound/unbound.conf": text("unbound.conf"),
               **{f"/etc/unbound/{zone}": text(zone)
                  for zone in ("root.zone", "example.zone")}})
    return host.wait_port(53)


class Peer:
    """A mail server: where its boxes are, and what came to them."""
    box = "/mail/{}"
    log_file = None

    def __init__(self, lan, domain, number, command, **options):
        self.domain = domain
        self.user = "paul@" + domain
        self.host = lan.host("mail." + domain, number, command, resolver=DNS,
                             **options)
        self.seen = set()

    @property
    def smtp(self):
        return self.host.address, 25

    def ready(self, limit_s=60):
        self.host.wait_port(25, limit_s)
        return self

    def log(self):
        path = self.host.path(self.log_file) if self.log_file else ""
        if not os.path.exists(path):
            return self.host.log()
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def messages(self, box="paul"):
        """All messages of a box, oldest first, as {path: bytes}. Lines end
        with LF there."""
        folder = self.host.path(self.box.format(box))
        found = {}
        for path in sorted(glob.glob(folder + "/new/*"),
                           key=lambda path: os.stat(path).st_mtime_ns):
            with open(path, "rb") as file:
                found[path] = file.read()
        return found

    def wait_mail(self, holds, box="paul", limit_s=30):
        """The next message, not yet given out, that has these bytes in it."""
        deadline = time.monotonic() + limit_s
        while True:
            for path, message in self.messages(box).items():
                if path not in self.seen and holds in message:
                    self.seen.add(path)
                    return message
            if time.monotonic() > deadline:
                raise Hang(f"no {holds!r} came to {box}@{self.domain}; its "
                           f"log ends with: {self.log()[-3000:]}")
            time.sleep(0.05)


def postfix(lan, boxes="boxes"):
    """More boxes than those of the file peers/boxes may be given as text."""
    lines = text("boxes") if boxes == "boxes" else boxes
    peer = Peer(
        lan, "postfix.example", 31,
        "mkdir -p /mail /var/spool/postfix /var/lib/postfix"
        " && chown 5000:5000 /mail && chown postfix /var/lib/postfix"
        " && cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf"
        " && postconf -F '*/*/chroot=n'"
        " && postfix start-fg",
        tree=os.path.join(DEPS, "postfix"),
        users={"postfix": 5001, "postdrop": 5002, **VMAIL},
        files={"/etc/postfix/main.cf": text("main.cf"),
               "/etc/postfix/boxes": lines})
    peer.log_file = "/var/log/postfix.log"
    return peer


def exim(lan):
    peer = Peer(
        lan, "exim.example", 32,
        "mkdir -p /mail /var/spool/exim /var/log/exim && chown 5000:5000 /mail"
        " && chown Debian-exim /var/spool/exim /var/log/exim"
        " && exim4 -bdf -q2s",
        tree=os.path.join(DEPS, "exim4-daemon-light"),
        users={"Debian-exim": 5003, **VMAIL},
        files={"/etc/exim4/exim4.conf": text("exim4.conf")})
    peer.log_file = "/var/log/exim/mainlog"
    return peer


def opensmtpd(lan):
    peer = Peer(
        lan, "opensmtpd.example", 33,
        "mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd /home/paul"
        " && chmod 711 /var/spool/smtpd && chown paul /home/paul"
        " && smtpd -d -v",
        tree=os.path.join(DEPS, "opensmtpd"),
        users={"opensmtpd": 5004, "opensmtpq": 5005, "paul": 5006},
        files={"/etc/smtpd.conf": text("smtpd.conf")})
    peer.box = "/home/{}/Maildir"
    return peer
