"""The stick is pulled out and put back, again and again, while mail arrives:
every message that was answered 250 is there afterwards, nobody is told
anything but "later" meanwhile, and service goes on by itself, in any port."""
import threading
import time

import pytest

import mail
import stick
from stick import DOMAIN

SENDERS = 8
RESUME_LIMIT_S = 30  # a hang; the figure is printed
HUB = "usb-hub,bus=usb.0,port=1"


class Senders:
    """Send numbered messages until they are stopped; know which were taken."""

    def __init__(self, address):
        self.address = address
        self.lock = threading.Condition()
        self.accepted, self.wrong, self.number = [], [], 0
        self.stopping = False
        self.threads = [threading.Thread(target=self._send_on)
                        for _ in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def _send_on(self):
        while not self.stopping:
            try:
                with mail.Smtp(self.address) as client:
                    self._session(client)
            except OSError:
                pass  # the connection broke: nothing was promised

    def _session(self, client):
        if client.banner[0] != 220 or \
                client.command("EHLO tests.example")[0] != 250:
            return
        while not self.stopping:
            with self.lock:
                self.number += 1
                number = self.number
            code, text = client.deliver(
                f"anna@{DOMAIN}", b"Subject: pull-%d-\r\n\r\n%s\r\n"
                % (number, b"x" * 900))
            with self.lock:
                if code == 250:
                    self.accepted.append(number)
                    self.lock.notify_all()
                elif not 400 <= code < 500:
                    self.wrong.append((code, text))
            if code != 250:
                client.command("RSET")
                time.sleep(0.05)

    def wait_for_more(self, count):
        """Until so many further messages were accepted; gives how long."""
        start = time.monotonic()
        with self.lock:
            goal = len(self.accepted) + count
            assert self.lock.wait_for(lambda: len(self.accepted) >= goal,
                                      RESUME_LIMIT_S), "service stands still"
        return time.monotonic() - start

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


def pull_again_and_again(server, pulls, ports):
    """Gives how long service took to resume, each time, and what was wrong:
    answers that are neither 250 nor "later", and accepted messages that are not
    in the store afterwards."""
    machine = server.machine
    senders = Senders(server.smtp)
    resumed = []
    try:
        for turn in range(pulls):
            senders.wait_for_more(1 + turn % 7)
            machine.pull_stick()
            machine.expect_screen(r"Store.*(pulled out|not there)")
            machine.plug_stick(port=ports[turn % len(ports)])
            resumed.append(senders.wait_for_more(1))
    finally:
        senders.stop()
    machine.power_cut()
    database = server.store()
    stick.check_whole(database)
    there = {int(row[0].split("-")[1]) for row in stick.query(
        database, "SELECT Subject FROM mail WHERE Subject LIKE 'pull-%'")}
    assert not senders.wrong
    assert not set(senders.accepted) - there
    return sorted(resumed), len(senders.accepted)


def test_fifty_pulls_lose_nothing(copy_stick, boot, figure):
    resumed, kept = pull_again_and_again(boot(copy_stick).run(), 50,
                                         (1, 2, 3, 4))
    figure(f"50 pulls of the stick, {kept} messages kept, service again after "
           f"{resumed[-1]:.1f} s at most, {resumed[25]:.2f} s in the middle")


@pytest.mark.parametrize("place, controller, devices, ports", [
    ("EHCI", "usb-ehci", (), ("1", "2", "5")),
    ("a hub on xHCI", "qemu-xhci", (HUB,), ("1.1", "1.3", "2", "1.1")),
])
def test_pulls_elsewhere(place, controller, devices, ports, copy_stick, boot,
                         figure):
    server = boot(copy_stick, controller=controller, devices=devices,
                  port=ports[0]).run()
    resumed, kept = pull_again_and_again(server, 5, ports)
    figure(f"5 pulls from {place}, {kept} messages kept, service again after "
           f"{resumed[-1]:.1f} s at most")
