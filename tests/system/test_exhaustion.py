"""What is meant to use the web server up: mail that is deep, long or broken
where a page takes it apart, many logins at once, forms and queries of a size
that nobody types. All of it is answered, and others are served meanwhile.

Slow clients: test_http.py. Guessers: test_limits.py.
"""
import os
import threading
import time
import urllib.parse

import pytest

import crawl
import mail
import qemu
import stick
from conftest import Booted
from crawl import Person
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("exhaustion"))
    image = stick.make(os.path.join(folder, "stick.img"),
                       "--address", qemu.GUEST_ADDRESS + "/24")
    server = Booted(folder, image, forward=(25, 80, 110)).run()
    server.http = server.machine.address(80)
    server.anna = Person(server.http, "anna")
    yield server
    server.close()


def nested(levels, kind):
    """Multiparts or messages within one another."""
    if kind == "message":
        return b"Content-Type: message/rfc822\r\n\r\n" * levels + b"x\r\n"
    head = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n"
                    % (level, level) for level in range(levels))
    return head + b"\r\nx\r\n" + b"".join(
        b"--%d--\r\n" % level for level in reversed(range(levels)))


def html(text):
    return b"Content-Type: text/html\r\n\r\n" + text + b"\r\n"


def lines(text, length=900):
    return b"\r\n".join(text[at:at + length]
                        for at in range(0, len(text), length))


HOSTILE = {
    "multiparts": nested(2000, "multipart"),
    "messages": nested(5000, "message"),
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\n\r\nx\r\n" * 10000 + b"--b--\r\n",
    "names": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(
        b"--b\r\nContent-Disposition: attachment; filename*%d*=utf-8''%%C3%%A4;"
        b"\r\n filename*%d=\"%s\"\r\n\r\nx\r\n"
        % (number, number + 1, b"n" * 400) for number in range(1000))
    + b"--b--\r\n",
    "deep HTML": html(lines(b"<div><b><table>" * 10000)),
    "long attribute": html(b"<a href=\"" + lines(b"x" * 300000)),
    "entities": html(lines(b"&#x41;&amp;&nbsp;" * 10000)),
    "styles": html(b"<style>" + lines(b"a{b:url(x);}" * 10000) + b"</style>"),
    "encoded words": b"Subject: " + b"\r\n ".join(
        [b"=?utf-8?q?" + b"=C3=A4" * 10 + b"?="] * 3000) + b"\r\n\r\nx\r\n",
    "addresses": b"Cc: " + b",\r\n ".join(
        [b"\"a, b\" (c (d)) <e%d@x.example>" % number
         for number in range(5000)]) + b"\r\n\r\nx\r\n",
    "comments": b"Reply-To: " + lines(b"(" * 60000, 500).replace(
        b"\r\n", b"\r\n ") + b"\r\n\r\nx\r\n",
    "quotes": b"Content-Type: text/plain; format=flowed\r\n\r\n"
    + lines(b">" * 200000) + b"\r\n",
    "base64": b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64"
    b"\r\n\r\n" + lines(b"PGI+" * 40000) + b"\r\n",
    "quoted-printable": b"Content-Type: text/plain\r\nContent-Transfer-Encoding:"
    b" quoted-printable\r\n\r\n" + b"=\r\n" * 40000,
    "references": b"References: " + b"\r\n ".join(
        b"<%d@x.example>" % number for number in range(8000)) + b"\r\n\r\nx\r\n",
}


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


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail(served, name):
    """All pages of it: read, answered, forwarded, its pieces; and its search."""
    anna = served.anna
    code, text = mail.send_one(served.smtp, ANNA, f"Subject: h {name}\r\n"
                               .encode() + HOSTILE[name])
    if code != 250:
        assert code == 552, text  # its header alone is too long
        return
    with Beside(served.http):
        page = anna.get("/mail")
        assert page.status == 200
        place = [link for link in crawl.read(page.text).links
                 if link.startswith("/mail/") and link.count("/") == 3][0]
        key = place[len("/mail/"):].replace("/", ".")
        page = anna.get(place)
        assert page.status == 200
        links = [link for link in crawl.read(page.text).links
                 if link.startswith(place + "/")]
        for link in links[:3] + links[-2:]:
            assert anna.get(link).status == 200, link
        for path in (place + "/html/0", place + "/part/0", place + "/part/199",
                     place + "/part/4000"):
            assert anna.get(path).status in (200, 404), path
        for path in (place + "/headers", place + "/source",
                     "/compose?reply=" + key, "/compose?all=" + key,
                     "/compose?forward=" + key,
                     "/search?q=" + urllib.parse.quote(name)):
            assert anna.get(path).status == 200, path
        form = [form for form in crawl.forms_of(
            anna.get("/compose?forward=" + key).text)
                if form.action == "/compose"][0]
        target = [each for each in crawl.targets_of_form(form, "/compose")
                  if ("do", "send") in each.pairs][0]
        assert target.changed("to", "bert").send(anna).status in (
            200, 303, 413), "forwarding"
        anna.post("/act", {"do": "delete", "m": key})


def test_a_long_page_holds_up_nobody(served):
    """The HTML of 2 MB of tags; others' pages do not wait for it."""
    anna = served.anna
    code, _ = mail.send_one(served.smtp, ANNA, b"Subject: long\r\n"
                            + html(lines(b"<div><b><table>" * 130000)))
    assert code == 250
    place = [link for link in crawl.read(anna.get("/mail").text).links
             if link.startswith("/mail/") and link.count("/") == 3][0]
    with Beside(served.http) as beside:
        begun = time.monotonic()
        assert anna.get(place + "/html/0").status == 200
        taken_s = time.monotonic() - begun
    assert beside.longest_s < taken_s / 4, (beside.longest_s, taken_s)


def test_many_logins_at_once(served):
    """Right and wrong ones, more than wait at a time. Who is told to come again
    does; in the end all the right ones are in, and none of the others."""
    answers = []

    def log_in(number):
        person = Person(served.http)
        good = number % 3 > 0
        busy = True
        while busy:
            answer = person.post("/login", {
                "user": "bert", "password": "bert-demo" if good else "no"},
                False)
            busy = answer.status == 503 or \
                "failed=busy" in answer.field("Location")
            time.sleep(.2 * busy)
        answers.append((good, answer.status, "Set-Cookie" in answer.fields))
    with Beside(served.http):
        threads = [threading.Thread(target=log_in, args=(number,), daemon=True)
                   for number in range(15)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(150)
    assert len(answers) == 15
    assert {status for good, status, _ in answers if good} == {303}
    assert all(cookie == good for good, _, cookie in answers)
    assert served.anna.here()


def brief(value):
    """The name of a test whose value is long."""
    return value[:20]


@pytest.mark.parametrize("query", ids=brief, argvalues=[
    "q=" + "a" * 3900, "q=" + "%22" * 1200, "q=" + "a+" * 1900,
    "q=" + "-a+" * 1200, "q=" + "from:a+" * 500, "q=" + "%28" * 1300,
    "&" * 3900, "a&" * 1900, "q=a&" * 900, "=" * 3900, "q" * 3900,
    "q=" + "%F0%9F%98%80" * 320, "q=" + "*+" * 1900, "q=" + "a*+OR+" * 600])
def test_long_queries(served, query):
    for path in ("/search?", "/mail?", "/contacts?", "/compose?"):
        assert served.anna.get(path + query).status in (200, 400, 414), path


@pytest.mark.parametrize("body", ids=brief, argvalues=[
    "m=1.1&" * 40000, "m=" + "9" * 500000, "&" * 900000, "a=b&" * 200000,
    "%41" * 300000, "x" * 900000, "to=" + "a@b.example,+" * 60000,
    "q=" + "%" * 900])
def test_long_forms(served, body):
    anna = served.anna
    with Beside(served.http):
        for path in ("/act", "/compose", "/settings", "/settings/rules",
                     "/folders", "/admin/users", "/sql"):
            answer = anna.ask("POST", path, f"csrf={anna.csrf}&do=move&to=1&"
                              + body, crawl.URLENCODED)
            assert answer.status in (200, 303, 400, 413), path
    assert anna.here()


def test_many_parts_of_a_form(served):
    anna, bound = served.anna, crawl.BOUNDARY
    head = (f'--{bound}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n'
            f"{anna.csrf}\r\n")
    for piece in (f'--{bound}\r\nContent-Disposition: form-data; name="file"; '
                  'filename="a"\r\n\r\nx\r\n',
                  f'--{bound}\r\nContent-Disposition: form-data; name="a"\r\n'
                  f'X: {"x" * 700}\r\n\r\n\r\n', f"--{bound}\r\n", "--\r\n"):
        for path in ("/files", "/compose", "/sql"):
            answer = anna.ask("POST", path, head + piece * 3000
                              + f"--{bound}--\r\n",
                              f"multipart/form-data; boundary={bound}")
            # What is no part belongs to the token before it.
            wanted = (403,) if piece == "--\r\n" else (200, 303, 400, 413)
            assert answer.status in wanted, (path, piece[:60])
    assert anna.here()
    assert anna.get("/files/a").status in (200, 404)
