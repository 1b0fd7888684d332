"""Mail to Postfix, Exim and OpenSMTPD, by what the DNS says."""
import os

import pytest

import conftest
import samples
import stick
from lan import STICK_OPTIONS
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"
LOGIN = ("anna", "anna-demo")
SERVERS = ("Postfix", "Exim", "OpenSMTPD")
UTF8_SERVERS = ("Postfix", "Exim")
# A domain that the DNS does not know, and the server that takes mail for it.
ROUTE = """INSERT INTO route VALUES
 ('routed.example', 'mail.exim.example', 25, 'relay', 'relay-demo')"""


@pytest.fixture(scope="module")
def ao(net, names, tmp_path_factory):
    """The AO in the servers' network, with users anna and bert."""
    folder = str(tmp_path_factory.mktemp("ao"))
    image = stick.make(os.path.join(folder, "stick.img"), *STICK_OPTIONS)
    stick.change_store(image, os.path.join(folder, "change"), ROUTE)
    server = conftest.Booted(folder, image, network=net.tap()).run()
    yield server
    server.close()


@pytest.mark.parametrize("target", SERVERS)
def test_mail_to_a_peer(servers, ao, target):
    peer = servers[target]
    sent = samples.kinds()
    for _, content in sent.values():
        samples.send(ao.submission, ANNA, peer.user, content, login=LOGIN)
    for kind, (marker, content) in sent.items():
        delivered = peer.wait_mail(marker)
        assert samples.is_whole(delivered, content), kind
        assert f"<{ANNA}>".encode() in delivered.split(b"\n\n")[0], kind


def test_domain_that_is_another_name(servers, ao):
    """Its MX stands at the name that a CNAME leads to (RFC 5321 5.1)."""
    marker, content = samples.message(samples.plain_body())
    samples.send(ao.submission, ANNA, "paul@alias.exim.example", content,
                 login=LOGIN)
    assert samples.is_whole(servers["Exim"].wait_mail(marker), content)


def test_route_with_a_password(servers, ao):
    marker, content = samples.message(samples.plain_body())
    samples.send(ao.submission, ANNA, "paul@routed.example", content,
                 login=LOGIN)
    assert samples.is_whole(servers["Exim"].wait_mail(marker), content)
    taken = [line for line in servers["Exim"].log().splitlines()
             if " <= " in line and "paul@routed.example" in line]
    assert len(taken) == 1 and "A=plain:relay" in taken[0]


@pytest.mark.parametrize("target", SERVERS)
def test_unknown_user_there(servers, ao, target):
    """The sender is told in his own mailbox, in the server's words."""
    nemo = "nemo@" + servers[target].domain
    marker, content = samples.message(samples.plain_body())
    samples.send(ao.submission, ANNA, nemo, content, login=LOGIN,
                 mail_options=["ENVID=QQ314159", "RET=HDRS"],
                 rcpt_options=["ORCPT=rfc822;Nobody+2Btag@there.example"])
    if target == "OpenSMTPD":  # which takes it, and tells by itself
        told = samples.wait_fetched(ao, "anna", marker, nemo.encode(),
                                    b"Action: failed")
        assert told.startswith(b"Return-Path: <>\r\n")
        return
    told = samples.wait_fetched(ao, "anna", marker, b"multipart/report")
    assert told.startswith(b"Return-Path: <>\r\n")
    report = samples.Report(told)
    status = report.of(nemo)
    assert status["Action"] == "failed"
    assert status["Status"].startswith("5.")
    assert status["Diagnostic-Code"].startswith("smtp;")
    assert status["Original-Recipient"] == "rfc822;Nobody+tag@there.example"
    assert report.fields["Original-Envelope-Id"] == "QQ314159"
    assert report.returned_type == "text/rfc822-headers"
    assert marker in report.returned


@pytest.mark.parametrize("target", SERVERS)
def test_success_wanted_of_a_peer(servers, ao, target):
    """The wish is passed on, and the peer's own notice comes."""
    peer = servers[target]
    marker, content = samples.message(samples.plain_body())
    samples.send(ao.submission, ANNA, peer.user, content, login=LOGIN,
                 mail_options=["ENVID=" + target, "RET=HDRS"],
                 rcpt_options=["NOTIFY=SUCCESS,FAILURE,DELAY",
                               "ORCPT=rfc822;" + peer.user])
    assert samples.is_whole(peer.wait_mail(marker), content)
    told = samples.wait_fetched(ao, "anna", marker, b"Action: delivered")
    assert peer.user.encode() in told
    if target != "OpenSMTPD":  # which does not give it back
        assert b"original-envelope-id: " + target.lower().encode() \
            in told.lower()


@pytest.mark.parametrize("target", UTF8_SERVERS)
def test_utf8_address_to_a_peer(servers, ao, target):
    peer = servers[target]
    recipient = "päul@" + peer.domain
    marker, content = samples.message("Grüße\r\n".encode(),
                                      "Subject: Grüße\r\n".encode(),
                                      recipient=recipient)
    samples.send(ao.submission, ANNA, recipient, content, login=LOGIN,
                 mail_options=["SMTPUTF8"])
    assert samples.is_whole(peer.wait_mail(marker, box="päul"), content)


def test_utf8_address_to_a_peer_that_knows_none(servers, ao):
    """OpenSMTPD has no SMTPUTF8: the message comes back."""
    recipient = "päul@" + servers["OpenSMTPD"].domain
    marker, content = samples.message("Grüße\r\n".encode(),
                                      recipient=recipient)
    samples.send(ao.submission, ANNA, recipient, content, login=LOGIN,
                 mail_options=["SMTPUTF8"])
    report = samples.Report(samples.wait_fetched(
        ao, "anna", marker, b"multipart/report"))
    assert report.recipients[0]["Status"] == "5.6.7"
