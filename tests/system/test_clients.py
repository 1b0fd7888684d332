"""Mail programs that people use, against the AO: each sends with a password
where it can, and fetches by POP3."""
import os
import poplib

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
