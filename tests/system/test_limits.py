"""Limits against abuse, with real clients of several addresses and a name
server: crowds and guessers are held off, listed clients refused, strangers
slowed, and a user who has logged in meets none of it."""
import base64
import socket
import struct
import threading
import time

import pytest

import mail
import namespace
import stick
from conftest import Booted
from lan import SCRIPTED
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"
FRIEND, LISTED, UNWELCOME, BROKEN, STRANGER, CROWD, GUESSER, USER = \
    SCRIPTED[:8]
REFUSED, SERVFAIL, NXDOMAIN = 5, 2, 3
SLOW_S = 1.5


class BlockList(threading.Thread):
    """The name server, of one zone: bl.example."""

    answers = {LISTED: ("127.0.0.4", 0), UNWELCOME: ("127.255.255.254", 0),
               BROKEN: ("", SERVFAIL)}

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((namespace.HOST, 53))
        self.asked = []

    def run(self):
        while True:
            try:
                question, sender = self.socket.recvfrom(1500)
            except OSError:
                return
            self.socket.sendto(self.answer(question), sender)

    def answer(self, question):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        end = at + 5
        client = ".".join(reversed(labels[:4]))
        kind = struct.unpack_from(">H", question, at + 1)[0]
        wanted = kind == 1 and ".".join(labels[4:]).lower() == "bl.example"
        if wanted:
            self.asked.append(client)
        address, code = self.answers.get(client, ("", NXDOMAIN)) if wanted \
            else ("", NXDOMAIN)
        record = b"" if not address else b"\xc0\x0c" + struct.pack(
            ">HHIH4s", 1, 1, 60, 4, socket.inet_aton(address))
        return question[:2] + struct.pack(
            ">HHHHH", 0x8180 | code, 1, bool(address), 0, 0) \
            + question[12:end] + record


@pytest.fixture(scope="module")
def block_list(net):
    server = BlockList()
    server.start()
    yield server
    server.socket.close()


@pytest.fixture(scope="module")
def server(net, block_list, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("limits"))
    settings = {"limit_private": 1, "limit_sessions": 3, "tarpit_ms": 200,
                "limit_invalid_recipients": 9, "dnsbl": "bl.example",
                "slow_strangers_ms": int(SLOW_S * 1000),
                "limit_user_messages": 4}
    options = [part for key, value in settings.items()
               for part in ("--set", f"{key}={value}")]
    image = stick.make(f"{folder}/stick.img", *namespace.STICK_OPTIONS,
                       "--dns", namespace.HOST, *options)
    started = Booted(folder, image, network=net.tap()).run()
    yield started
    started.close()


class From(mail.Smtp):
    """An SMTP client with this address."""

    def __init__(self, address, server, limit_s=30):
        self.socket = socket.create_connection(server, limit_s, (address, 0))
        self.lines = self.socket.makefile("rb")
        self.banner = self.reply()


def first_recipient(server, address, sender):
    """The reply to it, and how long that took."""
    with From(address, server.smtp) as client:
        assert client.command("EHLO tests.example")[0] == 250
        assert client.command(f"MAIL FROM:<{sender}>")[0] == 250
        began = time.monotonic()
        code, text = client.command(f"RCPT TO:<{ANNA}>")
        return code, text, time.monotonic() - began


def test_crowd(server):
    crowd = [From(CROWD, server.smtp) for _ in range(3)]
    assert [client.banner[0] for client in crowd] == [220] * 3
    with From(CROWD, server.smtp) as one_more:
        assert one_more.banner[0] == 421
        assert "too many connections" in one_more.banner[1]
    with From(FRIEND, server.smtp) as other:
        assert other.banner[0] == 220
    crowd.pop().close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with From(CROWD, server.smtp) as again:
            if again.banner[0] == 220:
                break
    assert again.banner[0] == 220
    for client in crowd:
        client.close()


def test_guesser(server):
    """Five guesses are free, then each takes twice as long; at last the line
    is closed. Meanwhile others are served at once."""
    took = []
    with From(GUESSER, server.smtp) as client:
        client.command("HELO tests.example")
        client.command("MAIL FROM:<a@b.example>")
        for number in range(8):
            began = time.monotonic()
            code, _ = client.command(f"RCPT TO:<guess{number}@{DOMAIN}>")
            took.append(time.monotonic() - began)
            assert code == 550
        assert client.command(f"RCPT TO:<last@{DOMAIN}>")[0] == 421
        assert client.reply()[0] == 0
    # The two computers' clocks need not go quite alike.
    assert took[5] >= 0.15 and took[6] >= 0.3 and took[7] >= 0.6
    assert sum(took[:5]) < sum(took[5:])


def test_listed(server, block_list):
    code, text, _ = first_recipient(server, LISTED, "a@listed.example")
    assert code == 550 and "bl.example" in text
    assert LISTED in block_list.asked
    with From(LISTED, server.smtp) as client:
        client.command("EHLO tests.example")
        # Whom everybody may write to.
        assert client.deliver("postmaster", b"Why?\r\n")[0] == 250
        assert client.deliver(ANNA, b"Buy!\r\n")[0] == 550


@pytest.mark.parametrize("address", [UNWELCOME, BROKEN, FRIEND])
def test_not_listed(server, block_list, address):
    assert first_recipient(server, address, "a@b.example")[0] == 250
    assert address in block_list.asked


def test_stranger(server):
    """The first message is slow, the next ones of the same sender are not."""
    sender = "somebody@new.example"
    code, _, took = first_recipient(server, STRANGER, sender)
    assert code == 250 and took >= SLOW_S * 0.9
    with From(STRANGER, server.smtp) as client:
        client.command("EHLO tests.example")
        assert client.deliver(ANNA, b"Hello\r\n", sender)[0] == 250
    # That is noted right behind the message.
    for _ in range(3):
        code, _, took = first_recipient(server, STRANGER, sender)
        assert code == 250
        if took < SLOW_S * 0.9:
            break
    assert took < SLOW_S * 0.9
    code, _, took = first_recipient(server, STRANGER, "other@newer.example")
    assert code == 250 and took >= SLOW_S * 0.9


def test_user(server, block_list):
    """Is not asked about, not slowed; and sends so many an hour."""
    word = base64.b64encode(b"\0anna\0anna-demo").decode()
    with From(USER, server.smtp) as client:
        client.command("EHLO tests.example")
        assert client.command(f"AUTH PLAIN {word}")[0] == 235
        began = time.monotonic()
        for _ in range(4):
            assert client.deliver(ANNA, b"Hello\r\n", ANNA)[0] == 250
        assert time.monotonic() - began < SLOW_S
        assert client.command(f"MAIL FROM:<{ANNA}>")[0] == 450
    assert USER not in block_list.asked


def test_the_log_tells(server):
    server.machine.power_cut()
    lines = stick.run(stick.MKUSB, "--inspect", server.stick, "--log")
    assert f"turned away client={CROWD} limit=sessions" in lines
    assert f"listed client={LISTED} list=bl.example" in lines
    assert f"to=<guess0@{DOMAIN}>" in lines
