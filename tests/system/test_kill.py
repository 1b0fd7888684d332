"""Power cut in the middle of a load: a hundred senders submit at once, each
message to ten users here and ten of a real Postfix; the AO is killed and
started again on the same stick.

A message that was answered 250 is in each local mailbox exactly once and has
reached each user of Postfix. One that was not answered is nowhere or
everywhere. Postfix may have a message twice only if it had taken it just before
the cut, too late for the AO to note it.
"""
import base64
import glob
import os
import re
import threading
import time

import pytest

import conftest
import mail
import peers
import stick
from lan import STICK_OPTIONS
from stick import DOMAIN

SENDERS, EACH, SUBMITTERS = 100, 4, 2
USERS = [f"user{number}" for number in range(10)]
LOCAL = [f"{user}@{DOMAIN}" for user in USERS]
REMOTE = [f"r{number}@postfix.example" for number in range(10)]
CUT_AFTER = SENDERS * EACH // 3  # messages answered 250
# What the AO may have heard of and not yet stored: the time from a 250 of
# Postfix to the end of the commit that notes it, with much reserve.
UNNOTED_S = 3


class Sender(threading.Thread):
    """One of the hundred. accepted and unanswered are names of messages; one
    that got no answer is not sent again, but another in its place."""

    def __init__(self, number, address, lock):
        super().__init__(daemon=True)
        self.number, self.address, self.lock = number, address, lock
        self.user = USERS[number % SUBMITTERS]
        self.accepted, self.unanswered, self.refused = [], [], []
        self.attempt = 0
        self.deadline = time.monotonic() + 150

    def run(self):
        while len(self.accepted) < EACH and time.monotonic() < self.deadline:
            try:
                self.session()
            except (OSError, AssertionError):
                time.sleep(0.2)

    def session(self):
        with mail.Smtp(self.address, limit_s=40) as client:
            client.command("EHLO tests.example")
            secret = f"\0{self.user}\0{self.user}-demo".encode()
            said = client.command(
                "AUTH PLAIN " + base64.b64encode(secret).decode())
            if said[0] != 235:
                raise OSError(said)
            while len(self.accepted) < EACH:
                self.submit(client)
            client.command("QUIT")

    def submit(self, client):
        name = f"load-{self.number}-{self.attempt}"
        self.attempt += 1
        recipients = LOCAL + REMOTE
        client.send("".join(
            [f"MAIL FROM:<{self.user}@{DOMAIN}>\r\n"]
            + [f"RCPT TO:<{recipient}>\r\n" for recipient in recipients]
            + ["DATA\r\n"]).encode())
        said = [client.reply() for _ in range(len(recipients) + 2)]
        if [code for code, _ in said] != [250] * 21 + [354]:
            self.refused.append(said)
            raise OSError(said)
        body = (f"From: {self.user}@{DOMAIN}\r\nSubject: {name}\r\n"
                "Date: Thu, 26 Nov 2026 12:00:00 +0000\r\n"
                f"Message-ID: <{name}@tests.example>\r\n\r\n"
                + "x" * 70 + "\r\n")
        self.unanswered.append(name)
        client.send(body.encode() + b".\r\n")
        code, _ = client.reply()
        if code:
            self.unanswered.remove(name)
            if code == 250:
                with self.lock:
                    self.accepted.append(name)


class Load:
    """The whole run, and what it left."""

    def __init__(self, network, names, folder):
        self.folder = folder
        self.postfix = peers.postfix(network, boxes="".join(
            f"{one} {one.partition('@')[0]}/\n" for one in REMOTE)).ready()
        users = os.path.join(folder, "users.csv")
        with open(users, "w", encoding="ascii") as file:
            file.write("username,password\n" + "".join(
                f"{user},{user}-demo\n" for user in USERS))
        self.image = stick.make(os.path.join(folder, "stick.img"),
                                *STICK_OPTIONS, users=users)
        self.tap = network.tap()
        self.lock = threading.Lock()
        first = self.boot("first")
        self.senders = [Sender(number, first.submission, self.lock)
                        for number in range(SENDERS)]
        begun = time.monotonic()
        for sender in self.senders:
            sender.start()
        self.wait(lambda: len(self.accepted()) >= CUT_AFTER
                  and self.postfix.messages("r0"), "load")
        first.machine.power_cut()
        self.cut_at = time.time()
        self.before = len(self.accepted())
        first.close()
        second = self.boot("second")
        for sender in self.senders:
            sender.join(180)
        self.wait(lambda: self.all_arrived(), "delivery of all")
        self.seconds = time.monotonic() - begun
        self.wait(lambda: self.queue_is_empty(second), "empty queue")
        second.close()
        self.database = stick.extract(self.image, os.path.join(folder, "end"))
        self.arrivals = self.read_arrivals()

    def boot(self, name):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        return conftest.Booted(folder, self.image, network=self.tap).run()

    def accepted(self):
        with self.lock:
            return [name for sender in self.senders
                    for name in sender.accepted]

    def wait(self, look, what, limit_s=150):
        deadline = time.monotonic() + limit_s
        while not look():
            assert time.monotonic() < deadline, (
                f"no {what}: {len(self.accepted())} accepted, "
                f"{len(self.postfix.messages('r0'))} arrived; refused: "
                f"{[s.refused for s in self.senders if s.refused][:2]}; "
                + self.postfix.log()[-1500:])
            time.sleep(0.3)

    def all_arrived(self):
        return all(len(glob.glob(self.postfix.host.path(f"/mail/r{n}/new/*")))
                   >= len(self.accepted()) for n in range(len(REMOTE)))

    @staticmethod
    def queue_is_empty(server):
        try:
            return stick.query(server.store(),
                               "SELECT count(*) FROM queue") == [["0"]]
        except AssertionError:
            return False  # it was being written just then

    def read_arrivals(self):
        """{message: {user of Postfix: times of arrival}}"""
        found = {}
        for number in range(len(REMOTE)):
            for path, message in self.postfix.messages(f"r{number}").items():
                name = re.search(rb"Subject: (\S+)", message)[1].decode()
                found.setdefault(name, {}).setdefault(number, []).append(
                    os.stat(path).st_mtime)
        return found


@pytest.fixture(scope="module")
def load(net, names, tmp_path_factory):
    return Load(net, names, str(tmp_path_factory.mktemp("kill")))


@pytest.fixture(scope="module")
def stored(load):
    """{message: {user: how often}} of the store."""
    stick.check_whole(load.database)
    found = {}
    for name, user, count in stick.query(
            load.database, "SELECT Subject, Receiver, count(*) FROM mail "
            "GROUP BY Subject, Receiver"):
        found.setdefault(name, {})[user] = int(count)
    return found


def test_every_sender_was_served(load, figure):
    assert len(load.accepted()) == SENDERS * EACH
    unanswered = sum(len(sender.unanswered) for sender in load.senders)
    figure(f"{SENDERS} senders, each message to 10 here and 10 elsewhere: "
           f"{len(load.accepted())} accepted, {load.before} before the cut, "
           f"{unanswered} unanswered by it, all delivered after "
           f"{load.seconds:.1f} s")


def test_local_mail_is_there_once(load, stored):
    for name in load.accepted():
        assert stored.get(name) == dict.fromkeys(USERS, 1), name


def test_remote_mail_has_arrived(load):
    for name in load.accepted():
        assert set(load.arrivals.get(name, ())) == set(range(10)), name


def test_unanswered_is_all_or_nothing(load, stored):
    names = [name for sender in load.senders for name in sender.unanswered]
    for name in names:
        if name in stored:
            assert stored[name] == dict.fromkeys(USERS, 1), name
            assert set(load.arrivals.get(name, ())) == set(range(10)), name
        else:
            assert name not in load.arrivals, name
    assert set(stored) == set(load.arrivals)
    assert set(stored) <= set(load.accepted()) | set(names)


def test_twice_only_across_the_cut(load, figure):
    twice = {name: times for name, boxes in load.arrivals.items()
             for times in boxes.values() if len(times) > 1}
    figure(f"{len(twice)} messages reached Postfix twice")
    for name, times in twice.items():
        assert len(times) == 2, name
        first = min(times)
        assert load.cut_at - UNNOTED_S < first <= load.cut_at + 1, (
            name, load.cut_at - first)
    assert len(twice) <= CUT_AFTER // 2
