"""The stick is pulled out and put back, again and again, while mail arrives:
every message that was answered 250 is there afterwards, nobody is told
anything but "later" meanwhile, and service goes on by itself, in any port."""
import threading
import time

import mail
import stick
from stick import DOMAIN

PULLS = 50
SENDERS = 8
RESUME_LIMIT_S = 30  # a hang; the figure is printed
PORTS = 4


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


def test_fifty_pulls_lose_nothing(copy_stick, boot, figure):
    server = boot(copy_stick).run()
    machine = server.machine
    senders = Senders(server.smtp)
    resumed = []
    try:
        for turn in range(PULLS):
            senders.wait_for_more(1 + turn % 7)
            machine.pull_stick()
            machine.expect_screen(r"Store.*(pulled out|not there)")
            machine.plug_stick(port=1 + turn % PORTS)
            resumed.append(senders.wait_for_more(1))
    finally:
        senders.stop()
    machine.power_cut()
    database = server.store()
    stick.check_whole(database)
    there = {int(row[0].split("-")[1]) for row in stick.query(
        database, "SELECT Subject FROM mail WHERE Subject LIKE 'pull-%'")}
    figure(f"{PULLS} pulls of the stick, {len(senders.accepted)} messages "
           f"kept, service again after {max(resumed):.1f} s at most, "
           f"{sorted(resumed)[len(resumed) // 2]:.2f} s in the middle")
    assert not senders.wrong
    assert not set(senders.accepted) - there
