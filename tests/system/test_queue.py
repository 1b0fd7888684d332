"""The outgoing queue against servers that are down, slow, turn away, refuse or
break off, and against wrong DNS.

All cases run at once, in two acts. Act 1: everything is submitted and tried
once. Then the power is cut; the store shows what is still to be done. A
workstation's sqlite3 makes every row due (and some older), and in act 2 the
same stick is booted again: what can be delivered now, is. The tests look at
what was seen in each act.
"""
import os
import re
import time

import pytest

import conftest
import mail
import peers
import samples
import smtp_script
import stick
from lan import SCRIPTED, STICK_OPTIONS
from qemu import Hang
from smtp_script import CUT, HANG, Cut, Script, Slow
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"
LOGIN = ("anna", "anna-demo")
MINUTE_MS = 60000
BARE = ("PIPELINING",)  # what a server without any newer extension offers

SCRIPTS = {
    41: {"rcpt": ["450 4.7.1 greylisted, come back later", "250 2.1.5 ok"]},
    42: {"body": ["451 4.3.0 out of paper", "250 2.0.0 ok"]},
    43: {"rcpt": [lambda command: "550 5.1.1 no such user" if "<no" in command
                  else "250 2.1.5 ok"]},
    44: {"body": ["554 5.7.1 we do not like it"]},
    45: {"data": [Cut(2000), "354 go on"]},
    46: {"body": [CUT, "250 2.0.0 ok"]},
    47: {point: [Slow(0.02)] for point in smtp_script.USUAL},
    48: {"connect": [HANG, "220 at last"]},
    49: {"body": ["451 4.3.0 not now", "554 5.7.1 never"]},
    50: {},
    51: {"connect": ["554 5.3.2 no service here"]},
    52: {},
}

# name of the case: its recipients
CASES = {
    "backup": ["paul@backup.example"],
    "greylisting": ["grey@s41.example"],
    "4xx to the message": ["later@s42.example"],
    "5xx to one of two": ["no@s43.example", "yes@s43.example"],
    "5xx to the message": ["anybody@s44.example"],
    "cut in the message": ["cut@s45.example"],
    "cut before the answer": ["twice@s46.example"],
    "slow": ["slow@s47.example"],
    "says nothing": ["silent@s48.example"],
    "null sender": ["null@s49.example"],
    "several": [f"user{number}@s50.example" for number in range(12)],
    "refused by the first": ["two@two.example"],
    "wants no notice": ["no.notice@s43.example"],
    "null MX": ["nobody@nullmx.example"],
    "no such domain": ["nobody@nowhere.example"],
    "no server": ["nobody@onlytext.example"],
    "server without address": ["nobody@nohost.example"],
    "IPv6 only": ["paul@onlysix.example"],
    "name server fails": ["nobody@servfail.example"],
    "name server is lame": ["nobody@lame.example"],
    "name server is silent": ["nobody@silent.example"],
    "does not listen": ["nobody@down.example"],
    "is not there": ["nobody@gone.example"],
}
STAYS = {  # after act 1: what the store says of why
    "greylisting": r"450 4\.7\.1 greylisted",
    "4xx to the message": r"451 4\.3\.0 out of paper",
    "cut in the message": r"4\.4\.2",
    "cut before the answer": r"4\.4\.2",
    "null sender": r"451 4\.3\.0 not now",
    "server without address": r"4\.4\.4",
    "IPv6 only": r"4\.4\.4",
    "name server fails": r"4\.4\.3",
    "name server is lame": r"4\.4\.3",
    "name server is silent": r"4\.4\.3",
    "does not listen": r"4\.4\.1",
    "is not there": r"4\.4\.1",
}
TRIED_AGAIN = ("server without address", "IPv6 only", "name server fails",
               "does not listen")  # in vain, in act 2
FAILS = {  # in act 1: (status, what the sender is told)
    "5xx to one of two": ("5.1.1", "no such user"),
    "5xx to the message": ("5.7.1", "we do not like it"),
    "null MX": ("5.1.10", "takes no mail"),
    "no such domain": ("5.1.2", "no such domain"),
    "no server": ("5.4.4", "no server"),
}
# Made older between the acts: the one is told of the delay, the other given up.
DELAYED, EXPIRED = "does not listen", "name server is lame"
CHANGES = f"""
UPDATE queue SET NextMs=0;
UPDATE message SET Sender='' WHERE MailID IN
 (SELECT MailID FROM queue WHERE Recipient='{CASES["null sender"][0]}');
UPDATE message SET ReceivedMs=ReceivedMs-5*3600000 WHERE MailID IN
 (SELECT MailID FROM queue WHERE Recipient='{CASES[DELAYED][0]}');
UPDATE queue SET Attempts=50 WHERE Recipient='{CASES[EXPIRED][0]}';
UPDATE message SET ReceivedMs=ReceivedMs-6*86400000 WHERE MailID IN
 (SELECT MailID FROM queue WHERE Recipient='{CASES[EXPIRED][0]}');
UPDATE outgoing SET ExpiresMs=ExpiresMs-6*86400000 WHERE MailID IN
 (SELECT MailID FROM queue WHERE Recipient='{CASES[EXPIRED][0]}');
"""


class Story:
    """What was sent, and what each act has shown."""

    def __init__(self, network, names, folder):
        self.folder = folder
        self.image = stick.make(os.path.join(folder, "stick.img"),
                                *STICK_OPTIONS, size="64M")
        self.tap = network.tap()
        self.postfix = peers.postfix(network).ready()
        self.scripts = {number: Script(SCRIPTED[number - 41],
                                       f"s{number}.example", **answers)
                        for number, answers in SCRIPTS.items()}
        self.sent = {}
        self.act(1, self.submit)
        self.cut_ms = time.time() * 1000
        stick.change_store(self.image, os.path.join(folder, "change"),
                           CHANGES)
        self.act(2, self.wait_second)

    def act(self, number, play):
        folder = os.path.join(self.folder, f"act{number}")
        os.makedirs(folder)
        server = conftest.Booted(folder, self.image, network=self.tap).run()
        try:
            play(server)
            inbox = mail.fetch_all(server.pop3, *LOGIN)
        finally:
            server.close()
        reports = [samples.Report(message) for message in inbox]
        setattr(self, f"reports{number}", reports)
        setattr(self, f"rows{number}", rows(stick.extract(
            self.image, os.path.join(folder, "store"))))

    def submit(self, server):
        for case, recipients in CASES.items():
            body = samples.plain_body() + (b"x" * 70 + b"\r\n") * 100
            if case == "several":
                body += b"y" * 5000 + b"\r\n"
            marker, content = samples.message(
                body, b"Subject: " + case.encode() + b"\r\n")
            self.sent[case] = marker, content
            samples.send(server.submission, ANNA, recipients, content,
                         login=LOGIN, rcpt_options=["NOTIFY=NEVER"]
                         if case == "wants no notice" else [])
        waiting = {CASES[case][0] for case in STAYS}
        self.wait_queue(
            server, lambda queue: len(queue) == len(STAYS) + 1 and all(
                queue[one]["Attempts"] for one in waiting))

    def wait_second(self, server):
        for number, case in ((41, "greylisting"), (42, "4xx to the message"),
                             (45, "cut in the message"),
                             (46, "cut before the answer"),
                             (48, "says nothing")):
            self.scripts[number].wait_message(self.sent[case][0])
        again = {CASES[case][0] for case in TRIED_AGAIN}
        gone = {CASES[EXPIRED][0], CASES["null sender"][0]}
        self.wait_queue(
            server, lambda queue: gone.isdisjoint(queue) and all(
                queue[one]["Attempts"] == 2 for one in again))

    @staticmethod
    def wait_queue(server, enough, limit_s=120):
        """Looks at the store as it is on the stick until it is as wanted."""
        deadline = time.monotonic() + limit_s
        queue = None
        while time.monotonic() < deadline:
            try:
                queue = rows(server.store())
            except AssertionError:
                pass  # it was being written just then
            if queue is not None and enough(queue):
                return
            time.sleep(0.5)
        raise Hang(f"the queue stays as it is: {queue}; the screen:\n"
                   + server.machine.serial.screen())

    def close(self):
        for script in self.scripts.values():
            script.close()

    def messages(self, number, case):
        """What a scripted server has taken of it."""
        return [one for one in self.scripts[number].messages
                if self.sent[case][0] in one.content]

    def report(self, act, case):
        """The one notice about the case that came in an act."""
        marker = self.sent[case][0]
        reports = self.reports1 if act == 1 else \
            self.reports2[len(self.reports1):]
        found = [one for one in reports if marker in one.returned]
        assert len(found) == 1, (case, len(found))
        return found[0]


def rows(database):
    """The queue as {recipient: {column: value}}."""
    columns = ("Recipient", "State", "Attempts", "NextMs", "Delayed", "Reply")
    found = {}
    for row in stick.query(database,
                           f"SELECT {','.join(columns)} FROM queue"):
        entry = dict(zip(columns, row))
        for name in columns[1:5]:
            entry[name] = int(entry[name])
        found[entry["Recipient"]] = entry
    return found


@pytest.fixture(scope="module")
def story(net, names, tmp_path_factory):
    told = Story(net, names, str(tmp_path_factory.mktemp("queue")))
    yield told
    told.close()


@pytest.mark.parametrize("case", STAYS)
def test_put_off(story, case):
    """Tried once, not forgotten, next time in about two minutes."""
    row = story.rows1[CASES[case][0]]
    assert row["Attempts"] == 1 and row["State"] == 0
    assert re.search(STAYS[case], row["Reply"]), row["Reply"]
    assert story.cut_ms - 2 * MINUTE_MS < row["NextMs"] \
        < story.cut_ms + 3 * MINUTE_MS


@pytest.mark.parametrize("case", FAILS)
def test_failed(story, case):
    """For good: out of the queue, and the sender is told once, and why."""
    recipient = CASES[case][0]
    assert recipient not in story.rows1
    report = story.report(1, case)
    status, words = FAILS[case]
    fields = report.of(recipient)
    assert fields["Action"] == "failed" and fields["Status"] == status
    assert words in report.text
    assert len(report.recipients) == 1


def test_nobody_else_is_told(story):
    """Neither of what is put off, nor who wants to hear nothing (NEVER)."""
    assert CASES["wants no notice"][0] not in story.rows1
    assert len(story.reports1) == len(FAILS)
    assert len(story.reports2) == len(FAILS) + 2


def test_next_preference(story):
    """Neither the server that refuses nor the one that is not there nor the
    one without address keeps the message."""
    marker, content = story.sent["backup"]
    assert samples.is_whole(story.postfix.wait_mail(marker, box="backup"),
                            content)
    assert "paul@backup.example" not in story.rows1


def test_next_preference_after_a_refusing_greeting(story):
    assert len(story.messages(52, "refused by the first")) == 1
    assert len(story.scripts[51].sessions) >= 1


def test_greylisting(story):
    taken = story.messages(41, "greylisting")
    assert len(taken) == 1
    assert taken[0].content.endswith(story.sent["greylisting"][1])
    assert "grey@s41.example" not in story.rows2


@pytest.mark.parametrize("number,case", (
    (42, "4xx to the message"), (45, "cut in the message"),
    (46, "cut before the answer"), (48, "says nothing")))
def test_delivered_the_second_time(story, number, case):
    taken = story.messages(number, case)
    assert len(taken) == 1
    assert taken[0].content.endswith(story.sent[case][1])
    assert CASES[case][0] not in story.rows2


def test_one_of_two(story):
    taken = story.messages(43, "5xx to one of two")
    assert len(taken) == 1
    assert [command.split(">")[0] for command in taken[0].rcpts] \
        == ["RCPT TO:<yes@s43.example"]


def test_refused_message_is_not_offered_again(story):
    assert len(story.scripts[44].raw) == 1
    assert "anybody@s44.example" not in story.rows1


def test_slow_server_gets_it(story):
    """A server that says an octet each 20 ms keeps nobody else waiting."""
    taken = story.messages(47, "slow")
    assert len(taken) == 1
    assert taken[0].content.endswith(story.sent["slow"][1])


def test_server_that_says_nothing_is_waited_for(story):
    """Not longer than RFC 5321 4.5.3.2 says, but that is long: its message is
    still in the queue, and untried."""
    assert story.rows1["silent@s48.example"]["Attempts"] == 0


def test_many_recipients_at_one_host_go_once(story):
    """Byte for byte, with a line of 5,000 octets."""
    taken = story.messages(50, "several")
    assert len(taken) == 1 and len(story.scripts[50].raw) == 1
    assert len(taken[0].rcpts) == 12
    assert taken[0].content.endswith(story.sent["several"][1])


@pytest.mark.parametrize("case", TRIED_AGAIN)
def test_put_off_again(story, case):
    row = story.rows2[CASES[case][0]]
    assert row["Attempts"] == 2 and re.search(STAYS[case], row["Reply"])


def test_null_sender_is_never_told(story):
    """Refused for good in act 2: nobody hears of it, and it is gone."""
    assert len(story.scripts[49].raw) == 2
    assert "null@s49.example" not in story.rows2
    assert not [one for one in story.reports2
                if story.sent["null sender"][0] in one.returned]


def test_delay_is_told(story):
    report = story.report(2, DELAYED)
    recipient = CASES[DELAYED][0]
    fields = report.of(recipient)
    assert fields["Action"] == "delayed" and fields["Status"] == "4.4.1"
    assert fields["Will-Retry-Until"]
    assert story.rows2[recipient]["Delayed"] == 1


def test_what_is_too_old_is_given_up(story):
    report = story.report(2, EXPIRED)
    fields = report.of(CASES[EXPIRED][0])
    assert fields["Action"] == "failed"
    assert fields["Status"] in ("4.4.7", "5.4.7", "4.4.3")
    assert CASES[EXPIRED][0] not in story.rows2
