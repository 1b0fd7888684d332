"""A PC in QEMU, as the tests drive it.

Machine starts QEMU paused, connects to its serial line and its QMP monitor,
and lets it run only then, so that no byte is lost. Both are read by threads of
their own all the time: an unread serial line would block the guest. Waiting is
always for an event (a pattern on the console, a QMP event, a process that
ends), with a limit after which Hang is raised together with what was seen.

Network: "user" (QEMU's own, no rights needed; host ports chosen by the kernel,
see Machine.address()), the name of a tap device (to be made before, see
namespace.py and lan.py) or None. Nothing needs root but a tap device.
"""
import atexit
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from screen import Terminal

QEMU = "qemu-system-x86_64"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[@-~]|\x1b[()][A-Za-z0-9]|[\x0e\x0f]")
GUEST_ADDRESS = "10.0.2.15"


class Hang(Exception):
    """Something did not happen in its time."""


class Refused(Exception):
    """QMP answered with an error."""


# ---- Which accelerator --------------------------------------------------------

# A boot sector which ends QEMU by way of isa-debug-exit with status 33: it
# shows that firmware and guest really run.
PROBE = bytes([0xB0, 0x10, 0xE6, 0xF4, 0xF4, 0xEB, 0xFD])

# The processor that a guest gets: with KVM only the host's own can be had.
CPU = {"tcg": "qemu64,+rdrand", "kvm": "host"}


def boots_with(accelerator, limit_s=15):
    """Whether a guest really boots: a /dev/kvm that opens is not enough."""
    with tempfile.TemporaryDirectory(prefix="barepost-") as folder:
        path = os.path.join(folder, "probe.img")
        with open(path, "wb") as image:
            image.write(PROBE.ljust(510, b"\0") + b"\x55\xaa")
        command = [QEMU, "-accel", accelerator,
                   "-cpu", CPU.get(accelerator, "max"), "-m", "16M",
                   "-display", "none", "-nodefaults", "-device",
                   "isa-debug-exit,iobase=0xf4,iosize=4",
                   "-drive", f"file={path},format=raw,if=ide"]
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL,
                                  timeout=limit_s).returncode == 33
        except (OSError, subprocess.TimeoutExpired):
            return False


def accelerator():
    """BAREPOST_ACCEL: "tcg" (default: figures that can be compared), "kvm", or
    "auto": KVM where it truly works."""
    wanted = os.environ.get("BAREPOST_ACCEL", "tcg")
    if wanted == "auto":
        usable = os.access("/dev/kvm", os.R_OK | os.W_OK) and boots_with("kvm")
        wanted = "kvm" if usable else "tcg"
    return wanted


# ---- Serial line --------------------------------------------------------------

class Serial:
    """The console: everything that came, and the screen that it makes."""

    def __init__(self, connection, log_path):
        self.connection = connection
        self.changed = threading.Condition()
        self.raw = b""
        self.text = ""       # without escape sequences
        self.position = 0    # up to where expect() has consumed text
        self.ended = False
        self.terminal = Terminal()
        self.log = open(log_path, "wb")
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self):
        pending = ""
        while True:
            try:
                data = self.connection.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            self.log.write(data)
            self.log.flush()
            with self.changed:
                self.raw += data
                arrived = data.decode("cp437")
                self.terminal.feed(arrived)
                pending += arrived
                cut = len(pending)
                escape = pending.rfind("\x1b")
                if escape >= 0 and not ESCAPES.match(pending, escape) \
                        and cut - escape < 16:
                    cut = escape
                self.text += ESCAPES.sub("", pending[:cut])
                pending = pending[cut:]
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        self.log.close()

    def send(self, data):
        self.connection.sendall(data if isinstance(data, bytes)
                                else data.encode())

    def wait(self, look, what, limit_s):
        """Calls look() at each change until it gives something true."""
        deadline = time.monotonic() + limit_s
        with self.changed:
            while True:
                found = look()
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    why = "console ended" if self.ended else f"{limit_s} s"
                    raise Hang(f"no {what!r} ({why}); the screen:\n"
                               f"{self.terminal.text()}\n--- last bytes: "
                               f"{self.text[-1500:]!r}")
                self.changed.wait(left)

    def expect(self, pattern, limit_s=30):
        """The next match in the stream of characters, consumed."""
        rule = re.compile(pattern, re.S)

        def look():
            match = rule.search(self.text, self.position)
            if match:
                self.position = match.end()
            return match
        return self.wait(look, pattern, limit_s)

    def expect_screen(self, pattern, limit_s=30):
        """Waits until the screen shows a match. Consumes nothing."""
        rule = re.compile(pattern, re.M)
        return self.wait(lambda: rule.search(self.terminal.text()), pattern,
                         limit_s)

    def screen(self):
        with self.changed:
            return self.terminal.text()


# ---- QMP ----------------------------------------------------------------------

class Monitor:
    def __init__(self, connection):
        self.connection = connection
        self.answers = queue.Queue()
        self.events = []
        self.changed = threading.Condition()
        self.ended = False
        threading.Thread(target=self._drain, daemon=True).start()
        self.command("qmp_capabilities")

    def _drain(self):
        with self.connection.makefile("rb") as lines:
            try:
                for line in lines:
                    self._take(json.loads(line))
            except (OSError, ValueError):
                pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        self.answers.put(None)

    def _take(self, item):
        if "event" in item:
            with self.changed:
                self.events.append(item)
                self.changed.notify_all()
        elif "QMP" not in item:
            self.answers.put(item)

    def command(self, name, /, limit_s=30, **arguments):
        text = {"execute": name}
        if arguments:
            text["arguments"] = {key.replace("_", "-"): value
                                 for key, value in arguments.items()}
        self.connection.sendall(json.dumps(text).encode() + b"\n")
        try:
            answer = self.answers.get(timeout=limit_s)
        except queue.Empty:
            raise Hang(f"QMP {name}: no answer") from None
        if answer is None:
            raise Refused(f"QMP {name}: the monitor is gone")
        if "error" in answer:
            raise Refused(f"QMP {name}: {answer['error']['desc']}")
        return answer["return"]

    def event(self, name, limit_s=30):
        """The next event of that name, consumed."""
        deadline = time.monotonic() + limit_s
        with self.changed:
            while True:
                for item in self.events:
                    if item["event"] == name:
                        self.events.remove(item)
                        return item
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise Hang(f"no QMP event {name}")
                self.changed.wait(left)


# ---- The machine --------------------------------------------------------------

class Machine:
    """One PC. stick: path of an image, written in place. kernel: boot this
    file at once instead of what is on the stick. capture: path for a pcap of
    all frames. forward: guest ports reachable from here (network "user").
    guest, card: its IPv4 and MAC address where there are several in a network.
    tftp: a folder that QEMU serves at 10.0.2.2 (network "user").
    devices: further USB devices, before the stick; port: where that is plugged
    in, as "1.2" for the second port of a hub in the first one.
    """

    def __init__(self, stick=None, kernel=None, append="", memory="64M",
                 network="user", forward=(25, 110), capture=None, extra=(),
                 paused=False, controller="qemu-xhci", cpu=None,
                 nic="e1000", guest=GUEST_ADDRESS, card="52:54:00:12:34:56",
                 tftp=None, devices=(), port=None):
        self.folder = tempfile.mkdtemp(prefix="barepost-")
        self.network = network
        self.guest = guest
        self.ports = {}
        command = [QEMU, "-accel", accelerator(),
                   "-cpu", cpu or CPU[accelerator()], "-m", memory,
                   "-display", "none", "-nodefaults", "-no-user-config",
                   "-vga", "std", "-no-reboot", "-S"]
        for name in ("serial", "qmp"):
            command += ["-chardev", f"socket,id={name},path={self.folder}/"
                        f"{name},server=on,wait=off"]
        command += ["-serial", "chardev:serial",
                    "-mon", "chardev=qmp,mode=control",
                    "-device", f"{controller},id=usb"]
        for device in devices:
            command += ["-device", device]
        if stick:
            command += self._stick_arguments(stick, port)
        if kernel:
            command += ["-kernel", kernel, "-append", append]
        command += self._network_arguments(network, forward, capture,
                                           f"{nic},mac={card}", tftp)
        command += list(extra)
        self.command_line = command
        self._start()
        if network == "user":
            self._learn_ports()
        if not paused:
            self.go()

    @staticmethod
    def _stick_arguments(stick, port):
        # Flushes reach the file; the medium outlives the device, so that it
        # can be plugged in again.
        return ["-blockdev", "driver=file,node-name=stick-file,filename="
                + stick.replace(",", ",,"),
                "-blockdev", "driver=raw,node-name=stick,file=stick-file",
                "-device", "usb-storage,id=stk,drive=stick,bus=usb.0,"
                + (f"port={port}," if port else "")
                + "bootindex=1"]  # 0 is taken by -kernel

    @staticmethod
    def _network_arguments(network, forward, capture, nic, tftp=None):
        if not network:
            return []
        if network == "user":
            netdev = "user,id=net" + (f",tftp={tftp}" if tftp else "")
            netdev += "".join(
                f",hostfwd=tcp:127.0.0.1:0-{GUEST_ADDRESS}:{port}"
                for port in forward)
        else:
            netdev = f"tap,id=net,ifname={network},script=no,downscript=no"
        arguments = ["-netdev", netdev, "-device", f"{nic},netdev=net,id=nic"]
        if capture:
            arguments += ["-object",
                          f"filter-dump,id=dump,netdev=net,file={capture}"]
        return arguments

    def _start(self):
        self.started_at = time.monotonic()
        self.output = os.path.join(self.folder, "output")
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                self.command_line, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT)
        atexit.register(self.power_cut)
        self.serial_log = os.path.join(self.folder, "serial.log")
        self.serial = Serial(self._connect("serial"), self.serial_log)
        try:
            self.monitor = Monitor(self._connect("qmp"))
        except (OSError, Refused):
            self._fail_to_start()
        self.expect = self.serial.expect
        self.expect_screen = self.serial.expect_screen
        self.send = self.serial.send
        self.qmp = self.monitor.command

    def _connect(self, name):
        deadline = time.monotonic() + 20
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(os.path.join(self.folder, name))
                return connection
            except OSError:
                connection.close()
            if self.process.poll() is not None or time.monotonic() > deadline:
                self._fail_to_start()
            time.sleep(0.01)

    def _fail_to_start(self):
        self.power_cut()
        with open(self.output) as output:
            raise Hang("QEMU does not start: " + output.read()) from None

    def _learn_ports(self):
        table = self.human("info usernet")
        for line in table.splitlines():
            fields = line.split()
            if "HOST_FORWARD" in line:
                self.ports[int(fields[5])] = int(fields[3])

    def go(self):
        """Switches the machine on."""
        self.on_at = time.monotonic()
        self.qmp("cont")

    def human(self, line):
        return self.qmp("human-monitor-command", command_line=line)

    # -- Reaching it --

    def address(self, port):
        """Where a client on this side reaches the guest's TCP port."""
        if self.network == "user":
            return "127.0.0.1", self.ports[port]
        return self.guest, port

    def wait_banner(self, port, limit_s=60):
        """Seconds from switching on to the server's first line on that port,
        and the line. One try after the other, as the first ones are made
        before anybody can answer; each waits longer than the last one. Over a
        tap device it is the guest that accepts: then its line will come, while
        a connection that is not accepted is tried again soon."""
        deadline = time.monotonic() + limit_s
        patience = 0.15
        while time.monotonic() < deadline:
            line = self._try_banner(port, patience)
            if line:
                return time.monotonic() - self.on_at, line
            if self.process.poll() is not None:
                break
            patience = min(patience * 1.05, 5)
        raise Hang(f"no banner on port {port}; the screen:\n"
                   + self.serial.screen())

    def _try_banner(self, port, patience):
        try:
            tap = self.network != "user"
            with socket.create_connection(self.address(port),
                                          min(patience, 1) if tap
                                          else patience) as client:
                client.settimeout(20 if tap else patience)
                line = client.recv(512)
                if line:
                    client.sendall(b"QUIT\r\n")
                    return line.decode("latin-1")
        except OSError:
            pass
        time.sleep(0.02)  # refused at once: do not spin
        return ""

    # -- Hands on it --

    def keys(self, *names):
        """Keys of the keyboard: QEMU's names, "shift-a" for two together."""
        for name in names:
            self.qmp("send-key", keys=[{"type": "qcode", "data": part}
                                       for part in name.split("-")])
            time.sleep(0.12)  # QEMU holds each for 100 ms

    def screenshot(self, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.qmp("screendump", filename=os.path.abspath(path), format="png")

    def disk_figures(self):
        """What the stick was asked to do so far."""
        for entry in self.qmp("query-blockstats"):
            if entry.get("node-name") == "stick":
                return entry["stats"]
        raise Refused("no stick in query-blockstats")

    def pull_stick(self):
        self.qmp("device_del", id="stk")
        while "device" not in self.monitor.event("DEVICE_DELETED")["data"]:
            pass

    def plug_stick(self, port=None):
        """Into that port of the controller, or into any."""
        where = {"port": str(port)} if port else {}
        self.qmp("device_add", driver="usb-storage", id="stk", drive="stick",
                 bus="usb.0", **where)

    def wait_end(self, limit_s=30):
        """Waits until the machine is off by its own doing; gives the reason
        that QEMU names."""
        event = self.monitor.event("SHUTDOWN", limit_s)
        self.process.wait(limit_s)
        return event["data"]["reason"]

    def power_cut(self):
        """The plug is pulled: no warning to the guest."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        atexit.unregister(self.power_cut)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.power_cut()
        for connection in (getattr(self, "serial", None),
                           getattr(self, "monitor", None)):
            if connection:
                connection.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)
