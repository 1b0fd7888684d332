"""Mail programs that people use, against the AO: each sends with a password
where it can, and fetches by POP3."""
import os
import poplib
import smtplib

import pytest

import clients
import conftest
import samples
import stick
from stick import DOMAIN

KEEPERS = (clients.fetchmail, clients.mpop, clients.getmail)
READERS = (clients.curl_pop3, clients.mutt_pop3, clients.s_nail_pop3)


def name_of(client):
    return client.__name__.replace("_", "-")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The AO, with a user for each fetching program, named like it."""
    folder = str(tmp_path_factory.mktemp("clients"))
    users = os.path.join(folder, "users.csv")
    names = ["anna", "bert", "poplib", "alpine"] \
        + [name_of(client) for client in (*KEEPERS, *READERS)]
    with open(users, "w", encoding="ascii") as file:
        file.write("username,password\n" + "".join(
            f"{name},{name}-demo\n" for name in names))
    image = stick.make(os.path.join(folder, "stick.img"), users=users)
    booted = conftest.Booted(folder, image, forward=(25, 110, 587)).run()
    yield booted
    booted.close()


@pytest.fixture
def account(server, tmp_path):
    """account(user): with a home folder of its own."""
    return lambda user: clients.Account(
        str(tmp_path), user, server.machine.address(587), server.pop3)


def deliver(server, user, count):
    """Messages of every kind to the user; gives their bytes."""
    sent = [content for _, content in samples.kinds().values()][:count]
    for content in sent:
        samples.send(server.smtp, "sender@elsewhere.example",
                     f"{user}@{DOMAIN}", content)
    return sent


def unix(content):
    return content.replace(b"\r\n", b"\n")


def assert_fetched(got, sent):
    """Each message once and whole, whatever was added before it."""
    assert len(got) == len(sent)
    for content in sent:
        ends = [one for one in got if one.rstrip(b"\n").endswith(
            unix(content).rstrip(b"\n"))]
        assert len(ends) == 1, content[:60]


@pytest.mark.parametrize("client", KEEPERS, ids=name_of)
def test_mail_left_on_the_server_is_fetched_once(server, account, client):
    """By UIDL: the second run fetches nothing, the third what is new."""
    user = account(name_of(client))
    sent = deliver(server, user.user, 3)
    assert_fetched(client(user), sent)
    assert_fetched(client(user), sent)
    sent += deliver(server, user.user, 1)
    assert_fetched(client(user), sent)
    assert_fetched(client(user), sent)


@pytest.mark.parametrize("client", READERS, ids=name_of)
def test_whole_maildrop(server, account, client):
    user = account(name_of(client))
    sent = deliver(server, user.user, 4)
    assert_fetched([unix(message) for message in client(user)], sent)


def test_alpine_opens_the_maildrop(server, account):
    deliver(server, "alpine", 2)
    seen = clients.alpine_pop3(account("alpine"), "with an attachment")
    assert "Message 2 of 2" in seen and "plain" in seen


def test_poplib(server):
    """Every command that it has."""
    sent = deliver(server, "poplib", 2)
    client = poplib.POP3(*server.pop3, timeout=60)
    assert "UIDL" in client.capa()
    client.user("poplib")
    client.pass_("poplib-demo")
    count, size = client.stat()
    assert count == 2
    assert sum(int(line.split()[1]) for line in client.list()[1]) == size
    uids = [line.split()[1] for line in client.uidl()[1]]
    assert len(set(uids)) == 2
    assert client.uidl(2).split()[2] == uids[1]
    for number, content in enumerate(sent, 1):
        lines = client.retr(number)[1]
        assert b"\r\n".join(lines).endswith(content.rstrip(b"\r\n"))
    top = client.top(1, 1)[1]
    assert top[-2:] == [b"", sent[0].split(b"\r\n\r\n")[1].split(b"\r\n")[0]]
    client.dele(1)
    client.rset()
    client.noop()
    client.dele(2)
    client.quit()
    again = poplib.POP3(*server.pop3, timeout=60)
    again.user("poplib")
    again.pass_("poplib-demo")
    assert [line.split()[1] for line in again.uidl()[1]] == uids[:1]
    again.quit()


TEXT = "first line\n.dot\n..two\n\nlast line\n"


@pytest.mark.parametrize("client", clients.SENDERS, ids=name_of)
def test_sent_with_a_password(server, account, client):
    subject = f"sent by {name_of(client)}"
    client(account("anna"), f"bert@{DOMAIN}", subject, TEXT)
    got = samples.wait_fetched(server, "bert", subject.encode())
    assert got.startswith(f"Return-Path: <anna@{DOMAIN}>\r\n".encode())
    assert b"with ESMTPA" in got
    header, _, body = unix(got).partition(b"\n\n")
    assert TEXT.encode() in body
    for field in (b"From: ", b"Date: ", b"Message-ID: "):
        assert len([line for line in header.split(b"\n")
                    if line.lower().startswith(field.lower())]) == 1, header


@pytest.mark.parametrize("method", ("PLAIN", "LOGIN"))
@pytest.mark.parametrize("at_once", (True, False))
def test_smtplib(server, method, at_once):
    """Both methods, with an initial response and without one."""
    marker, content = samples.message(samples.plain_body())
    with smtplib.SMTP(*server.submission, timeout=60) as client:
        client.ehlo()
        assert set(client.esmtp_features["auth"].split()) \
            >= {"PLAIN", "LOGIN"}
        client.user, client.password = "anna", "anna-demo"
        code, _ = client.auth(
            method, getattr(client, "auth_" + method.lower()),
            initial_response_ok=at_once)
        assert code == 235
        client.sendmail(f"anna@{DOMAIN}", [f"bert@{DOMAIN}"], content)
    assert samples.wait_fetched(server, "bert", marker).endswith(content)


def test_smtplib_is_turned_away(server):
    with smtplib.SMTP(*server.submission, timeout=60) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            client.login("anna", "wrong")
        assert refusal.value.smtp_code == 535
        with pytest.raises(smtplib.SMTPSenderRefused):
            client.sendmail(f"anna@{DOMAIN}", [f"bert@{DOMAIN}"], "\r\n")
    with smtplib.SMTP(*server.submission, timeout=60) as client:
        client.login("anna", "anna-demo")
        with pytest.raises(smtplib.SMTPException):
            client.sendmail(f"bert@{DOMAIN}", [f"anna@{DOMAIN}"], "\r\n")
