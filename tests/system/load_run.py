#!/usr/bin/python3
"""One run of many senders, as a process of its own so that it can live in a
network namespace: boots the stick, lets smtp-source send, counts by POP3, cuts
the power. Prints what it saw as one line of JSON.

    load_run.py IMAGE SESSIONS MESSAGES MEMORY
"""
import json
import os
import sys

import conftest
import load
import mail
import namespace
import qemu


def main():
    image, memory = sys.argv[1], sys.argv[4]
    sessions, messages = int(sys.argv[2]), int(sys.argv[3])
    tap = bool(os.environ.get(namespace.MARK))
    with qemu.Machine(stick=image, network="tap0" if tap else "user",
                      memory=memory) as machine:
        conftest.choose_run(machine)
        machine.wait_banner(25)
        before = machine.disk_figures()
        # QEMU's user network drops what connects at once: there, each sender
        # keeps its connection.
        seconds, complaint = load.smtp_source(
            machine.address(25), sessions, messages,
            options=() if tap else ("-d",))
        after = machine.disk_figures()
        client = mail.Pop3(machine.address(110), "anna", "anna-demo")
        count = client.stat()[0]
        last = len(client.retrieve(count)) if count else 0
        client.quit()
        stalled = "no answer in time" in machine.serial.text
        machine.power_cut()
    print(json.dumps({
        "network": "a tap device" if tap else "QEMU's user network",
        "seconds": seconds, "complaint": complaint, "count": count,
        "last": last, "stalled": stalled,
        "each": {key: (after[key] - before[key]) / messages for key in
                 ("flush_operations", "wr_bytes", "wr_operations")}}))


if __name__ == "__main__":
    main()
