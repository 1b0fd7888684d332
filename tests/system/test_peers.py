"""Mail to and from Postfix, Exim and OpenSMTPD, by what the DNS says."""
import itertools

import pytest

import samples
from stick import DOMAIN

SERVERS = ("Postfix", "Exim", "OpenSMTPD")
PAIRS = list(itertools.permutations(SERVERS, 2))


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
        samples.send(peer.smtp, peer.user, f"anna@{DOMAIN}", content)
    for kind, (marker, content) in sent.items():
        delivered = samples.wait_fetched(ao, "anna", marker)
        assert delivered.endswith(content), kind
        assert delivered.startswith(
            f"Return-Path: <{peer.user}>\r\n".encode()), kind
