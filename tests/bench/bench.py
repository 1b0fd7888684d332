#!/usr/bin/python3
"""`make bench` and `make bench-peer`: Barepost's figures in QEMU, alone or next
to those of Postfix + Dovecot + nginx in the same PC, all from one run.

    bench.py [--peer] [--quick] [--passes N] [--json FILE] [PART...]

Parts: memory, smtp, pop3, segments, http (each boots a machine of its own for each
column, one after the other); and of Barepost alone: starts (cards, DHCP);
ceiling: what the clients can do by themselves. Default: the first five, and
without --peer also starts.

TCG unless BAREPOST_ACCEL says otherwise. As root it works in a network
namespace of its own with a tap device; without, Barepost is reached over QEMU's
user network, which is slower, and there is no peer.
"""
import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import folders
import ceiling
import mail
import measures
import namespace
import qemu
import servers
import stick
from report import Report, table

FAILURES = (qemu.Hang, qemu.Refused, OSError, AssertionError, EOFError,
            mail.poplib.error_proto, subprocess.SubprocessError)


class Plan:
    """How much of each thing is done. The two columns differ only in how many
    messages are sent by SMTP at a time: that is to take some seconds."""

    SMTP = {"Barepost": {1: 300, 10: 1000, 100: 3000},
            "peer": {1: 60, 10: 100, 100: 200}}

    def __init__(self, quick):
        self.divisor = 4 if quick else 1
        self.login_seconds = 3 if quick else 10
        self.web_seconds, self.web_repeats = (3, 1) if quick else (8, 3)
        self.pop3_messages = 100 if quick else measures.maildrops.MESSAGES

    def smtp_messages(self, sessions, server):
        counts = self.SMTP.get(server.name, self.SMTP["peer"])
        return max(counts[sessions] // self.divisor, sessions)


class Noise:
    """How much of the processors others took meanwhile."""

    def __init__(self):
        self.begun = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]
        ours = [resource.getrusage(who) for who in
                (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        whole, idle = sum(ticks), ticks[3] + ticks[4]
        return whole, (whole - idle) / os.sysconf("SC_CLK_TCK") - sum(
            one.ru_utime + one.ru_stime for one in ours)

    def others(self):
        whole, busy = (now - then for now, then
                       in zip(self._read(), self.begun))
        return max(0, busy / (whole / os.sysconf("SC_CLK_TCK")))


# ---- Of Barepost alone -----------------------------------------------------------

def starts(barepost, tap):
    dhcp = barepost.make("dhcp.img", stick.USERS, "64M") if tap \
        else barepost.image
    rows = []
    for nic in ("e1000", "e1000e", "virtio-net-pci"):
        for how, image, network in (("fixed address", barepost.image, "tap0"),
                                    ("DHCP", dhcp, "user")):
            if how == "DHCP" or tap:
                with barepost.start(image=image, network=network,
                                    nic=nic) as running:
                    up, after = running.up_s[25], running.since_chosen_s
                rows.append([f"{nic}, {how}", f"{up:.2f}", f"{after:.2f}"])
    table("Barepost: seconds to SMTP 220, without the boot menu's wait of 5 s "
          "(QEMU's e1000 holds back what it receives for 1 s)",
          ["", "from QEMU's start", "from the menu"], rows)


# ---- The run ---------------------------------------------------------------------

def run_parts(report, columns, plan, options):
    """The parts that both columns have. Returns whether all went well."""
    well = True
    for number in range(options.passes):
        for part in options.parts:
            for server in columns if part in measures.MEASURES else ():
                print(f"... {part}, {server.name}"
                      + f", pass {number + 1}" * (options.passes > 1),
                      file=sys.stderr, flush=True)
                try:
                    measures.MEASURES[part](report, server, plan)
                except FAILURES as failure:
                    report.note(f"FAILED: {part}, {server.name}: {failure}")
                    well = False
    return well


def about(noise):
    version = stick.run(qemu.QEMU, "--version").split("\n")[0]
    return {"machine": f"{version}, {qemu.accelerator()}, q35, 1 processor, "
            f"{servers.MEMORY}, e1000, stick on xHCI, flushes honoured",
            "host_processors": os.cpu_count(),
            "host": platform.machine(),
            "others_share": round(noise.others(), 3),
            "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}


def compare(options, folder, tap):
    noise, plan = Noise(), Plan(options.quick)
    barepost = servers.Barepost(folder, tap)
    columns = [barepost] + [servers.Peer(folder)] * options.peer
    report = Report(measures.rows(plan), [server.name for server in columns])
    well = run_parts(report, columns, plan, options)
    if report.measured():
        facts = about(noise)
        for server in columns[1:]:
            report.note(f"{server.name}: {server.versions}")
        report.note("Barepost takes its memory at the start, in proportion to "
                    "the PC's, and none later.")
        report.note(
            f"{facts['host_processors']} processors, of which others used "
            f"{100 * facts['others_share']:.0f} % meanwhile"
            + (". Rates vary with the computer and with what else it does: "
               "trust the ratios." if options.peer else "."))
        report.print(facts["machine"] + (
            "" if tap else ", user network (slow: run as root)"))
        if options.json:
            report.write_json(options.json, facts)
    if "starts" in options.parts:
        starts(barepost, tap)
    if "ceiling" in options.parts:
        ceiling.show()
    return well


def read_options():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0])
    parser.add_argument("--peer", action="store_true",
                        help="the peer's column too (make bench-peer)")
    parser.add_argument("--quick", action="store_true",
                        help="fewer messages: to see that it works")
    parser.add_argument("--passes", type=int, default=1, metavar="N",
                        help="everything N times; figures are medians")
    parser.add_argument("--json", metavar="FILE",
                        help="all values into this file")
    known = [*measures.MEASURES, "starts", "ceiling"]
    parser.add_argument("parts", nargs="*", metavar="PART",
                        help=", ".join(known))
    options = parser.parse_args()
    unknown = set(options.parts) - set(known)
    if unknown:
        parser.error("no such part: " + ", ".join(sorted(unknown)))
    options.parts = options.parts or [
        *measures.MEASURES, *(() if options.peer else ("starts",))]
    return options


def main():
    options = read_options()
    tap = namespace.enter(os.path.abspath(__file__))
    if options.peer and not tap:
        sys.exit("bench.py: the peer is reached over a tap device in a "
                 "network namespace: run make bench-peer as root")
    folder = tempfile.mkdtemp(prefix="barepost-bench-")
    try:
        return 0 if compare(options, folder, tap) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
