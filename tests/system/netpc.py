"""build/tap/netpc, the AO's network room on a tap device, as tests drive it."""
import os
import queue
import subprocess
import threading
import time

import lan
from qemu import Hang
from stick import ROOT

PROGRAM = os.path.join(ROOT, "build", "tap", "netpc")


class NetPc:
    """One in the network: its commands, and the lines it answers with."""

    def __init__(self, net, number, name="", dns=(), dhcp=False):
        self.address = lan.PREFIX4 + str(number)
        self.process = subprocess.Popen(
            [PROGRAM, net.tap(), "dhcp" if dhcp else self.address + "/24",
             lan.PREFIX4 + "2", name, *dns],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, start, limit_s=60):
        """The rest of the next line that begins like that."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                line = self.lines.get(
                    timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise Hang(f"no {start!r} within {limit_s} s") from None
            if line is None:
                raise Hang(f"ended instead of {start!r}")
            if line.startswith(start):
                return line[len(start):].strip()

    def look_up(self, kind, name, limit_s=40):
        """(status, followed an alias, [answers])"""
        self.send(f"lookup {kind} {name}")
        head, _, answers = self.expect(f"{name} {kind} ",
                                       limit_s).partition(":")
        status, alias, _ = head.split()
        return status, alias == "alias", [
            answer.strip() for answer in answers.split(",") if answer.strip()]

    def close(self):
        """Its exit status, which is 0 when no sanitizer had a word."""
        self.process.stdin.close()
        return self.process.wait(20)
