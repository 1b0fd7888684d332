"""Mail out: by the route of a smarthost to Postfix's smtp-sink on this side of
QEMU's network, with the power cut in the middle."""
import glob
import os
import re
import smtplib
import socket
import subprocess
import threading
import time

import pytest

import stick
from conftest import Booted
from stick import DOMAIN, ROOT

SINK = os.path.join(ROOT, "build", "deps", "postfix", "usr", "sbin",
                    "smtp-sink")
LIBRARIES = os.path.join(ROOT, "build", "deps", "postfix", "usr", "lib",
                         "postfix")
HOST = "10.0.2.2"  # this machine, as QEMU's network shows it
ANNA = f"anna@{DOMAIN}"


class Sink:
    """smtp-sink, which keeps each message in a file of its own."""

    def __init__(self, folder):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [SINK, "-u", "root", "-d", "mail.", f"127.0.0.1:{self.port}",
             "1000"], cwd=folder, stdin=subprocess.DEVNULL,
            env={"LD_LIBRARY_PATH": LIBRARIES})
        self._wait_listening()

    def _wait_listening(self):
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.05)
        pytest.fail("smtp-sink does not start")

    def messages(self):
        """{subject: [recipients, ...]}, one list for each time it came."""
        found = {}
        for path in glob.glob(os.path.join(self.folder, "mail.*")):
            with open(path, "rb") as file:
                text = file.read().decode("latin-1")
            subject = re.search(r"(?m)^Subject: (.*?)\r?$", text)
            if subject is None:
                continue  # being written
            found.setdefault(subject[1], []).append(
                re.findall(r"(?m)^X-Rcpt-Args: <(.*)>", text))
        return found

    def wait(self, subjects, limit_s=120):
        deadline = time.monotonic() + limit_s
        while not subjects <= set(self.messages()):
            assert time.monotonic() < deadline, \
                f"missing: {subjects - set(self.messages())}"
            time.sleep(0.2)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def sink(tmp_path):
    folder = tmp_path / "sink"
    folder.mkdir()
    server = Sink(str(folder))
    yield server
    server.close()


def start(folder, image):
    server = Booted(str(folder), image, forward=(25, 110, 587)).run()
    server.submission = server.machine.address(587)
    return server


def submit(server, subject, recipients, size=200):
    client = smtplib.SMTP(*server.submission, timeout=60)
    client.login("anna", "anna-demo")
    client.sendmail(ANNA, recipients,
                    f"From: {ANNA}\r\nSubject: {subject}\r\n\r\n"
                    + ("." + "x" * 70 + "\r\n") * (size // 73 + 1))
    client.quit()


def queue_rows(server):
    rows = stick.query(server.store(), "SELECT count(*) FROM queue")
    return int(rows[0][0])


def wait_queue_empty(server, limit_s=60):
    deadline = time.monotonic() + limit_s
    while queue_rows(server):
        assert time.monotonic() < deadline, stick.query(
            server.store(), "SELECT Recipient,Attempts,Reply FROM queue")
        time.sleep(0.5)


def test_to_many_recipients_once(tmp_path, sink):
    image = stick.make(str(tmp_path / "stick.img"), "--route",
                       f"*={HOST}:{sink.port}")
    server = start(tmp_path, image)
    others = [f"u{number}@d{number % 3}.example" for number in range(10)]
    submit(server, "once", [f"bert@{DOMAIN}"] + others, size=100_000)
    sink.wait({"once"})
    assert [sorted(each) for each in sink.messages()["once"]] \
        == [sorted(others)]
    wait_queue_empty(server)
    stick.check_whole(server.store())
    server.close()


def test_power_cut_in_the_middle(tmp_path, sink):
    """Each message reaches everybody; twice only what was under way."""
    image = stick.make(str(tmp_path / "stick.img"), "--route",
                       f"*={HOST}:{sink.port}")
    server = start(tmp_path, image)
    accepted, lock = set(), threading.Lock()

    def work(worker):
        for number in range(20):
            subject = f"m{worker}.{number}"
            try:
                submit(server, subject, [f"bert@{DOMAIN}"] + [
                    f"u{index}@far.example" for index in range(10)])
            except (OSError, smtplib.SMTPException):
                return
            with lock:
                accepted.add(subject)
    workers = [threading.Thread(target=work, args=(index,))
               for index in range(8)]
    for worker in workers:
        worker.start()
    while len(accepted) < 60 and any(one.is_alive() for one in workers):
        time.sleep(0.05)
    server.machine.power_cut()
    for worker in workers:
        worker.join()
    folder = tmp_path / "again"
    folder.mkdir()
    server = start(folder, image)
    sink.wait(accepted)
    wait_queue_empty(server)
    stick.check_whole(server.store())
    came = sink.messages()
    assert all(len(set(sum(came[subject], []))) == 10 for subject in accepted)
    doubled = [subject for subject in came if len(came[subject]) > 1]
    assert len(doubled) <= 20, doubled  # sessions under way at the cut
    server.close()
