"""The two columns of the benchmarks: Barepost and its peer, behind one face.

Both run in the same PC: QEMU with q35, one processor, MEMORY, e1000, everything
on a stick at xHCI, flushes honoured. A server is prepared once; start() then
boots a machine of it from a fresh copy of its stick and gives a Running, which
the measurements (measures.py) use without knowing which of the two it is.

Both know the users of maildrops.py, each with the password PASSWORD, at the
mail domain DOMAIN.
"""
import os
import re
import threading
import time

import folders
import load
import maildrops
import namespace
import qemu
import stick

MEMORY, LEAST_MEMORY = "512M", "64M"
DOMAIN, PASSWORD = "bench.example", "bench"
FETCHERS = [f"fetch{number}" for number in range(1, 21)]
USERS = [maildrops.EMPTY, "single"] + FETCHERS
PEER_IMAGE = os.path.join(folders.BUILD, "deps", "peer.img")
UP_LIMIT_S = 600


class Running:
    """One started machine. What differs between the servers is in the classes
    derived from it."""

    def __init__(self, image, folder, network, memory=MEMORY, **options):
        copy = os.path.join(folder, "stick.img")
        stick.run("cp", "--sparse=always", image, copy)
        extra = ("-machine", "q35", *options.pop("extra", ()))
        self.memory = int(memory[:-1])
        self.machine = qemu.Machine(stick=copy, network=network, memory=memory,
                                    forward=(25, 110, 80),
                                    extra=extra, **options)
        try:
            self.choose()
            self.up_s = self._wait_until_up()
            self.up()
        except BaseException:
            self.machine.__exit__()
            raise

    def choose(self):
        """Does what its boot needs of a hand at the keyboard."""

    def up(self):
        """Waits for what else the measurements need."""

    def _wait_until_up(self):
        """{port: seconds from QEMU's start to the first line}."""
        up, failures = {}, []

        def wait(port):
            try:
                self.machine.wait_banner(port, UP_LIMIT_S)
                up[port] = time.monotonic() - self.machine.started_at
            except qemu.Hang as hang:
                failures.append(hang)
        threads = [threading.Thread(target=wait, args=(port,))
                   for port in (25, 110)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return up

    def address(self, port):
        return self.machine.address(port)

    def send(self, sessions, messages, user=maildrops.EMPTY, **options):
        """Brings messages by smtp-source: seconds until all were accepted."""
        taken, complaint = load.smtp_source(
            self.address(25), sessions, messages,
            recipient=f"{user}@{DOMAIN}", **options)
        if complaint:
            raise qemu.Hang("smtp-source: " + complaint.strip()[:300])
        return taken

    def delivered(self, count):
        """Waits until as many messages lie in the maildrop "inbox"."""

    def fill(self, users):
        """Waits until the users' maildrops hold what maildrops.py says."""

    def serve_web(self):
        """Afterwards it answers on port 80."""

    def memory_mib(self):
        """The machine's memory but for what is still free, MiB: by the page
        "Tasks and memory" of Barepost's menu, by MemAvailable of Linux."""
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.machine.__exit__()


class RunningBarepost(Running):
    """Chosen at the boot menu at once, so that its wait is not counted."""

    def choose(self):
        self.machine.expect_screen("Run")
        self.machine.expect_screen("Load")
        self.machine.send("\r")
        self.chosen_at = time.monotonic()

    @property
    def since_chosen_s(self):
        """Seconds from the boot menu's Run to SMTP 220."""
        return self.up_s[25] - (self.chosen_at - self.machine.started_at)

    def fill(self, users):
        for user in users:
            self.send(10, maildrops.MESSAGES, user, length=maildrops.BYTES,
                      options=("-d",))

    def memory_mib(self):
        machine = self.machine
        machine.expect_screen("serving mail")
        machine.send("m")
        entry = machine.expect_screen(r"(\w)\s+Tasks and memory")
        machine.send(entry[1])
        left = machine.expect_screen(r"Memory in KB, of \d+, (\d+) left")
        machine.send("\x1b")
        machine.expect_screen(r"Tasks and memory")
        return self.memory - int(left[1]) / 1024


class RunningPeer(Running):
    """Debian with Postfix and Dovecot, as peer/build.sh makes it."""

    def command(self, line, limit_s=UP_LIMIT_S):
        """What a shell command in the machine prints (bench-shell)."""
        self.machine.send(line + "\n")
        text = self.machine.expect(r"(.*?)<<(\d+)>>", limit_s)
        if text[2] != "0":
            raise qemu.Hang(f"in the peer: {line}: {text[1]}")
        return text[1].strip()

    def up(self):
        self.machine.expect("<<ready>>", UP_LIMIT_S)

    def delivered(self, count):
        # postqueue's size of the queue would not do: it leaves out what the
        # delivery agents hold.
        self.command(f"until [ $(ls -U /srv/mail/{maildrops.EMPTY}/new | wc "
                     f"-l) -ge {count} ]; do sleep 0.2; done")

    def serve_web(self):
        # Not from the start on, so that the other figures are those of a mail
        # server alone.
        self.command("systemctl start nginx")

    def memory_mib(self):
        figures = dict(re.findall(r"(\w+):\s+(\d+) kB",
                                  self.command("cat /proc/meminfo")))
        return self.memory - int(figures["MemAvailable"]) / 1024

    def versions(self):
        return "Debian %s, Linux %s, Postfix %s, Dovecot %s, nginx %s" % (
            self.command("cat /etc/debian_version"), self.command("uname -r"),
            self.command("postconf -h mail_version"),
            self.command("dovecot --version").split()[0],
            self.command("nginx -v 2>&1").rpartition("/")[2])


class Barepost:
    name = "Barepost"
    starts_with_least = True

    def __init__(self, folder, tap):
        self.folder, self.network = folder, "tap0" if tap else "user"
        users = os.path.join(folder, "users.csv")
        with open(users, "w") as file:
            file.write("username,password\n")
            file.writelines(f"{user},{PASSWORD}\n" for user in USERS)
        self.image = self.make("barepost.img", users, "1G",
                               namespace.STICK_OPTIONS if tap else ())

    def make(self, name, users, size, options=()):
        return stick.make(os.path.join(self.folder, name), "--domain", DOMAIN,
                          *options, users=users, size=size)

    def start(self, image=None, network=None, **options):
        return RunningBarepost(image or self.image, self.folder,
                               network or self.network, **options)


class Peer:
    name = "Postfix + Dovecot"
    starts_with_least = False  # a Debian kernel and its initramfs alone do not

    def __init__(self, folder):
        self.folder = folder
        self.versions = "never started"

    def start(self, **options):
        running = RunningPeer(PEER_IMAGE, self.folder, "tap0", **options)
        self.versions = running.versions()
        return running
