"""Submission: users log in on port 587 and send, by real clients."""
import base64
import os
import smtplib
import subprocess
import threading

import pytest

import conftest
import mail
import stick
from stick import DOMAIN

PORTS = (25, 110, 587)

ANNA, BERT = f"anna@{DOMAIN}", f"bert@{DOMAIN}"


@pytest.fixture(scope="module")
def booted(fresh_stick, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("booted"))
    image = conftest.copy_image(fresh_stick,
                                os.path.join(folder, "stick.img"))
    server = conftest.Booted(folder, image, forward=PORTS).run()
    yield server
    server.close()


def queue(server):
    """Rows of the outgoing queue, after the machine was cut off."""
    server.machine.power_cut()
    rows = stick.query(
        server.store(),
        "SELECT Recipient, ORcpt, Notify, EnvID, Ret, SMTPUTF8, Submitter"
        " FROM queue JOIN outgoing USING(MailID) ORDER BY QueueID")
    return ["|".join(row) for row in rows]


def run(command, limit_s=120, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=limit_s,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **more)
    return done.returncode, done.stdout.decode("latin-1")


def swaks(server, *options, auth="PLAIN", password="anna-demo"):
    return run(["swaks", "--server", "%s:%d" % server.submission, "--from",
                ANNA, "--to", BERT, "--helo", "tests.example", "--auth", auth,
                "--auth-user", "anna", "--auth-password", password, *options])


@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN"])
def test_swaks_logs_in_and_sends(booted, auth):
    before = len(mail.fetch_all(booted.pop3, "bert", "bert-demo"))
    code, said = swaks(booted, auth=auth)
    assert code == 0, said
    received = mail.fetch_all(booted.pop3, "bert", "bert-demo")
    assert len(received) == before + 1
    assert b" with ESMTPA id " in received[-1]


def test_wrong_password(booted):
    code, said = swaks(booted, password="wrong")
    assert code == 28 and " 535 5.7.8 " in said, said


def test_curl(booted, tmp_path):
    text = os.path.join(str(tmp_path), "mail")
    with open(text, "wb") as file:
        file.write(b"Subject: by curl\r\n\r\nhello\r\n")
    code, said = run(
        ["curl", "--silent", "--show-error", "--user", "anna:anna-demo",
         "--mail-from", ANNA, "--mail-rcpt", BERT, "--upload-file", text,
         "smtp://%s:%d" % booted.submission])
    assert code == 0, said
    received = mail.fetch_all(booted.pop3, "bert", "bert-demo")[-1]
    header = mail.without_trace(received)
    assert header.startswith(b"Subject: by curl\r\nDate: ")
    assert b"\r\nMessage-ID: <" in header
    assert header.endswith(b"\r\n\r\nhello\r\n")


@pytest.fixture
def client(booted):
    with smtplib.SMTP(*booted.submission, timeout=60) as connection:
        connection.ehlo("tests.example")
        yield connection


def test_smtplib_finds_what_is_offered(client):
    for word in ("pipelining", "size", "8bitmime", "smtputf8", "chunking",
                 "binarymime", "dsn", "enhancedstatuscodes", "limits", "help"):
        assert client.has_extn(word), word
    assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]


def test_nothing_without_log_in(client):
    code, text = client.mail(ANNA)
    assert code == 530 and text.startswith(b"5.7.0")


def test_only_as_oneself(client):
    client.login("anna", "anna-demo")
    for sender in (BERT, "anna@elsewhere.example"):
        code, text = client.mail(sender)
        assert code == 550 and text.startswith(b"5.7.1"), sender
    for sender in ("", ANNA, f"anna+list@{DOMAIN}"):
        assert client.mail(sender)[0] == 250, sender
        client.rset()


def test_login_with_initial_response(client):
    """As Outlook's cloud does it."""
    name = base64.b64encode(b"anna").decode()
    assert client.docmd("AUTH", "LOGIN " + name)[0] == 334
    assert client.docmd(base64.b64encode(b"anna-demo").decode())[0] == 235


def test_chunks(client, booted):
    client.login("anna@" + DOMAIN, "anna-demo")
    client.mail(ANNA)
    client.rcpt(BERT)
    body = b"Subject: chunks\r\nDate: d\r\nMessage-ID: m\r\n\r\n.\r\n" + \
        b"x" * 100_000 + b"\r\n"
    parts = [body[at:at + 7001] for at in range(0, len(body), 7001)]
    sent = b"".join(b"BDAT %d%s\r\n%s" % (
        len(part), b" LAST" if part is parts[-1] else b"", part)
        for part in parts)
    client.sock.sendall(sent)
    assert [client.getreply()[0] for _ in parts] == [250] * len(parts)
    received = mail.fetch_all(booted.pop3, "bert", "bert-demo")[-1]
    assert mail.without_trace(received) == body


def test_recipients_elsewhere_get_into_the_queue(copy_stick, boot):
    server = boot(copy_stick, forward=PORTS).run()
    with smtplib.SMTP(*server.submission, timeout=60) as client:
        client.ehlo("tests.example")
        client.login("anna", "anna-demo")
        client.mail(ANNA, ["SMTPUTF8", "RET=HDRS", "ENVID=x+2By"])
        assert client.docmd("RCPT", f"TO:<{BERT}>")[0] == 250
        assert client.docmd("RCPT", "TO:<one@[198.51.100.7]> NOTIFY=SUCCESS,"
                            "FAILURE ORCPT=rfc822;un@far.example")[0] == 250
        client.sock.sendall("RCPT TO:<zwölf@[198.51.100.7]>\r\n".encode())
        assert client.getreply()[0] == 250
        assert client.data(b"Subject: out\r\n\r\nhello\r\n")[0] == 250
    assert queue(server) == [
        "one@[198.51.100.7]|rfc822;un@far.example|6|x+2By|2|1|1",
        "zwölf@[198.51.100.7]||0|x+2By|2|1|1"]


def test_strangers_do_not_relay(booted):
    with mail.Smtp(booted.smtp) as client:
        client.command("EHLO tests.example")
        client.command("MAIL FROM:<>")
        for path in ("<x@far.example>", f"<x%far.example@{DOMAIN}>",
                     f"<@{DOMAIN}:x@far.example>",
                     f'<"x@far.example"@{DOMAIN}>',
                     f"<far.example!x@{DOMAIN}>", "<x@[198.51.100.7]>"):
            code, text = client.command("RCPT TO:" + path)
            assert code == 550, (path, code, text)


SESSIONS, LOCAL, REMOTE = 100, 10, 10


def submit(client, number, done):
    """One session: one message to ten users and to ten addresses elsewhere."""
    client.ehlo("tests.example")
    client.login("user0", "secret0")
    sender = f"user0@{DOMAIN}"
    recipients = [f"user{i}@{DOMAIN}" for i in range(LOCAL)] + \
        [f"to{i}-{number}@[198.51.100.9]" for i in range(REMOTE)]
    refused = client.sendmail(
        sender, recipients, f"Subject: number {number}\r\n\r\nhello\r\n")
    done.append((number, refused))
    client.close()


def test_a_hundred_submissions_at_once(tmp_path, boot):
    users = tmp_path / "users.csv"
    users.write_text("username,password\n" + "".join(
        f"user{i},secret{i}\n" for i in range(LOCAL)))
    image = stick.make(str(tmp_path / "stick.img"), "--set",
                       "limit_user_messages=0", "--set",
                       "limit_user_recipients=0", users=str(users))
    server = boot(image, forward=PORTS).run()
    # One after the other: QEMU's user network loses some of many at once.
    clients = [smtplib.SMTP(*server.submission, timeout=120)
               for _ in range(SESSIONS)]
    done = []
    threads = [threading.Thread(target=submit, args=(client, number, done))
               for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert sorted(done) == [(number, {}) for number in range(SESSIONS)]
    server.machine.power_cut()
    database = server.store()
    stick.check_whole(database)
    counts = stick.query(
        database, "SELECT (SELECT count(*) FROM message),"
        " (SELECT count(*) FROM entry), (SELECT count(*) FROM outgoing),"
        " (SELECT count(DISTINCT Recipient) FROM queue)")
    assert [int(count) for count in counts[0]] == [
        SESSIONS, SESSIONS * LOCAL, SESSIONS, SESSIONS * REMOTE]
