"""A page that takes a long message apart does not hold up those of others."""
import os
import threading
import time

import pytest

import crawl
import mail
import qemu
import stick
from conftest import Booted
from crawl import Person
from stick import DOMAIN


@pytest.fixture
def served(tmp_path):
    folder = str(tmp_path)
    image = stick.make(os.path.join(folder, "stick.img"),
                       "--address", qemu.GUEST_ADDRESS + "/24")
    server = Booted(folder, image, forward=(25, 80, 110)).run()
    yield server
    server.close()


class Beside:
    """Somebody else, who looks at his mail all the while."""

    def __init__(self, address):
        self.person = Person(address, "bert")
        self.over, self.answers, self.wrong = threading.Event(), 0, []
        self.longest_s = 0
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.over.is_set():
            begun = time.monotonic()
            answer = self.person.get("/mail")
            self.longest_s = max(self.longest_s, time.monotonic() - begun)
            self.answers += 1
            if answer.status != 200:
                self.wrong.append(answer.status)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(60)
        assert not self.thread.is_alive() and not self.wrong and self.answers


def test_a_long_page_holds_up_nobody(served):
    """The HTML of 2 MB of tags; others' pages do not wait for it."""
    tags = b"<div><b><table>" * 130000
    body = b"Subject: long\r\nContent-Type: text/html\r\n\r\n" + b"\r\n".join(
        tags[at:at + 900] for at in range(0, len(tags), 900)) + b"\r\n"
    anna = Person(served.machine.address(80), "anna")
    assert mail.send_one(served.smtp, f"anna@{DOMAIN}", body)[0] == 250
    place = [link for link in crawl.read(anna.get("/mail").text).links
             if link.startswith("/mail/") and link.count("/") == 3][0]
    with Beside(served.machine.address(80)) as beside:
        begun = time.monotonic()
        assert anna.get(place + "/html/0").status == 200
        taken_s = time.monotonic() - begun
    assert beside.longest_s < taken_s / 4, (beside.longest_s, taken_s)
