#!/usr/bin/python3
"""`make bench`: Barepost's figures in QEMU, next to those of its peers.

One machine with 64 MiB, e1000, the stick on xHCI; TCG unless BAREPOST_ACCEL
says otherwise (the peers' figures are from TCG). As root it uses a namespace
of its own with a tap device; otherwise QEMU's user network, which is slower.

    bench.py [boot] [smtp] [pop3] [segments] [idle] [size]     default: all

The peer everywhere: Debian 12 with Postfix 3.7 and Dovecot 2.3 on Linux in the
same virtual machine but for its memory (512 MiB): QEMU 7.2, TCG, one
processor, e1000, root and mail on a raw image behind usb-storage on xHCI,
flushes honoured. Such figures vary with the computer: compare what was
measured side by side.
"""
import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import load  # noqa: E402
import mail  # noqa: E402
import namespace  # noqa: E402
import qemu  # noqa: E402
import stick  # noqa: E402

# Measured of the peer named above: the medians, or the span where it was wide.
PEER = {
    "boot": "45-61 s",
    "smtp": {1: 10.0, 10: 13.0, 100: 11.2},
    "flushes": "3.7-4.0", "kib": "94-186", "writes": "5.5-17",
    "pop3": {1: 193, 20: 98},
    "logins": "2.1",
    "idle": "100 at once, all 1,000 greeted after 399 s, none kept",
    "segments": {"SMTP, no pipelining": 16, "SMTP, pipelining": 8,
                 "POP3, one message": 14},
}
PEER_NAME = "Postfix 3.7 + Dovecot 2.3"
SMTP_MESSAGES = {1: 300, 10: 1000, 100: 3000}
POP3_USERS = 20
POP3_MESSAGES = 200
POP3_BYTES = 10240


def table(title, head, rows):
    cells = [[str(cell) for cell in row] for row in [head] + rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    print(f"\n{title}")
    for number, row in enumerate(cells):
        print("  " + "  ".join(cell.ljust(width) if at == 0
                               else cell.rjust(width) for at, (cell, width)
                               in enumerate(zip(row, widths))).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    sys.stdout.flush()


class Bench:
    def __init__(self, folder, tap):
        self.folder = folder
        self.failed = False
        self.network = "tap0" if tap else "user"
        self.static = tap
        users = os.path.join(folder, "users.csv")
        with open(users, "w") as file:
            file.write("username,password\n")
            for number in range(1, POP3_USERS + 1):
                file.write(f"u{number},bench\n")
        self.image = stick.make(
            os.path.join(folder, "bench.img"), *(namespace.STICK_OPTIONS
                                                 if tap else ()),
            users=users, size="512M")

    def start(self, image=None, network=None, **options):
        """A machine on a fresh copy of the stick, Run chosen at once."""
        copy = os.path.join(self.folder, "stick.img")
        stick.run("cp", "--sparse=always", image or self.image, copy)
        machine = qemu.Machine(stick=copy, network=network or self.network,
                               **options)
        machine.expect_screen("Run")
        machine.expect_screen("Load")
        machine.send("\r")
        chosen_at = time.monotonic()
        machine.wait_banner(25)
        machine.up_s = time.monotonic() - machine.started_at
        machine.run_s = time.monotonic() - chosen_at
        return machine

    # -- From switching on to 220 --

    def boot(self):
        dhcp = self.image
        if self.static:
            dhcp = stick.make(os.path.join(self.folder, "dhcp.img"),
                              size="64M")
        rows = []
        for nic in ("e1000", "e1000e"):
            if self.static:
                rows.append(self.boot_row(nic, "static", self.image,
                                          self.network))
            rows.append(self.boot_row(nic, "DHCP", dhcp, "user"))
        table("Seconds from QEMU's start to SMTP 220, without the boot menu's "
              "wait of 5 s (QEMU's e1000 holds back what it receives for 1 s)",
              ["", "Barepost", "spread", "after the menu", PEER_NAME], rows)

    def boot_row(self, nic, how, image, network):
        times, after_menu = [], []
        for _ in range(5):
            with self.start(image=image, network=network, nic=nic) as machine:
                times.append(machine.up_s)
                after_menu.append(machine.run_s)
        return [f"{nic}, {how}", f"{statistics.median(times):.2f}",
                f"{min(times):.2f}-{max(times):.2f}",
                f"{statistics.median(after_menu):.2f}", PEER["boot"]]

    # -- SMTP --

    def smtp(self):
        rows = []
        for sessions, messages in SMTP_MESSAGES.items():
            with self.start() as machine:
                rows.append(self.smtp_row(machine, sessions, messages))
        table("SMTP, 1 KiB messages made durable, a connection for each",
              ["sessions", "accepted/s", PEER_NAME, "flushes", "peer", "KiB",
               "peer", "writes", "peer"], rows)

    def smtp_row(self, machine, sessions, messages):
        before = machine.disk_figures()
        taken, complaint = load.smtp_source(
            machine.address(25), sessions, messages,
            recipient=f"u1@{stick.DOMAIN}")
        after = machine.disk_figures()
        if complaint:
            print(f"  {sessions} sessions: {complaint.strip()}")
        each = {key: (after[key] - before[key]) / messages for key in
                ("flush_operations", "wr_bytes", "wr_operations")}
        return [sessions, f"{messages / taken:.0f}", PEER["smtp"][sessions],
                f"{each['flush_operations']:.3f}", PEER["flushes"],
                f"{each['wr_bytes'] / 1024:.1f}", PEER["kib"],
                f"{each['wr_operations']:.2f}", PEER["writes"]]

    # -- POP3 --

    def pop3(self):
        with self.start() as machine:
            for number in range(1, POP3_USERS + 1):
                load.smtp_source(machine.address(25), 10, POP3_MESSAGES,
                                 recipient=f"u{number}@{stick.DOMAIN}",
                                 length=POP3_BYTES, options=("-d",))
            rows = [self.pop3_row(machine, ["u1"]),
                    self.pop3_row(machine, [f"u{number}" for number in
                                            range(1, POP3_USERS + 1)])]
            logins = self.logins(machine)
        table(f"POP3, {POP3_MESSAGES} messages of 10 KiB each: STAT, RETR and "
              "DELE of all, QUIT", ["clients", "messages", "messages/s",
                                    "MB/s", PEER_NAME], rows)
        table("POP3 logins one after the other (argon2id)",
              ["", "Barepost", PEER_NAME],
              [["logins/s", f"{logins:.1f}", PEER["logins"]]])

    @staticmethod
    def pop3_row(machine, users):
        results = []
        ready = threading.Barrier(len(users) + 1)
        threads = [threading.Thread(target=pop3_session, args=(
            machine.address(110), user, ready, results)) for user in users]
        for thread in threads:
            thread.start()
        ready.wait()
        begun = time.monotonic()
        for thread in threads:
            thread.join()
        taken = time.monotonic() - begun
        messages = sum(count for count, _ in results)
        if len(results) != len(users):
            print(f"  {len(users) - len(results)} POP3 clients failed")
        return [len(users), messages, f"{messages / taken:.0f}",
                f"{sum(size for _, size in results) / taken / 1e6:.2f}",
                PEER["pop3"][len(users)]]

    @staticmethod
    def logins(machine, count=20):
        begun = time.monotonic()
        for number in range(count):
            mail.Pop3(machine.address(110), f"u{number % POP3_USERS + 1}",
                      "bench").quit()
        return count / (time.monotonic() - begun)

    # -- On the wire --

    def segments(self):
        capture = os.path.join(self.folder, "wire.pcap")
        with self.start(capture=capture) as machine:
            smtp_once(machine.address(25), False)
            smtp_once(machine.address(25), True)
            pop3_once(machine.address(110))
            time.sleep(0.5)  # the last FINs
        smtp = [one for one in mail.sessions(capture, 25)
                if b"354" in one.data]
        pop3 = [one for one in mail.sessions(capture, 110)
                if b"+OK" in one.data][-1:]
        names = list(PEER["segments"])
        table("Segments from the server in one session, one 1 KiB message",
              ["", "Barepost", PEER_NAME],
              [[name, one.from_server, PEER["segments"][name]]
               for name, one in zip(names, smtp[:2] + pop3)])

    # -- Many that do nothing --

    def idle(self, wanted=1000):
        with self.start() as machine:
            clients, begun = [], time.monotonic()
            try:
                for _ in range(wanted):
                    clients.append(mail.Smtp(machine.address(25), 20))
                    if clients[-1].banner[0] != 220:
                        clients.pop()
                        break
            except OSError as error:
                print(f"  {error}")
            taken = time.monotonic() - begun
            alive = sum(one.command("NOOP")[0] == 250 for one in clients)
        table(f"{wanted} SMTP connections opened and left idle",
              ["", "Barepost", PEER_NAME],
              [["greeted", f"{len(clients)} after {taken:.1f} s", PEER["idle"]],
               ["answer NOOP then", alive, ""]])

    # -- What it weighs --

    @staticmethod
    def size():
        rooms = {}
        base = os.path.join(ROOT, "build", "ao-obj")
        objects = glob.glob(base + "/**/*.o", recursive=True)
        lines = subprocess.run(["size", *objects], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.split("\n")[1:]
        for line in filter(None, lines):
            fields = line.split()
            parts = os.path.relpath(fields[5], base).split("/")
            deep = parts[0] == "firmware" and len(parts) > 2
            room = "/".join(parts[:2]) if deep else parts[0]
            sums = rooms.setdefault(room, [0, 0, 0])
            for at in range(3):
                sums[at] += int(fields[at])
        whole = subprocess.run(["size", stick.AO], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.split("\n")[1]
        rows = [[room, *rooms[room]] for room in sorted(rooms)]
        rows.append(["build/ao, with libraries", *whole.split()[:3]])
        table("Bytes of the AO by room (rooms: before the linker drops what "
              "is unused)", ["room", "code", "data", "zeroed"], rows)


def pop3_session(address, user, ready, results):
    """Fetches and deletes everything. Reads by blocks, so that the client is
    not what is measured."""
    client = mail.Pop3(address, user, "bench")
    connection = client.sock
    ready.wait()
    count = client.stat()[0]
    received = 0
    for number in range(1, count + 1):
        connection.sendall(b"RETR %d\r\n" % number)
        block = connection.recv(65536)
        while block and not block.endswith(b"\r\n.\r\n"):
            more = connection.recv(65536)
            block = block + more if more else b""
        if not block.startswith(b"+OK"):
            return
        received += len(block)
    for number in range(1, count + 1):
        client.dele(number)
    client.quit()
    results.append((count, received))


def smtp_once(address, pipelining):
    body = (b"From: a@client.example\r\nTo: u1@" + stick.DOMAIN.encode()
            + b"\r\nSubject: t\r\n\r\n")
    body += b"x" * (1022 - len(body)) + b"\r\n"
    sender, recipient = "a@client.example", f"u1@{stick.DOMAIN}"
    with mail.Smtp(address) as client:
        client.command("EHLO client.example")
        if pipelining:
            client.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\n"
                        "DATA\r\n".encode())
            replies = [client.reply()[0] for _ in range(3)]
            client.send(body + b".\r\nQUIT\r\n")
            replies += [client.reply()[0] for _ in range(2)]
            assert replies == [250, 250, 354, 250, 221], replies
        else:
            assert client.deliver(recipient, body, sender)[0] == 250
            assert client.command("QUIT")[0] == 221
        assert client.reply()[0] == 0  # until the server has closed


def pop3_once(address):
    client = mail.Pop3(address, "u1", "bench")
    client.stat()
    client.retrieve(1)
    client.dele(1)
    client.quit()


def main():
    tap = namespace.enter(os.path.abspath(__file__))
    wanted = sys.argv[1:] or ["boot", "smtp", "pop3", "segments", "idle",
                              "size"]
    folder = tempfile.mkdtemp(prefix="barepost-bench-")
    try:
        bench = Bench(folder, tap)
        print(f"QEMU with {qemu.accelerator()}, 64 MiB, e1000, stick on xHCI, "
              + ("tap device" if tap else "user network"))
        for name in wanted:
            try:
                getattr(bench, name)()
            except (qemu.Hang, OSError, AssertionError, mail.poplib.error_proto,
                    subprocess.SubprocessError) as error:
                print(f"\n{name}: {error}")
                bench.failed = True
        return int(bench.failed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
