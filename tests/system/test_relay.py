"""Mail out: by the route of a smarthost to Postfix's smtp-sink on this side of
QEMU's network, with the power cut in the middle."""
import email
import glob
import os
import re
import smtplib
import socket
import subprocess
import threading
import time

import pytest

import mail
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

    def __init__(self, folder, *options):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        # As root it wants to be told to stay so.
        user = ("-u", "root") if os.geteuid() == 0 else ()
        self.process = subprocess.Popen(
            [SINK, *user, "-d", "mail.", *options, f"127.0.0.1:{self.port}",
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


def submit(server, subject, recipients, size=200, opened=None):
    """opened: a list that gets the client before it connects."""
    client = smtplib.SMTP(timeout=60)
    if opened is not None:
        opened.append(client)
    client.connect(*server.submission)
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


def work(server, worker, accepted, local, remote, cut, opened):
    """Sends until the power goes. QEMU's user network drops some of many
    connections at once: those are tried again, with another message."""
    number = 0
    while not cut.is_set():
        number += 1
        subject = f"m{worker}.{number}"
        try:
            submit(server, subject, local + remote, opened=opened)
        except (OSError, smtplib.SMTPException):
            continue
        accepted.add(subject)


def hang_up(clients):
    """A connection that QEMU had not accepted yet does not end with it."""
    for client in clients:
        try:
            client.sock.shutdown(socket.SHUT_RDWR)
        except (AttributeError, OSError):
            pass  # not connected any more


def test_power_cut_in_the_middle(tmp_path, sink):
    """100 senders, each message for ten people here and ten elsewhere: everybody
    gets everything that was accepted; elsewhere, twice only what was under way
    when the power went."""
    users = tmp_path / "users.csv"
    users.write_text("username,password\nanna,anna-demo\n" + "".join(
        f"u{number},secret-{number}\n" for number in range(10)))
    image = stick.make(str(tmp_path / "stick.img"), "--route",
                       f"*={HOST}:{sink.port}", users=str(users))
    server = start(tmp_path, image)
    local = [f"u{number}@{DOMAIN}" for number in range(10)]
    remote = [f"r{number}@far.example" for number in range(10)]
    accepted = set()  # add() is atomic
    cut = threading.Event()
    opened = []
    workers = [threading.Thread(target=work, args=(
        server, index, accepted, local, remote, cut, opened))
        for index in range(100)]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + 120
    while len(accepted) < 100 and time.monotonic() < deadline:
        time.sleep(0.05)
    cut.set()
    server.machine.power_cut()
    hang_up(opened)
    for worker in workers:
        worker.join()
    assert len(accepted) >= 100
    folder = tmp_path / "again"
    folder.mkdir()
    server = start(folder, image)
    sink.wait(accepted)
    wait_queue_empty(server)
    database = server.store()
    stick.check_whole(database)
    here = dict(stick.query(database, "SELECT Subject,count(*) FROM message "
                            "JOIN entry USING(MailID) GROUP BY Subject"))
    assert all(here.get(subject) == "10" for subject in accepted)
    came = sink.messages()
    for subject in accepted:
        assert set(sum(came[subject], [])) == set(remote), subject
    doubled = [subject for subject in came if len(came[subject]) > 1]
    assert len(doubled) <= 20, doubled  # as many sessions as one host gets
    server.close()


def test_a_refusal_is_told_to_the_sender(tmp_path):
    """By a notice that Python's email package understands (RFC 3464)."""
    folder = tmp_path / "sink"
    folder.mkdir()
    sink = Sink(str(folder), "-f", "RCPT")
    image = stick.make(str(tmp_path / "stick.img"), "--route",
                       f"*={HOST}:{sink.port}")
    server = start(tmp_path, image)
    submit(server, "refused", ["nobody@far.example"])
    notice = wait_mail(server)
    assert notice.get_content_type() == "multipart/report"
    assert notice.get_param("report-type") == "delivery-status"
    assert notice["Auto-Submitted"] and notice["Message-ID"] and notice["Date"]
    people, status, returned = notice.get_payload()
    assert "nobody@far.example" in people.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    whole, recipient = status.get_payload()
    assert whole["Reporting-MTA"] == f"dns; {stick.HOSTNAME}"
    assert recipient["Action"] == "failed"
    assert recipient["Status"].startswith("5.")
    assert recipient["Final-Recipient"] == "rfc822; nobody@far.example"
    assert returned.get_content_type() == "message/rfc822"
    assert returned.get_payload()[0]["Subject"] == "refused"
    wait_queue_empty(server)
    server.close()
    sink.close()


def wait_mail(server, limit_s=60):
    """Anna's first message."""
    deadline = time.monotonic() + limit_s
    while True:
        found = mail.fetch_all(server.pop3, "anna", "anna-demo")
        if found:
            return email.message_from_bytes(found[0])
        assert time.monotonic() < deadline, "no notice has come"
        time.sleep(0.5)


def test_the_queue_in_the_menu(tmp_path):
    """What waits is shown, held, released, and deleted after a question."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # where nobody listens
    image = stick.make(str(tmp_path / "stick.img"), "--route",
                       f"*={HOST}:{port}")
    server = start(tmp_path, image)
    machine = server.machine
    submit(server, "waits", ["a@far.example", "b@far.example"])
    machine.send("m")
    machine.expect_screen("Menu")
    machine.send("q")
    machine.expect_screen(r"2 waiting, 0 held")
    machine.expect_screen(r"a@far\.example\s+1\s")
    machine.expect_screen(r"Reply\s+451 4\.4\.1 .*10\.0\.2\.2")
    machine.send("h")
    machine.expect_screen(r"2 waiting, 1 held")
    machine.send("h")
    machine.expect_screen(r"2 waiting, 0 held")
    machine.send("r")
    machine.expect_screen(r"a@far\.example\s+2\s")
    machine.send("d")
    machine.expect_screen("Y  yes")
    machine.send("y")
    machine.expect_screen(r"1 waiting, 0 held")
    machine.send("b")
    machine.expect_screen("Y  yes")
    machine.send("y")
    machine.expect_screen("Nothing waits")
    notice = wait_mail(server)
    assert "b@far.example" in notice.as_string()
    assert "given up by the administrator" in notice.as_string()
    server.close()


def test_routes_in_the_menu(tmp_path, sink):
    """Without a route and a name server mail waits; with one it goes."""
    image = stick.make(str(tmp_path / "stick.img"), "--dns", "10.0.2.250")
    server = start(tmp_path, image)
    machine = server.machine
    machine.send("m")
    machine.expect_screen("Menu")
    machine.send("r")
    machine.expect_screen("own servers get its mail")
    machine.send(f"*={HOST}:{sink.port}\r")
    machine.expect_screen(r"all others")
    submit(server, "routed", ["a@far.example"])
    sink.wait({"routed"})
    wait_queue_empty(server)
    server.close()
