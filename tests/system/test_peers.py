"""Mail from Postfix, Exim and OpenSMTPD, by what the DNS says."""
import itertools
import os

import pytest

import conftest
import samples
import stick
from lan import STICK_OPTIONS
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"
SERVERS = ("Postfix", "Exim", "OpenSMTPD")
UTF8_SERVERS = ("Postfix", "Exim")
PAIRS = list(itertools.permutations(SERVERS, 2))


@pytest.fixture(scope="module")
def ao(net, names, tmp_path_factory):
    """The AO in the servers' network, with a user and its alias."""
    folder = str(tmp_path_factory.mktemp("ao"))
    users = os.path.join(folder, "users.csv")
    with open(users, "w", encoding="utf-8") as file:
        file.write("username,password,aliases\nanna,anna-demo,änne\n")
    image = stick.make(os.path.join(folder, "stick.img"), *STICK_OPTIONS,
                       users=users)
    server = conftest.Booted(folder, image, network=net.tap()).run()
    yield server
    server.close()


@pytest.mark.parametrize("source,target", PAIRS)
def test_the_peers_know_each_other(servers, source, target):
    """Without the AO: names, ways and boxes of the network are right."""
    sent = samples.kinds()
    for _, content in sent.values():
        samples.send(servers[source].smtp, servers[source].user,
                     servers[target].user, content)
    for kind, (marker, content) in sent.items():
        delivered = servers[target].wait_mail(marker)
        assert samples.is_whole(delivered, content), kind


@pytest.mark.parametrize("source", SERVERS)
def test_mail_from_a_peer(servers, ao, source):
    """Every kind of message comes in as it was sent."""
    peer = servers[source]
    sent = samples.kinds()
    for _, content in sent.values():
        samples.send(peer.smtp, peer.user, ANNA, content)
    for kind, (marker, content) in sent.items():
        delivered = samples.wait_fetched(ao, "anna", marker)
        assert delivered.endswith(content), kind
        assert delivered.startswith(
            f"Return-Path: <{peer.user}>\r\n".encode()), kind


@pytest.mark.parametrize("source", SERVERS)
def test_null_sender_from_a_peer(servers, ao, source):
    marker, content = samples.message(samples.plain_body())
    samples.send(servers[source].smtp, "", ANNA, content)
    assert samples.wait_fetched(ao, "anna", marker).startswith(
        b"Return-Path: <>\r\n")


@pytest.mark.parametrize("source", SERVERS)
def test_unknown_user_here(servers, ao, source):
    """The peer is told so at once, and tells its own user."""
    peer = servers[source]
    marker, content = samples.message(samples.plain_body())
    samples.send(peer.smtp, peer.user, f"nemo@{DOMAIN}", content)
    told = peer.wait_mail(marker)
    assert f"nemo@{DOMAIN}".encode() in told and b"550 5.1.1" in told


@pytest.mark.parametrize("source", SERVERS)
def test_success_wanted_of_us(servers, ao, source):
    peer = servers[source]
    marker, content = samples.message(samples.plain_body())
    samples.send(peer.smtp, peer.user, ANNA, content,
                 mail_options=["ENVID=" + source, "RET=HDRS"],
                 rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;" + ANNA])
    assert samples.wait_fetched(ao, "anna", marker).endswith(content)
    report = samples.Report(
        peer.wait_mail(b"Original-Envelope-Id: " + source.encode()))
    assert report.fields["Reporting-MTA"].endswith("mail.barepost.example")
    assert report.of(ANNA)["Action"] == "delivered"
    assert report.of(ANNA)["Original-Recipient"] == "rfc822;" + ANNA


@pytest.mark.parametrize("source", UTF8_SERVERS)
def test_utf8_address_from_a_peer(servers, ao, source):
    peer = servers[source]
    sender = "päul@" + peer.domain
    marker, content = samples.message("Grüße\r\n".encode(),
                                      "Subject: Grüße\r\n".encode(),
                                      sender=sender)
    samples.send(peer.smtp, sender, ANNA, content, mail_options=["SMTPUTF8"])
    delivered = samples.wait_fetched(ao, "anna", marker)
    assert delivered.endswith(content)
    assert delivered.startswith(f"Return-Path: <{sender}>\r\n".encode())


@pytest.mark.parametrize("source", UTF8_SERVERS)
def test_utf8_address_of_ours(servers, ao, source):
    peer = servers[source]
    recipient = f"änne@{DOMAIN}"
    marker, content = samples.message("Grüße\r\n".encode(),
                                      recipient=recipient)
    samples.send(peer.smtp, peer.user, recipient, content,
                 mail_options=["SMTPUTF8", f"ENVID=of-ours-{source}"],
                 rcpt_options=["NOTIFY=SUCCESS"])
    assert samples.wait_fetched(ao, "anna", marker).endswith(content)
    report = samples.Report(peer.wait_mail(f"of-ours-{source}".encode()))
    assert report.of(recipient)["Action"] == "delivered"
