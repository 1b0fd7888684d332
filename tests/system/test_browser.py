"""The webmail in a real browser: headless Chromium, driven by tests/browser.

The AO runs in QEMU; mail comes by SMTP and is fetched by POP3 where the browser
is not what is tested. Each scenario is a program of tests/browser, which fails
with what a person would have seen wrong; so does each violation of the pages'
policy, error of a script, or finding of axe-core.
"""
import base64
import email
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import zlib

import pytest

import conftest
import mail
import mailer
import stick
from stick import DOMAIN

FOLDER = os.path.join(stick.ROOT, "tests", "browser")
SCREENS = os.path.join(stick.ROOT, "build", "screens")
PORTS = (25, 80, 110, 587)
ANNA, BERT = f"anna@{DOMAIN}", f"bert@{DOMAIN}"

if not (shutil.which("node") and shutil.which("chromium-headless-shell")):
    pytest.skip("there is no Chromium or node here: make deps",
                allow_module_level=True)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("web"))
    image = stick.make(os.path.join(folder, "stick.img"))
    server = conftest.Booted(folder, image, forward=PORTS).run()
    yield server
    server.close()


def browse(server, scenario, limit_s=170, **setting):
    """Runs one program of tests/browser; gives what it told."""
    setting = {"web": "http://%s:%d" % server.machine.address(80),
               "screens": SCREENS, **setting}
    os.makedirs(SCREENS, exist_ok=True)
    done = subprocess.run(
        ["node", os.path.join(FOLDER, scenario + ".mjs")],
        env={**os.environ, "BROWSER_TEST": json.dumps(setting)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=limit_s)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def letter(subject, body, sender=BERT, recipient=ANNA, headers=""):
    return (f"From: Bert Example <{sender}>\r\nTo: {recipient}\r\n"
            f"Date: Thu, 26 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{abs(hash((subject, body)))}@tests.example>\r\n"
            f"MIME-Version: 1.0\r\nSubject: {subject}\r\n{headers}\r\n"
            f"{body}").encode()


def send(server, messages, recipient=ANNA):
    with mail.Smtp(server.smtp) as client:
        assert client.command("EHLO tests.example")[0] == 250
        for message in messages:
            code, text = client.deliver(recipient, message)
            assert code == 250, text


def picture(width=64, height=48):
    """A small PNG."""
    rows = b"".join(
        b"\0" + b"".join(bytes((x * 4 % 256, y * 5 % 256, 128))
                         for x in range(width))
        for y in range(height))

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0,
                                         0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def html_letter():
    data = base64.encodebytes(picture()).decode().replace("\n", "\r\n")
    body = (
        "--cut\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        "<style>html, body { height: 100% !important; margin: 0 auto }</style>"
        "<div style=\"min-height: 100vh\">"
        "<h2>A letter in HTML</h2><p>With a picture "
        "<img src=\"cid:pic@tests\" alt=\"inside\"> of its own and one "
        "<img src=\"http://192.0.2.80/track.png\" alt=\"outside\"> from "
        "elsewhere, and a table: <table><tr><td>Narrow words</td>"
        f"<td nowrap>{'wide' * 90}</td></tr></table>And "
        "<a href=\"https://a.example/page\">a link</a>.</p></div>"
        "\r\n--cut\r\nContent-Type: image/png; name=pic.png\r\n"
        "Content-ID: <pic@tests>\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: inline\r\n\r\n" + data + "--cut--\r\n")
    return letter("HTML with pictures", body, sender=ANNA, recipient=BERT,
                  headers="Content-Type: multipart/related; boundary=cut\r\n")


def test_tour(served, tmp_path):
    """Every function, on a desk and on a phone."""
    files = [str(tmp_path / "picture.png"), str(tmp_path / "notes täxt.txt")]
    with open(files[0], "wb") as file:
        file.write(picture())
    with open(files[1], "wb") as file:
        file.write("Notes, größer.\n".encode() * 2000)
    send(served, [letter(f"Number {number}", f"This is number {number}.\r\n")
                  for number in range(1, 61)])
    send(served, [html_letter()], recipient=BERT)
    shared = tmp_path / ("L" * 200 + ".txt")
    shared.write_text("x")
    anna = mailer.Web(str(tmp_path / "anna"), served.machine.address(80),
                      "anna")
    anna.get("/files")
    assert "1 byte<" in anna.post("/files", {}, files=[str(shared)]).text
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate(40 << 20)
    told = browse(served, "tour", files=files, large=str(large))
    print(told)
    # What went from browser to browser is whole.
    for message in mail.fetch_all(served.pop3, "bert", "bert-demo"):
        if b"Subject: With two files" in message:
            parsed = email.message_from_bytes(message)
            got = [part.get_payload(decode=True) for part in parsed.walk()
                   if part.get_filename()]
            assert got == [open(path, "rb").read() for path in files]
            return
    raise AssertionError("the message with files is not there")


class Listener:
    """Counts whoever connects: nobody may."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.came = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            client.settimeout(5)
            try:
                self.came.append(client.recv(2000))
            except OSError:
                self.came.append(b"")
            client.close()


def vectors():
    """[(name, HTML)] of the file of hostile mail."""
    with open(os.path.join(FOLDER, "vectors", "hostile.txt"), "rb") as file:
        text = file.read()
    blocks = re.split(rb"(?m)^== (.*)\n", text)[1:]
    return [(name.decode(), body)
            for name, body in zip(blocks[::2], blocks[1::2])]


def test_hostile_mail(served):
    """Nothing runs, nothing is fetched: Chromium and a listener say so."""
    hostile = vectors()
    assert len(hostile) >= 60
    send(served, [letter(f"Vector {number}", "", headers="Content-Type: "
                         "text/html; charset=utf-8\r\n"
                         "Content-Transfer-Encoding: base64\r\n")
                  + base64.encodebytes(body).replace(b"\n", b"\r\n")
                  for number, (_, body) in enumerate(hostile)])
    rows = dict(stick.query(
        served.store(), "SELECT Subject, MailboxID || '/' || UID FROM entry "
        "JOIN message USING(MailID) WHERE Subject LIKE 'Vector %'"))
    listener = Listener()
    told = browse(served, "hostile", listener=listener.port, vectors=[
        {"name": name, "path": "/mail/" + rows[f"Vector {number}"]}
        for number, (name, _) in enumerate(hostile)])
    print(told)
    assert listener.came == []
