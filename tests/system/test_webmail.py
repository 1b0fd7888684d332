"""The webmail by curl: what no browser would send, and who sees what."""
import email
import email.policy
import os
import re

import pytest

import conftest
import mail
import stick
import mailer
from stick import DOMAIN

PORTS = (25, 80, 110, 587)
ANNA, BERT = f"anna@{DOMAIN}", f"bert@{DOMAIN}"
# Each is put into every field and parameter that there is.
INJECTIONS = (
    "' OR '1'='1", "1; DROP TABLE user; --", "1' UNION SELECT Password FROM "
    "user --", "\" onmouseover=alert(1) x=\"", "<script>alert(1)</script>",
    "../../../../etc/passwd", "..%2f..%2f..%2fmail.db", "%00", "%s%n%x",
    "0 OR 1=1", "-1", "99999999999999999999", "a\r\nBcc: evil@x.example",
    "\u202egnp.exe", "\ufeff", "MATCH '*' NEAR(", "\"\"\"", "{{7*7}}", "AND OR",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("web"))
    image = stick.make(os.path.join(folder, "stick.img"))
    server = conftest.Booted(folder, image, forward=PORTS).run()
    yield server
    server.close()


@pytest.fixture(scope="module")
def anna(served, tmp_path_factory):
    """Anna, logged in once for many tests."""
    return mailer.Web(str(tmp_path_factory.mktemp("anna")),
                      served.machine.address(80), "anna")


@pytest.fixture
def browser(served, tmp_path):
    """Makes browsers, each with cookies of its own."""
    def make(user=None, password=None):
        folder = str(tmp_path / f"browser{len(os.listdir(tmp_path))}")
        return mailer.Web(folder, served.machine.address(80), user, password)
    return make


def letter(subject, body="Hello.\r\n", headers="", sender=BERT):
    return (f"From: {sender}\r\nTo: {ANNA}\r\nSubject: {subject}\r\n"
            f"Date: Thu, 26 Nov 2026 12:00:00 +0000\r\n{headers}\r\n{body}"
            ).encode()


def send(server, message, recipient=ANNA):
    code, text = mail.send_one(server.smtp, recipient, message)
    assert code == 250, text + server.machine.serial.screen()


def key_of(browser, subject, path="/mail"):
    keys = [key for key, line in browser.listed(path) if subject in line]
    assert keys, f"no {subject!r} in {path}"
    return keys[0]


def path_of(key, rest=""):
    return "/mail/" + key.replace(".", "/") + rest


# ---- Who sees what --------------------------------------------------------------

def test_nobody_gets_in_without_a_login(browser):
    for path in ("/", "/mail", "/mail/1", "/mail/1/1", "/mail/1/1/source",
                 "/mail/1/1/part/0", "/search?q=a", "/compose", "/settings",
                 "/settings/rules", "/folders", "/contacts?q=a", "/menu",
                 "/thread/1"):
        page = browser().get(path, follow=False)
        assert page.status in (302, 303, 401), path
        assert page.field("Location").startswith("/login"), path
    for path in ("/act", "/compose", "/draft", "/settings", "/folders"):
        page = browser().post(path, {"do": "send"}, csrf=False, follow=False)
        assert page.status in (302, 303, 401, 403), path


def test_wrong_password(browser):
    page = browser().post("/login", {"user": "anna", "password": "wrong"},
                          csrf=False)
    assert page.status == 403 and "not right" in page.text
    assert "anna" not in page.text


def test_a_number_with_more_behind_it_is_none(served, browser):
    anna = browser("anna")
    send(served, letter("Any message", "Any text.\r\n"))
    box = key_of(anna, "Any message").split(".")[0]
    for path in ("/thread/1~", "/thread/1.bak", "/thread/", "/thread/a",
                 "/thread/99999999999999999999", f"/mail/{box}~",
                 f"/mail/{box}.bak", "/mail/a"):
        assert anna.get(path).status == 404, path
    assert anna.get("/thread/1").status == 200


def test_others_mail_is_not_there(served, browser):
    """By no number, on no page, to no action."""
    send(served, letter("Secret of Anna", "The word is xylophone.\r\n"))
    anna, bert = browser("anna"), browser("bert")
    key = key_of(anna, "Secret of Anna")
    box = key.split(".")[0]
    bert.get("/mail")
    for path in (f"/mail/{box}", path_of(key), path_of(key, "/source"),
                 path_of(key, "/headers"), path_of(key, "/part/0"),
                 path_of(key, "/html/0"), f"/compose?reply={key}",
                 f"/compose?forward={key}", f"/compose?draft={key}"):
        page = bert.get(path)
        assert page.status == 404, path
        assert "xylophone" not in page.text and "Secret" not in page.text
    for path in ("/search?q=xylophone", "/contacts?q=a", "/mail", "/menu",
                 "/thread/1"):
        assert "Secret of Anna" not in bert.get(path).text, path
    for what in ("delete", "read", "flag", "junk", "move"):
        bert.post("/act", {"do": what, "m": key, "to": box, "back": "/mail"})
    bert.post("/act", {"do": "empty", "folder": box})
    page = bert.post("/compose", [
        ("do", "save"), ("to", "bert"), ("source", key), ("keep", "0"),
        ("keep", "1"), ("origin", key), ("answer", "1"), ("subject", "thief"),
        ("text", "x")], multipart=True)
    assert "xylophone" not in page.text
    assert key_of(anna, "Secret of Anna") == key
    assert "xylophone" in anna.get(path_of(key)).text
    for message in mail.fetch_all(served.pop3, "bert", "bert-demo"):
        assert b"xylophone" not in message


def test_forms_need_their_token(served, browser):
    send(served, letter("Stays"))
    anna = browser("anna")
    key = key_of(anna, "Stays")
    for token in ("", "0" * 32):
        page = anna.post("/act", {"csrf": token, "do": "delete", "m": key},
                         csrf=False)
        assert page.status == 403
    assert key_of(anna, "Stays") == key


# ---- What cannot be ----------------------------------------------------------------

def answers_well(page, what):
    assert page.status in (200, 303, 400, 403, 404, 413, 414, 431), \
        f"{what!r}: {page.status}"
    assert "<script>alert" not in page.text, what
    assert "\" onmouseover=alert" not in page.text, what
    assert "argon2" not in page.text, what
    assert not re.search(r"(?i)sqlite|syntax error|no such table", page.text), \
        what


@pytest.mark.parametrize("injection", INJECTIONS)
def test_injections_in_queries(anna, injection):
    quoted = mailer.quote(injection)
    for path in ("/mail/{}", "/mail/1/{}", "/mail/1/1/part/{}",
                 "/mail/1/1/html/{}", "/mail/1/1/{}", "/thread/{}",
                 "/search?q={}", "/search?q=a&c={}", "/search?q=a&in={}",
                 "/mail?c={}", "/mail?f={}", "/mail?c={}&b=1",
                 "/contacts?q={}", "/compose?to={}", "/compose?subject={}",
                 "/compose?reply={}", "/compose?draft={}", "/mail?said={}",
                 "/{}", "/assets/{}", "/login?next={}", "/login?failed={}",
                 "/mail/1/1?f={}", "/mail/1/1?c={}", "/mail/1/1?q={}",
                 "/mail/1/1?q=a&in={}", "/mail/1/1/text/{}",
                 "/compose?draft=1.1&compose={}",
                 "/mail?said=deleted&undo=1.1&last={}&from={}"):
        answers_well(anna.quick(path.replace("{}", quoted)), (path, injection))


@pytest.mark.parametrize("injection", INJECTIONS)
def test_injections_in_forms(anna, injection):
    anna.get("/settings")
    names = ("m", "to", "folder", "back", "id", "name", "signature",
             "subject", "text", "from", "until", "old", "new", "again",
             "field", "header", "pattern", "forward", "on", "cc", "bcc",
             "draft", "origin", "source", "keep", "answer", "zone", "compose",
             "first", "last")
    for path, what in (("/act", "move"), ("/act", "empty"), ("/act", "undo"),
                       ("/settings", "you"), ("/settings", "away"),
                       ("/settings/rules", "add"),
                       ("/settings/rules", "raise"), ("/folders", "make"),
                       ("/folders", "rename"), ("/compose", "save"),
                       ("/compose", "send"), ("/draft", "")):
        fields = [(name, injection) for name in names
                  if what == "undo" or name != "first"]
        answers_well(anna.quick(path, [("do", what)] + fields),
                     (path, what, injection))
    answers_well(anna.quick("/mail"), injection)
    answers_well(anna.quick("/settings/rules"), injection)
    answers_well(anna.quick("/folders"), injection)


def test_redirects_stay_here(browser):
    anna = browser("anna")
    anna.get("/mail")
    for back in ("//evil.example", "https://evil.example", "/\\evil.example",
                 "/mail\r\nSet-Cookie: a=b", "javascript:alert(1)"):
        page = anna.post("/act", {"do": "read", "m": "1.1", "back": back},
                         follow=False)
        place = page.field("Location")
        assert place.startswith("/mail") and "evil" not in place, back
        assert not page.field("Set-Cookie"), back


# ---- Writing ----------------------------------------------------------------------

def test_no_field_adds_another(served, browser):
    """Line ends in a subject or an address make no header field."""
    anna = browser("anna")
    anna.compose(to="bert", subject="One\r\nBcc: paul@evil.example\r\n\r\nbody",
                 text="Text.\n")
    found = [email.message_from_bytes(message, policy=email.policy.default)
             for message in mail.fetch_all(served.pop3, "bert", "bert-demo")]
    sent = [message for message in found if message["Subject"]
            and message["Subject"].startswith("One")]
    assert len(sent) == 1
    assert sent[0]["Bcc"] is None
    assert "paul" not in sent[0]["To"]


def test_nobody_sends_as_somebody_else(served, browser):
    anna = browser("anna")
    page = anna.compose(to="bert", subject="Not Anna's", text="x",
                        **{"from": BERT})
    assert "none of these" in page.text
    subjects = [email.message_from_bytes(message)["Subject"] for message in
                mail.fetch_all(served.pop3, "bert", "bert-demo")]
    assert "Not Anna's" not in subjects


def test_blind_copies_are_not_told(served, browser):
    anna = browser("anna")
    page = anna.compose(to="anna", bcc="bert", subject="Blind", text="x")
    assert "is sent" in page.text
    message = [each for each in mail.fetch_all(served.pop3, "bert",
                                               "bert-demo")
               if b"Subject: Blind" in each][0]
    assert b"bert" not in message.split(b"\r\n\r\n")[0].split(b"\r\nDate:")[1]
    sent = anna.values_of("/menu", r'href="(/mail/\d+)" data-key="gs"')[0]
    assert "Bcc" in anna.get(path_of(key_of(anna, "Blind", sent))).text


def test_long_text_and_many_lines(served, browser, tmp_path):
    """A text that is longer than a field, which the server takes piece by
    piece; quotes stay quotes, and lines keep their spaces."""
    anna = browser("anna")
    text = "".join(f"Line {number}  with  spaces, größer.\n> quote {number}\n"
                   for number in range(900))
    assert len(text.encode()) > 40000
    assert "is sent" in anna.compose(to="bert", subject="Long", text=text).text
    message = [each for each in mail.fetch_all(served.pop3, "bert",
                                               "bert-demo")
               if b"Subject: Long" in each][0]
    assert max(map(len, message.split(b"\r\n"))) <= 998
    parsed = email.message_from_bytes(message)
    assert parsed.get_param("format") == "flowed"
    got = parsed.get_payload(decode=True).decode("utf-8")
    assert "Line 899  with  spaces, größer." in got
    too_long = anna.compose(to="bert", subject="Longer", text="x" * 200000)
    assert too_long.status == 413


def test_one_composition_is_one_draft(served, browser, tmp_path):
    """Whatever order saving by itself, by hand, with and without files, and
    sending come in, late and twice."""
    anna, bert = browser("anna"), browser("bert")
    paths = [str(tmp_path / name) for name in ("one.bin", "two.bin")]
    for path in paths:
        with open(path, "wb") as file:
            file.write(os.urandom(90000))
    it = mailer.Composition(anna, to="bert", subject="Once only", text="First.")
    first = it.autosave()
    assert len(it.drafts()) == 1
    it.autosave(text="The answer to the first was lost.")
    assert len(it.drafts()) == 1
    it.take(first)
    it.press("save", paths[:1])
    assert len(it.drafts()) == 1 and len(it.keep) == 1
    it.fields["text"] = "Second, behind a file."
    it.take(it.autosave(subject="Once only, renamed"))
    assert len(it.drafts()) == 1
    assert "Once only, renamed" in dict(anna.listed(it.draft_path)).get(
        it.drafts()[0])
    it.autosave(draft="", source="", text="Late, and knows of nothing.")
    assert len(it.drafts()) == 1
    # Come back to it by an address that is old.
    page = anna.get(f"/compose?draft={first['draft']}"
                    f"&compose={it.fields['compose']}")
    assert "Late, and knows" in page.text and "one.bin" in page.text
    it.press("save", paths[1:])
    assert len(it.drafts()) == 1 and len(it.keep) == 2
    it.keep = it.keep[1:]
    it.take(it.autosave())
    page = anna.get("/compose?draft=" + it.drafts()[0])
    assert "two.bin" in page.text and "one.bin" not in page.text
    assert it.fields["text"] in page.text
    page = it.press("send")
    assert "is sent" in page.text
    assert it.drafts() == []
    assert it.autosave(text="After all")["sent"] == 1
    assert it.drafts() == []
    assert "sent already" in it.press("send").text
    assert it.drafts() == []
    sent = [key for key, line in bert.listed() if "Once only" in line]
    assert len(sent) == 1
    page = bert.get(path_of(sent[0]))
    assert "two.bin" in page.text and "one.bin" not in page.text
    down = bert.get(page.values(r'href="(/mail/\d+/\d+/part/\d+)"')[0])
    with open(paths[1], "rb") as file:
        assert down.body == file.read()


def test_discarded_draft(served, browser, tmp_path):
    anna = browser("anna")
    path = tmp_path / "three.bin"
    path.write_bytes(b"x" * 1000)
    it = mailer.Composition(anna, to="bert", subject="To be dropped", text="x")
    it.take(it.autosave())
    it.press("save", [str(path)])
    it.autosave(text="more")
    assert len(it.drafts()) == 1
    assert "deleted" in it.press("discard").text
    assert it.drafts() == []
    assert stick.query(served.store(), "SELECT count(*) FROM preference WHERE "
                       "Key LIKE 'typed-%'") == [["0"]]


def test_recipients_as_smtp_takes_them(served, browser):
    """Pages and SMTP ask the same about an address."""
    anna = browser("anna")
    nobody = f"nobody-there@{DOMAIN}"
    with mail.Smtp(served.smtp) as client:
        client.command("EHLO tests.example")
        client.command(f"MAIL FROM:<{BERT}>")
        assert client.command(f"RCPT TO:<{nobody}>")[0] == 550
        assert client.command(f"RCPT TO:<postmaster@{DOMAIN}>")[0] == 250
    for to, said in ((nobody, "There is nobody of the address " + nobody),
                     ("bert, one two three", "is not an address"),
                     ("bert@", "is not an address"),
                     (", ".join(f"a{i}@far.example" for i in range(101)),
                      "100 recipients at most"), ("", "Say whom")):
        page = anna.compose(to=to, subject="Not to be sent", text="x")
        assert said in page.text and "is sent" not in page.text, to
        assert anna.post("/compose", [
            ("do", "discard"), ("draft", page.hidden("draft"))],
            multipart=True).status == 200
    page = anna.compose(to=f"bert, {BERT}, postmaster", cc=BERT.upper(),
                        subject="Only once", text="x")
    assert "is sent" in page.text
    for user, count in (("bert", 1), ("anna", 1)):
        assert sum(b"Subject: Only once" in each for each in mail.fetch_all(
            served.pop3, user, user + "-demo")) == count


# ---- Reading ----------------------------------------------------------------------

def test_from_one_message_to_the_next(served, anna):
    for number in range(4):
        send(served, letter(f"Beside {number}", f"Neighbour {number}.\r\n"))
    keys = [key_of(anna, f"Beside {number}") for number in range(4)]
    box = keys[0].split(".")[0]

    def beside(page):
        return [next(iter(page.values(
            rf'rel="{way}" title="[^"]*" href="([^"]*)"')), None)
            for way in ("prev", "next")]
    assert beside(anna.get(path_of(keys[1]))) == [path_of(keys[2]),
                                                  path_of(keys[0])]
    assert beside(anna.get(path_of(keys[3])))[0] is None
    # Within a filter: those between have been read.
    anna.get(path_of(keys[2]))
    assert beside(anna.get(path_of(keys[3], "?f=unread")))[1] != \
        path_of(keys[2], "?f=unread")
    anna.post("/act", [("do", "flag"), ("m", keys[0]), ("m", keys[3])])
    page = anna.get(path_of(keys[3], "?f=flagged"))
    assert beside(page)[1] == path_of(keys[0], "?f=flagged")
    assert f'href="/mail/{box}?f=flagged"' in page.text
    # Within what was found, and back to it.
    page = anna.get("/search?q=neighbour&in=0")
    links = page.values(r'<a href="(/mail/\d+/\d+\?[^"]*)">')
    assert len(links) == 4
    for at, link in enumerate(links):
        page = anna.get(link)
        assert beside(page) == [links[at - 1] if at else None,
                                links[at + 1] if at < 3 else None]
        assert '"/search?q=neighbour&amp;in=0"' in page.text
    anna.post("/act", [("do", "unflag"), ("m", keys[0]), ("m", keys[3])])


def test_what_is_found_says_where(served, anna):
    anna.compose(to="bert", subject="Unmistakable", text="x")
    anna.compose(to="bert", subject="Unmistakable too", text="x", do="save")
    page = anna.get("/search?q=unmistakable")
    assert ">in </span>Sent<" in page.text
    assert ">in </span>Drafts<" in page.text
    assert len(page.values(r'href="(/compose\?draft=[^"]*)"')) == 1


def test_delete_and_undo(served, anna):
    for number in range(3):
        send(served, letter(f"Undone {number}"))
    keys = [key_of(anna, f"Undone {number}") for number in range(3)]
    page = anna.post("/act", [("do", "delete"), ("back", "/mail?f=flagged")]
                     + [("m", key) for key in keys])
    assert "Moved to Trash." in page.text
    assert not any("Undone" in line for _, line in anna.listed())
    names = ("folder", "first", "last", "to", "back")
    fields = {name: page.values(rf'name="{name}" value="([^"]*)"')[0]
              for name in names}
    assert fields["back"] == "/mail?f=flagged"
    page = anna.post("/act", {"do": "undo", **fields})
    assert "Moved back." in page.text
    assert sum("Undone" in line for _, line in anna.listed()) == 3
    key = key_of(anna, "Undone 1")
    page = anna.post("/act", {"do": "delete", "m": key})
    trash = page.values(r'name="folder" value="(\d+)"')[0]
    key = key_of(anna, "Undone 1", f"/mail/{trash}")
    page = anna.post("/act", {"do": "delete", "m": key})
    assert "for good" in page.text and 'value="undo"' not in page.text


def attach(inner, text="See below.\r\n"):
    """Headers and body of a message that holds another one."""
    cut = f"cut{len(inner)}"
    return (f"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
            f"boundary={cut}\r\n",
            f"--{cut}\r\n\r\n{text}--{cut}\r\n"
            f"Content-Type: message/rfc822\r\n\r\n{inner}\r\n--{cut}--\r\n")


def test_attached_messages_are_shown(served, anna):
    inner = ("From: Carla <carla@far.example>\r\nTo: dora@far.example\r\n"
             "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <b>\r\n"
             "Date: Mon, 2 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/html\r\n\r\n<p>Deep<script>x</script></p>")
    for level in range(4):
        headers, body = attach(inner, f"Level {level}.\r\n")
        inner = letter(f"Level {level}", body, headers).decode()
    headers, body = attach(inner, "The outermost.\r\n")
    send(served, letter("Forwarded whole", body, headers))
    key = key_of(anna, "Forwarded whole")
    page = anna.get(path_of(key))
    for text in ("The outermost.", "Level 3.", "Level 2.", "Level 1."):
        assert text in page.text, text
    assert "Level 0." not in page.text
    assert page.text.count("<section") == page.text.count("</section>") == 3
    assert page.text.count("message.eml") == 4
    down = anna.get(page.values(r'href="(/mail/\d+/\d+/part/\d+)"')[0])
    assert down.body.decode().startswith("From: ")
    assert b"Subject: Level 3" in down.body
    # HTML in it is as harmless as elsewhere.
    headers, body = attach("Subject: One\r\nContent-Type: text/html\r\n\r\n"
                           "<p>Deep<script>x</script></p>")
    send(served, letter("Holds HTML", body, headers))
    page = anna.get(path_of(key_of(anna, "Holds HTML")))
    frame = anna.get(page.values(r'src="(/mail/\d+/\d+/html/\d+)"')[0])
    assert "Deep" in frame.text and "script" not in frame.text.split("body")[1]


def test_answers_leave_the_signature_out(served, anna):
    send(served, letter("To be quoted", "Hello.\r\n> earlier\r\n-- \r\nBert\r\n"
                        "+49 123\r\n"))
    key = key_of(anna, "To be quoted")
    text = anna.get("/compose?reply=" + key).text
    assert "&gt; Hello." in text and "&gt;&gt; earlier" in text
    assert "+49 123" not in text
    assert "+49 123" in anna.get("/compose?forward=" + key).text


def test_forwarded_whole(served, browser):
    """With its looks, as an attached message, and on from there; in between it
    is a draft."""
    anna, bert = browser("anna"), browser("bert")
    send(served, letter("Coloured", "<p style='color:red'>Red</p>\r\n",
                        "MIME-Version: 1.0\r\nContent-Type: text/html\r\n"))
    it = mailer.Composition(anna, forward=key_of(anna, "Coloured"),
                            to="bert", subject="Fwd: Coloured", text="Look.\n")
    assert "the whole message" in it.form.text
    it.keep = ["200"]
    it.take(it.autosave())
    page = anna.get("/compose?draft=" + it.drafts()[0])
    assert re.search('value="200" checked', page.text)
    it.press("save")
    assert it.keep != ["200"] and len(it.keep) == 1
    assert "is sent" in it.press("send").text
    key = key_of(bert, "Fwd: Coloured")
    page = bert.get(path_of(key))
    assert "Look." in page.text and "Attached message" in page.text
    frame = page.values(r'src="(/mail/\d+/\d+/html/\d+)"')[0]
    assert "color:red" in bert.get(frame).text.replace(" ", "")
    page = bert.get("/compose?forward=" + key)
    assert "message.eml" in page.text
    bert.post("/compose", [(name, page.hidden(name)) for name in
                           ("origin", "answer", "source", "compose")]
              + [("keep", page.values(r'name="keep" value="(\d+)" checked')[0]),
                 ("do", "send"), ("from", BERT), ("to", "anna"),
                 ("subject", "Once more"), ("text", "x")], multipart=True)
    assert "Coloured</h2>" in anna.get(path_of(key_of(anna,
                                                      "Once more"))).text


def test_long_texts_are_whole(served, anna):
    lines = [f"Line {number} of a long text <&> äöü.\r\n"
             for number in range(24000)]
    for kind in ("plain", "html"):
        send(served, letter(
            f"Long as {kind}", "".join(lines),
            f"Content-Type: text/{kind}; charset=utf-8\r\n"))
    page = anna.get(path_of(key_of(anna, "Long as plain")))
    assert "Line 5000 of" in page.text and "Line 23999 of" not in page.text
    whole = anna.get(page.values(r'href="(/mail/\d+/\d+/text/\d+)"')[0])
    assert whole.text.replace("\r", "") == "".join(lines).replace("\r", "")
    assert whole.field("Content-Type") == "text/plain; charset=utf-8"
    key = key_of(anna, "Long as html")
    assert "Line 23999 of" in anna.get(path_of(key, "/html/0")).text
    page = anna.get(path_of(key, "?plain=1"))
    assert page.values(r'href="(/mail/\d+/\d+/html/\d+)"')


def test_the_same_ways_from_everywhere(anna):
    pages = ("/mail", "/files", "/sql", "/settings", "/settings/rules",
             "/folders", "/search", "/compose", "/menu", "/help", "/admin",
             "/admin/users", "/admin/settings")
    for path in pages:
        page = anna.get(path)
        assert page.status == 200, path
        for there in ("/compose", "/files", "/sql", "/settings", "/admin",
                      "/help", "/menu"):
            assert f'href="{there}"' in page.text, (path, there)
        assert page.values(r'href="(/mail/\d+)" data-key="gi"'), path
        assert 'action="/search"' in page.text, path


# ---- Files -----------------------------------------------------------------------

def test_files_up_and_down(served, browser, tmp_path):
    """What goes up comes down, byte for byte, and as nothing that runs."""
    anna, bert = browser("anna"), browser("bert")
    path = tmp_path / "page.html"
    path.write_bytes(b"<script>alert(1)</script>" + os.urandom(700000))
    page = anna.compose(files=[str(path)], to="bert", subject="A file",
                        text="Here.")
    assert "is sent" in page.text
    key = key_of(bert, "A file")
    parts = bert.get(path_of(key)).values(r'href="(/mail/\d+/\d+/part/\d+)"')
    assert len(parts) == 1
    down = bert.get(parts[0])
    assert down.body == path.read_bytes()
    assert down.field("Content-Type") == "application/octet-stream"
    assert down.field("Content-Disposition").startswith(
        'attachment; filename="page.html"')
    assert down.field("X-Content-Type-Options") == "nosniff"
    assert "sandbox" in down.field("Content-Security-Policy")
    source = bert.get(path_of(key, "/source"))
    assert source.field("Content-Type").startswith("text/plain")
    assert source.body in mail.fetch_all(served.pop3, "bert", "bert-demo")


def test_policy_of_every_page(served, browser):
    send(served, letter("Policy", "<b>x</b>\r\n",
                        "Content-Type: text/html\r\n"))
    anna = browser("anna")
    key = key_of(anna, "Policy")
    for path in ("/login", "/mail", path_of(key), "/compose", "/settings",
                 "/search?q=x", "/nothing-here"):
        policy = anna.get(path).field("Content-Security-Policy")
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
    frame = anna.get(path_of(key, "/html/0"))
    policy = frame.field("Content-Security-Policy")
    assert policy.startswith("sandbox ") and "allow-scripts" not in policy
    assert "script-src" not in policy and "http:" not in policy
    assert "https: http:" in anna.get(
        path_of(key, "/html/0?remote=1")).field("Content-Security-Policy")
    assert "<style" not in anna.get("/mail").text
    assert not re.search(r"<script(?! src=)", anna.get("/mail").text)


def test_page_weight(browser):
    """All that a first visit loads, as it stands: under 100 KB."""
    anna = browser("anna")
    page = anna.get("/mail")
    files = set(page.values(r'(?:href|src)="(/assets/[^"#]+)'))
    assert len(files) >= 4
    total = len(page.body) + sum(len(anna.get(path).body) for path in files)
    assert total < 100000, total


# ---- Settings ---------------------------------------------------------------------

def test_password(served, browser):
    """Changed here, it holds at once everywhere, and other logins end."""
    bert, other = browser("bert"), browser("bert")
    bert.get("/settings")
    fields = {"do": "password", "old": "wrong", "new": "a new password",
              "again": "a new password"}
    assert "not right" in bert.post("/settings", fields).text
    page = bert.post("/settings", {**fields, "old": "bert-demo"})
    assert "Saved." in page.text
    assert bert.get("/mail", follow=False).status == 200
    assert other.get("/mail", follow=False).status in (302, 303)
    mail.Pop3(served.pop3, "bert", "a new password").quit()
    bert.post("/settings", {"do": "password", "old": "a new password",
                            "new": "bert-demo", "again": "bert-demo"})
    mail.Pop3(served.pop3, "bert", "bert-demo").quit()


def test_rule_and_folder(served, browser):
    anna = browser("anna")
    anna.get("/folders")
    page = anna.post("/folders", {"do": "make", "name": "Lists & more"})
    assert "Lists &amp; more" in page.text
    box = anna.get("/settings/rules").values(
        r'<option value="(\d+)">Lists &amp; more')[0]
    page = anna.post("/settings/rules", {
        "do": "add", "field": "subject", "pattern": "[list]", "folder": box,
        "seen": "1"})
    assert "move it to Lists &amp; more" in page.text
    send(served, letter("[list] Weekly"))
    send(served, letter("Not on a list"))
    assert key_of(anna, "[list] Weekly", f"/mail/{box}")
    assert key_of(anna, "Not on a list")
    page = anna.post("/folders", {"do": "remove", "id": box})
    assert "holds messages" in page.text


def test_away(served, browser):
    bert = browser("bert")
    bert.get("/settings")
    page = bert.post("/settings", {"do": "away", "on": "1", "subject": "Away",
                                   "text": "Back on Monday."})
    assert "Saved." in page.text and "checked" in page.text
    send(served, letter("Are you there?", sender=ANNA), recipient=BERT)
    page = bert.post("/settings", {"do": "away", "text": "Back on Monday."})
    assert "Saved." in page.text


# ---- What must not be lost, or come from elsewhere --------------------------------

def test_links_begin_new_messages_only(served, anna):
    """A mailto: link of a mail fills in people, subject and text: it neither
    forwards nor attaches what lies in the mailbox."""
    headers, body = attach(letter("Plan", "The word is marimba.\r\n").decode(),
                           "With a plan.\r\n")
    send(served, letter("Planned", body, headers))
    key = key_of(anna, "Planned")
    assert "With attachment" in anna.get(f"/compose?forward={key}").text
    send(served, letter("Click", f"mailto:evil@x.example?subject=Hi&"
                                 f"forward={key}\r\n"))
    link = anna.get(path_of(key_of(anna, "Click"))).values(
        r'href="(/compose\?to=evil[^"]*)"')[0]
    for path in (link, f"/compose?to=evil@x.example&reply={key}",
                 f"/compose?to=&draft={key}",
                 f"/compose?to=x&source={key}&keep=1&keep=2&keep=200",
                 f"/compose?source={key}&keep=1&keep=2&keep=200"):
        page = anna.get(path)
        assert page.status == 200, path
        assert "With attachment" not in page.text, path
        assert "With a plan" not in page.text and "marimba" not in page.text
        assert page.hidden("origin") == page.hidden("source") == "", path


def test_links_give_answers_nobody(served, anna):
    """A link of a mail that answers or forwards another one adds nobody whom
    its reader might not see."""
    send(served, letter("Quiet", "The word is bassoon.\r\n"))
    key = key_of(anna, "Quiet")
    for how in ("reply", "all", "forward"):
        page = anna.get(f"/compose?to=%zz&{how}={key}&bcc=evil@x.example&"
                        "cc=evil@x.example&subject=evil&from=evil")
        assert page.status == 200 and "bassoon" in page.text, how
        assert "evil" not in page.text, how


def test_forwarded_text_keeps_its_charset(served, browser):
    body = ("--cut\r\n\r\nSee.\r\n--cut\r\n"
            "Content-Type: text/csv; charset=koi8-r; name=a.csv\r\n"
            "Content-Disposition: attachment; filename=a.csv\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n0NLJ18XUCg==\r\n--cut--\r\n")
    send(served, letter("In Russian", body, "Content-Type: multipart/mixed; "
                        "boundary=cut\r\n"))
    anna = browser("anna")
    it = mailer.Composition(anna, forward=key_of(anna, "In Russian"), to="bert",
                            text="See.", subject="Fwd: In Russian")
    it.keep = it.form.values(r'name="keep" value="(\d+)" checked')
    assert "is sent" in it.press("send").text
    for message in mail.fetch_all(served.pop3, "bert", "bert-demo"):
        parsed = email.message_from_bytes(message, policy=email.policy.default)
        if parsed["Subject"] == "Fwd: In Russian":
            part = list(parsed.iter_attachments())[0]
            assert part.get_content_charset() == "koi8-r"
            assert part.get_content() == "\u043f\u0440\u0438\u0432\u0435\u0442\n"
            return
    raise AssertionError("it has not come")


def test_no_list_of_people_is_cut(anna):
    """More addresses than fit are told, and the text stays."""
    many = ", ".join(["anna"] * 1400)
    assert 8192 < len(many) < 9000
    for button in ("send", "save"):
        page = anna.compose(do=button, to=many, subject="Cut", text="Precious.")
        assert page.status == 200 and "too long" in page.text, button
        assert "Precious." in page.text and "is saved" not in page.text
    page = anna.compose(do="save", to="x" * 20000, subject="Cut", text="y")
    assert page.status == 413
    page = anna.compose(do="send", to="anna", subject="\u4e2d" * 400, text="Dear.")
    assert "too long" in page.text and "Dear." in page.text


def test_text_stays_when_nothing_can_be_saved(served, browser, tmp_path):
    """No room for a draft: its form comes again, with what was typed."""
    anna, bert = browser("anna"), browser("bert")
    user = anna.values_of("/admin/users", r'/admin/user\?id=(\d+)">bert<')[0]
    fields = {"id": user, "do": "save", "full_name": "Bert Example",
              "enabled": "1"}
    anna.get("/admin/user?id=" + user)
    assert "Done." in anna.post("/admin/user", {**fields, "quota": "1"}).text
    path = tmp_path / "large"
    path.write_bytes(os.urandom(1500000))
    page = bert.compose(do="save", files=[str(path)], to="anna",
                        subject="No room", text="Precious words.")
    anna.post("/admin/user", {**fields, "quota": "200"})
    assert "is not saved" in page.text and "Precious words." in page.text


def test_settings_stay_typed(browser):
    bert = browser("bert")
    bert.get("/settings")
    page = bert.post("/settings", {
        "do": "away", "on": "1", "from": "2026-12-24", "until": "2026-12-01",
        "subject": "Typed subject", "text": "Typed answer."})
    assert "the last day" in page.text
    assert "Typed subject" in page.text and "Typed answer." in page.text
    page = bert.post("/settings", {
        "do": "you", "name": "Typed Name", "signature": "ä" * 4096})
    assert "too long" in page.text
    assert "Typed Name" in page.text and "ä" * 4096 in page.text
    page = bert.post("/settings", {
        "do": "away", "on": "1", "subject": "", "text": "ä" * 2100})
    assert "too long" in page.text and "ä" * 2100 in page.text
    page = bert.post("/settings/rules", {
        "do": "add", "field": "subject", "pattern": "a" + "ä" * 64,
        "delete": "1"})
    assert "Saved." not in page.text and "too long" in page.text
    page = bert.post("/settings/rules", {
        "do": "add", "field": "header", "header": "X-Typed", "pattern": "typed",
        "forward": "no address", "seen": "1"})
    assert "one of them is none" in page.text.replace("\n", " ")
    for part in ('value="header" selected', 'value="X-Typed"', 'value="typed"',
                 'value="no address"', 'name="seen" value="1" checked'):
        assert part in page.text, part
    page = bert.post("/folders", {"do": "make", "name": "Inbox"})
    assert "already" in page.text and 'value="Inbox" required' in page.text
    page = bert.post("/settings", {"do": "away", "on": "1", "text": "Away.",
                                   "from": "24.12.2026"})
    assert "Saved." not in page.text and "2026-12-24" in page.text


def test_enter_on_a_box_deletes_nothing(served, anna):
    """Browsers press a form's first button then."""
    send(served, letter("Ticked"))
    key = key_of(anna, "Ticked")
    page = anna.get("/mail")
    form = page.text.split('name="back"')[1]
    assert form.index('<button class="hidden"') == form.index("<button")
    page = anna.post("/act", {"m": key, "back": "/mail"})
    assert page.status == 200 and "Choose messages first" in page.text
    assert key_of(anna, "Ticked") == key


def test_reply_to_all_of_similar_names(served, anna):
    """An address that ends like another one is another one."""
    send(served, letter("Similar", sender="joann@far.example", headers=(
        "Cc: ann@far.example, Lee <joann@far.example.net>, JOANN@far.example,"
        f" {BERT}\r\n")))
    page = anna.get(f"/compose?all={key_of(anna, 'Similar')}")
    assert page.values(r'name="to" type="text" value="([^"]*)"') == [
        "joann@far.example"]
    assert page.values(r'name="cc" type="text" value="([^"]*)"') == [
        f"ann@far.example, Lee <joann@far.example.net>, {BERT}"]


def test_reply_to_more_than_have_room(served, anna):
    people = ",\r\n ".join(f"Somebody of a Name that is quite long, really "
                           f"{number} <s{number}@far.example>".replace(",", "")
                           for number in range(140))
    send(served, letter("Crowd", headers=f"Cc: {people}\r\n"))
    key = key_of(anna, "Crowd")
    assert "Not everybody" in anna.get(f"/compose?all={key}").text
    assert "Not everybody" not in anna.get(f"/compose?reply={key}").text


def test_conversation_of_nothing(anna):
    page = anna.get("/thread/4711")
    assert page.status == 200 and "No message" in page.text


@pytest.mark.parametrize("buttons", [("send",), ("save", "send")])
def test_mail_among_the_drafts(served, browser, buttons):
    """What was moved there is opened as mail, and forwarding leaves it."""
    anna = browser("anna")
    subject = "Moved for " + " ".join(buttons)
    headers, body = attach("Subject: Inner\r\n\r\nInner.\r\n", "Outer.\r\n")
    send(served, letter(subject, body, headers))
    drafts = anna.values_of("/menu", r'href="(/mail/\d+)" data-key="gd"')[0]
    anna.post("/act", {"do": "move", "m": key_of(anna, subject),
                       "to": drafts.split("/")[2], "back": "/mail"})
    key = key_of(anna, subject, drafts)
    assert f'href="{path_of(key)}"' in anna.get(drafts).text
    it = mailer.Composition(anna, forward=key, to="bert", text="See.",
                            subject="Fwd: " + subject)
    it.keep = it.form.values(r'name="keep" value="(\d+)" checked')
    assert it.keep
    for button in buttons:
        page = it.press(button)
    assert "is sent" in page.text
    assert key_of(anna, subject, drafts) == key
    assert anna.get(path_of(key)).status == 200
