"""One thread through everything: mail by SMTP is read in the browser, answered
there, and fetched by POP3; and what is written there to an address elsewhere
arrives at a real Postfix."""
import os
import re

import pytest

import conftest
import mail
import peers
import stick
import test_browser
from lan import STICK_OPTIONS


@pytest.fixture(scope="module")
def postfix(net, names):
    return peers.postfix(net).ready()


@pytest.fixture(scope="module")
def ao(net, names, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("ao"))
    image = stick.make(os.path.join(folder, "stick.img"), *STICK_OPTIONS)
    server = conftest.Booted(folder, image, network=net.tap()).run()
    yield server
    server.close()


def test_thread(ao, postfix):
    test_browser.send(ao, [test_browser.letter("A question",
                                               "When do we meet?\r\n")])
    test_browser.browse(ao, "thread", subject="A question",
                        text="When do we meet?", answer="At noon.",
                        outside=postfix.user)
    answers = mail.fetch_all(ao.pop3, "bert", "bert-demo")
    assert len(answers) == 1
    head, _, body = answers[0].partition(b"\r\n\r\n")
    assert b"Subject: Re: A question" in head
    assert re.search(rb"In-Reply-To: <\d+@tests.example>", head)
    assert body.startswith(b"At noon.") and b"> When do we meet?" in body
    arrived = postfix.wait_mail(b"Subject: A question")
    assert b"At noon." in arrived
    assert b"From: Anna Example <anna@" in arrived
