"""The debugger's door of QEMU, to do to a running machine what no user can.

Only what the tests need of GDB's remote protocol: registers, memory, continue.
"""
import re
import socket

RIP = 16  # its place among the registers of x86-64


class Debugger:
    """Stops the machine; leaving lets it go on."""

    def __init__(self, machine):
        self.machine = machine
        self.path = machine.folder + "/gdb"
        machine.human(f"gdbserver unix:{self.path},server=on,wait=off")

    def __enter__(self):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(20)
        self.arrived = b""
        self.connection.connect(self.path)
        return self

    def __exit__(self, *_):
        self._ask("D")
        self.connection.close()
        self.machine.human("gdbserver none")

    def _ask(self, text):
        data = text.encode()
        self.connection.sendall(b"$%s#%02x" % (data, sum(data) & 255))
        return self._answer()

    def _answer(self):
        """The next packet that is no notice of the stop, which may come more
        than once; it is acknowledged."""
        while True:
            match = re.search(rb"\$([^#]*)#..", self.arrived, re.S)
            if match:
                self.arrived = self.arrived[match.end():]
                self.connection.sendall(b"+")
                if not match[1].startswith(b"T"):
                    return match[1].decode()
            else:
                self.arrived += self.connection.recv(65536)

    def rip(self):
        at = RIP * 16
        return int.from_bytes(bytes.fromhex(self._ask("g")[at:at + 16]),
                              "little")

    def write(self, address, data):
        assert self._ask(f"M{address:x},{len(data):x}:{data.hex()}") == "OK"

    def hang(self):
        """The processor goes on the spot for ever, with interrupts as they
        were."""
        self.write(self.rip(), b"\xeb\xfe")

    def fault(self):
        """It meets an invalid opcode."""
        self.write(self.rip(), b"\x0f\x0b")
