"""Every field of every form and query of every page, as nobody, as a user and
as an administrator: what injects SQL, script, header fields, paths or other
places finds nothing; nobody reaches what is another's; no form is taken without
its token. What there is is found by crawling, and compared with the tables of
routes, so that a new page is tested as soon as it is linked.

`make scan` does the same with sqlmap and wapiti, for longer.
"""
import email
import email.policy
import glob
import os
import re
import urllib.parse

import pytest

import crawl
import mail
import qemu
import stick
from conftest import Booted
from crawl import Person, Target
from stick import DOMAIN

SECRETS = {"anna": "alabaster", "bert": "bordeaux", "cleo": "cinnamon"}
STARTS = ("/", "/menu", "/search?q=a", "/files", "/login", "/help")
ADMIN_STARTS = ("/admin", "/sql", "/metrics")
ADMIN_PATHS = ("/admin", "/sql", "/files")

VECTORS = (
    "' OR '1'='1", "1) UNION SELECT Password FROM user --",
    "1; DELETE FROM user; --", "\" OR \"\"=\"", "MATCH '*' NEAR(",
    "\"><script>alert(1)</script>", "{{7*7}}%s%n${7*7}",
    "x\r\nX-Injected: yes\r\n\r\n<script>alert(1)</script>",
    "//evil.example/..%2f..%2fmail.db", "../../../../mail.db", "a\0b",
    "99999999999999999999", "-1", "\u202e\ufeff\U0010ffff", "A" * 3000,
)
# Where a password is asked for: who guesses has to wait longer each time.
FEW = VECTORS[:1]

# The administrator's statement is run on purpose, and its errors are told.
STATEMENTS = ("text", "file")


def fields_of(target):
    return [place for place in target.places if place != "csrf" and
            not (target.path == "/sql" and place in STATEMENTS)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("vectors"))
    image = stick.make(os.path.join(folder, "stick.img"),
                       "--set", "data_access=own",
                       "--address", qemu.GUEST_ADDRESS + "/24")
    server = Booted(folder, image, forward=(25, 80, 110)).run()
    server.http = server.machine.address(80)
    anna = Person(server.http, "anna")
    answer = anna.post("/admin/users", {"name": "cleo", "quota": "0",
                                        "password": "cleo-demo"})
    assert "saved" in answer.field("Location"), answer.text
    server.people = {"anna": anna, "bert": Person(server.http, "bert"),
                     "cleo": Person(server.http, "cleo")}

    def deliver(recipient, message):
        code, text = mail.send_one(server.smtp, recipient, message)
        assert code == 250, text
    for name, person in server.people.items():
        crawl.furnish(person, deliver, DOMAIN, SECRETS[name])
    yield server
    server.close()


def targets_of(person):
    """All that he can send; also what only scripts send, and what a page shows
    only for a moment."""
    found = crawl.crawl(person, *STARTS, *ADMIN_STARTS)
    compose = [target for target in found if target.path == "/compose"
               and target.method == "POST"][:1]
    return found + [Target("POST", "/draft", target.pairs, True, target.files)
                    for target in compose] + [
        Target("GET", "/contacts", [("q", "a")]),
        Target("POST", "/sql/stop", [("csrf", ""), ("id", "1")]),
        Target("GET", "/search", [("q", "a"), ("in", "1"), ("c", "1"),
                                  ("b", "1")]),
        Target("GET", "/compose", [("to", "a"), ("cc", "a"), ("bcc", "a"),
                                   ("subject", "a"), ("text", "a")])]


@pytest.fixture(scope="module")
def targets(served):
    """By person, as it is before anything is changed."""
    people = {None: Person(served.http), **served.people}
    return {name: targets_of(person) for name, person in people.items()}


def routes():
    """All paths of the tables of routes."""
    found = set()
    for path in glob.glob(os.path.join(stick.ROOT, "firmware", "*", "*.c")):
        with open(path, encoding="utf-8") as file:
            found.update(re.findall(r'\{"(/[^"]*)",\s*HTTP_', file.read()))
    return found


def test_every_route_is_reached(targets):
    paths = {target.path for each in targets.values() for target in each}
    assert len(routes()) > 25
    for route in routes() - {crawl.AVOIDED}:
        assert any(path == route or route.endswith("*") and
                   path.startswith(route[:-1]) and path != route[:-1]
                   for path in paths), route


# ---- What is another's ---------------------------------------------------------------

def seen_by(person, those):
    """What his pages say, without what changes by itself: tokens, compositions
    that begin, the quota."""
    return {(target.path, *target.pairs): re.sub(
        r'value="([0-9a-f]{32}|[0-9a-f]{24})"|<p class="quota.*?</p>', "", target.send(
            person).text) for target in those if target.method == "GET" and
            target.path.startswith(("/mail", "/thread", "/folders", "/compose",
                                    "/settings", "/search"))}


def test_nobody_reaches_what_is_anothers(served, targets):
    """All that cleo can send, sent by bert: no word of hers, no change."""
    bert, cleo = served.people["bert"], served.people["cleo"]
    before = seen_by(cleo, targets["cleo"])
    assert sum(SECRETS["cleo"] in text for text in before.values()) > 15
    for target in targets["cleo"]:
        if target.path in ("/logout", "/login"):
            continue
        pairs = [(name, value.replace(SECRETS["cleo"], "x"))
                 for name, value in target.pairs]
        answer = Target(target.method, target.path, pairs, target.multipart,
                        target.files).send(bert)
        assert SECRETS["cleo"] not in answer.text, target
        assert answer.status < 500, target
    for target in targets_of(bert):
        if target.method == "GET":
            assert SECRETS["cleo"] not in target.send(bert).text, target
    for message in mail.fetch_all(served.pop3, "bert", "bert-demo"):
        assert SECRETS["cleo"].encode() not in message
    assert seen_by(cleo, targets["cleo"]) == before


def test_administration_is_for_administrators(served, targets):
    for target in targets["anna"]:
        if target.path.startswith("/admin"):
            for name in ("bert", "cleo"):
                answer = target.send(served.people[name])
                assert answer.status == 403, target
            answer = target.send(Person(served.http))
            assert answer.status in (303, 403), target
            assert "alabaster" not in answer.text


# ---- Forms from elsewhere --------------------------------------------------------------

def test_every_form_needs_its_token(served, targets):
    """None, a wrong one, another's; and never for a page of another site."""
    other = served.people["bert"].csrf
    for name in ("bert", "anna"):
        person = served.people[name]
        own, wrong = person.csrf, ("", "0" * 32, other if name == "anna" else
                                   served.people["cleo"].csrf)
        try:
            for target in targets[name]:
                if target.method != "POST" or target.path == "/login":
                    continue
                for person.csrf in wrong:
                    assert target.send(person).status == 403, target
        finally:
            person.csrf = own
        assert person.here()


@pytest.mark.parametrize("field", [
    {"Origin": "http://evil.example"}, {"Origin": "null"},
    {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}])
def test_no_form_from_elsewhere(served, targets, field):
    for name in (None, "anna"):
        person = served.people["anna"] if name else Person(served.http)
        for path in {target.path for target in targets[name]
                     if target.method == "POST"}:
            answer = person.ask("POST", path, "csrf=" + person.csrf,
                                crawl.URLENCODED, **field)
            assert answer.status == 403, path


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT",
                                    "PROPFIND"])
def test_methods(served, targets, method):
    anna = served.people["anna"]
    for path in {target.path for target in targets["anna"]}:
        answer = anna.ask(method, path, X_Echo="echoed")
        assert answer.status in (405, 501), path
        assert "echoed" not in answer.text


def test_private_pages_are_not_kept(served, targets):
    """Neither by the browser nor by anything between."""
    for name in ("bert", "anna"):
        for target in targets[name]:
            if target.method == "GET":
                kept = target.send(served.people[name]).field("Cache-Control")
                assert kept == "no-store" or kept.startswith("private"), target


def test_other_hosts(served, targets):
    """What a client says of names leads nobody there."""
    for name in (None, "anna"):
        person = served.people["anna"] if name else Person(served.http)
        for target in targets[name]:
            if target.method == "GET" and target.path != "/metrics":
                answer = person.ask(
                    "GET", target.path, Host="evil.example",
                    X_Forwarded_Host="evil.example", Forwarded="host=evil."
                    "example", X_Original_URL="/admin", X_Rewrite_URL="/admin")
                assert "evil" not in answer.text + answer.field("Location")
                assert name or answer.status != 200 or \
                    target.path in ("/login", "/files"), target


def test_a_login_is_always_a_new_one(served):
    """A cookie that somebody else has chosen is never logged in, and the one
    before the login is over after it."""
    chosen = "barepost=" + "1" * 32
    person = Person(served.http)
    person.cookie = chosen
    person.log_in("bert", "bert-demo")
    first = person.cookie
    assert first != chosen
    person.log_in("bert", "bert-demo")
    assert person.cookie != first
    for old in (chosen, first):
        person.cookie = old
        assert not person.here(), old


# ---- Names of files --------------------------------------------------------------------

def upload(person, name):
    return Target("POST", "/files", [("csrf", "")], True,
                  [("file", name)]).send(person)


@pytest.mark.parametrize("name, kept", [
    ("../../mail.db", "mail.db"), ("..\\..\\mail.db", "mail.db"),
    ("/etc/passwd", "passwd"), ("..%2f..%2fmail.db", None),
    ("%2e%2e%2fx", "%2e%2e%2fx"), ("..", None), (".", None), (".hidden", None),
    ("a\0b", None), ("a\rb", "a b"), ("a/", "unnamed"), ("\u2025\u2215x", ...),
    ("..\u2044..\u2044x", None), ("\u202egpj.exe", ...), ("\ufeffx", ...),
    ("a\";x=\"b", "a\";x=\"b"), ("<img src=x onerror=alert(1)>", ...),
    ("CON", "CON"), ("x" * 250, "x" * 250), ("\u0436" * 120, "\u0436" * 120),
])
def test_names_of_shared_files(served, name, kept):
    """kept: as it is in the list; None: refused; ...: either, and harmless."""
    anna = served.people["anna"]
    answer = upload(anna, name)
    assert answer.status in (303, 400, 413), answer.text
    links = [link for link in crawl.read(anna.get("/files").text).links
             if link.startswith("/files/")]
    names = [urllib.parse.unquote(link[len("/files/"):]) for link in links]
    if kept is not ...:
        assert (answer.status == 303) == (kept is not None)
        assert kept is None or kept in names
    for link, shown in zip(links, names):
        assert not re.match(r"[./]|.*[\0-\x1f/\\]", shown), shown
        file = anna.get(link)
        assert file.status == 200, shown
        assert file.field("Content-Disposition").startswith("attachment")
        assert file.field("Content-Security-Policy").endswith("sandbox")
        if shown != "shared.txt":
            anna.post("/files-delete", {"name": shown})


@pytest.mark.parametrize("count", [30, 70, 100, 120, 127])
def test_long_names_do_not_push_out_what_protects(served, count):
    """Three bytes each in the head: every field is there for all that."""
    anna, name = served.people["anna"], "\u0436" * count
    assert upload(anna, name).status == 303
    path = "/files/" + urllib.parse.quote(name)
    file = anna.ask("GET", path, Range="bytes=1-2")
    assert file.status == 206 and file.body == b"on"
    assert file.field("Content-Range") == "bytes 1-2/7"
    assert file.field("Content-Disposition").endswith(urllib.parse.quote(name))
    assert file.field("Content-Security-Policy").endswith("sandbox")
    assert file.field("ETag") and file.field("Last-Modified")
    anna.post("/files-delete", {"name": name})


def test_long_way_back(served):
    """From the list of a search for something long."""
    bert = served.people["bert"]
    back = "/search?q=" + "%D0%B6" * 120
    place = bert.post("/act", {"do": "read", "back": back}).field("Location")
    assert place == back + "&said=none"


# ---- Header fields of mail ---------------------------------------------------------------

EVIL = "x\r\nX-Injected: yes\r\nBcc: paul@x.example\r\n\r\nbody"
FIELDS = {"return-path", "received", "date", "from", "subject", "message-id",
          "to", "cc", "mime-version", "content-type", "in-reply-to",
          "references", "content-transfer-encoding"}


def fields_of_mail(served, subject):
    """Of the newest mail of bert with that in its subject: (name, value)."""
    found = [message for message in
             mail.fetch_all(served.pop3, "bert", "bert-demo")
             if subject.encode() in message]
    assert found, subject
    parsed = email.message_from_bytes(found[-1],
                                      policy=email.policy.compat32)
    return [(name.lower(), value) for name, value in parsed.items()], parsed


@pytest.mark.parametrize("field, value", [
    ("subject", "inject-subject " + EVIL),
    ("to", "\"a\r\nX-Injected: yes\" <bert>, bert\r\nX-Injected: yes"),
    ("cc", "bert\r\nX-Injected: yes"), ("cc", "a\r\n (X-Injected: yes) <bert>"),
    ("bcc", "bert\r\nX-Injected: yes"),
    ("from", "a\r\nX-Injected: yes <cleo>"),
    ("from", "\"a\r\n\r\nX-Injected: yes\" <cleo@" + DOMAIN + ">"),
    ("zone", "60\r\nX-Injected: yes"), ("origin", "1.1\r\nX-Injected: yes"),
    ("answer", "1\r\nX-Injected: yes"), ("draft", "1.1\r\nX-Injected: yes"),
])
def test_no_field_of_a_form_adds_one_of_the_header(served, field, value):
    cleo = served.people["cleo"]
    word = f"inject-{field}-{len(value)}"
    fields = {"do": "send", "from": f"cleo@{DOMAIN}", "to": "bert",
              "subject": word, "text": "Text.", field: value}
    if field == "subject":
        word = "inject-subject"
    answer = cleo.post("/compose", fields)
    if answer.status != 303:
        # Kept as a draft instead: also that is a message.
        assert answer.status == 200 and 'role="alert"' in answer.text
        fields["do"] = "save"
        answer = cleo.post("/compose", fields)
        place = re.search(r"draft=(\d+)\.(\d+)", answer.field("Location"))
        source = cleo.get(f"/mail/{place[1]}/{place[2]}/source").body
        parsed = email.message_from_bytes(source)
        assert "X-Injected" not in parsed
        return
    names, _ = fields_of_mail(served, word)
    assert {name for name, _ in names} <= FIELDS, names
    assert len(names) == len({name for name, _ in names}), names


def test_names_of_attachments(served):
    """Neither into the header of their part nor into that of a download."""
    cleo, bert = served.people["cleo"], served.people["bert"]
    names = ("a\rX-Injected: yes", "b\";\"X-Injected=yes", "\u0436" * 120,
             "../../c", "d%0d%0aX-Injected: yes")
    answer = Target("POST", "/compose", [
        ("csrf", ""), ("do", "send"), ("from", f"cleo@{DOMAIN}"), ("to", "bert"),
        ("subject", "inject-names"), ("text", "x")], True,
        [("file", name) for name in names]).send(cleo)
    assert answer.status == 303, answer.text
    _, parsed = fields_of_mail(served, "inject-names")
    parts = [part for part in parsed.walk() if part.get_filename()]
    assert len(parts) == len(names)
    for part in parts:
        assert {name.lower() for name in part.keys()} <= FIELDS | {
            "content-disposition"}
        assert not re.search(r"[\r\n/]", part.get_filename())
    key = re.search(r'name="m"\s+value="(\d+)\.(\d+)"[\s\S]{0,400}?inject-names',
                    bert.get("/mail").text)
    links = crawl.read(bert.get(f"/mail/{key[1]}/{key[2]}").text).links
    links = [link for link in links if "/part/" in link]
    assert len(links) == len(names)
    for link in links:
        file = bert.get(link)
        assert file.status == 200 and "X-Injected" not in file.fields
        assert file.field("Content-Disposition").startswith("attachment")
        assert file.field("Content-Security-Policy").startswith("sandbox")


def test_what_came_does_not_inject_into_what_goes(served):
    """Fields of a received message that an answer takes over."""
    message = (b"From: \"x\r\n X-Injected: yes\" <cleo@" + DOMAIN.encode() +
               b">\r\nTo: bert\r\nSubject: inject-answer\r X-Injected: yes\r\n"
               b"Reply-To: cleo@" + DOMAIN.encode() + b"\rX-Injected: yes\r\n"
               b"Message-ID: <a\rX-Injected: yes@x>\r\n"
               b"References: <b\r\n X-Injected: yes> <c\0d> <" + b"e" * 900 +
               b">\r\n\r\nText.\r\n")
    code, text = mail.send_one(served.smtp, f"bert@{DOMAIN}", message)
    if code != 250:
        return  # not even taken
    bert = served.people["bert"]
    key = re.search(r'name="m"\s+value="(\d+\.\d+)"[\s\S]{0,400}?inject-answer',
                    bert.get("/mail").text)
    form = [form for form in
            crawl.forms_of(bert.get("/compose?reply=" + key[1]).text)
            if form.action == "/compose"][0]
    target = [target for target in crawl.targets_of_form(form, "/compose")
              if ("do", "send") in target.pairs][0]
    target = target.changed("to", "bert").changed("subject", "inject-answered")
    assert target.send(bert).status == 303
    names, _ = fields_of_mail(served, "inject-answered")
    assert {name for name, _ in names} <= FIELDS, names


# ---- Injections ------------------------------------------------------------------------

def judge(answer, name, what):
    text = answer.text
    assert answer.status in (200, 303, 400, 403, 404, 409, 413, 414, 431), \
        f"{what}: {answer.status}"
    assert "X-Injected" not in answer.fields, what
    assert re.match(r"(?![/\\]{2})(/|$)", answer.field("Location")), what
    assert "argon2" not in text, what
    assert not re.search(r"(?i)sqlite|syntax error|no such table", text), what
    if answer.field("Content-Type").startswith("text/html"):
        assert "<script>alert" not in text, what
    for other, secret in SECRETS.items():
        if name not in (other, "anna"):
            assert secret not in text, what


@pytest.mark.parametrize("name", [None, "bert", "anna"])
def test_vectors(served, targets, name, figure):
    person = served.people[name] if name else Person(served.http)
    sent = 0
    # One of each shape. What changes or removes comes last, so that the rest
    # finds something.
    shapes = {target.shape: target for target in reversed(targets[name])}
    for target in sorted(shapes.values(), key=lambda each: each.method):
        # Mail is shown to everybody by the same pages.
        if target.path == "/logout" or name and target.path == "/login" or \
                name == "anna" and not target.path.startswith(ADMIN_PATHS):
            continue
        slow = {"password", "old"} & set(target.places)
        for place in fields_of(target):
            for vector in FEW if slow else VECTORS:
                answer = target.changed(place, vector).send(person)
                judge(answer, name, f"{target}: {place}={vector[:40]!r}")
                sent += 1
        assert not name or person.here(), target
    for target in targets_of(person):
        if target.method == "GET":
            judge(target.send(person), name, f"{target}, after")
    figure(f"injections as {name or 'nobody'}: {sent} requests")


def test_the_store_is_whole_after_it(served):
    served.machine.expect_screen(r"Barepost")
    database = served.store()
    stick.check_whole(database)
    names = [row[0] for row in stick.query(database, "SELECT Name FROM user")]
    assert {"anna", "bert", "cleo"} <= set(names)
