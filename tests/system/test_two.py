"""Two AOs in one network send each other mail."""
import os

import pytest

import conftest
import samples
import stick
from lan import PREFIX4, STICK_OPTIONS
from stick import DOMAIN

ANNA, CARL = f"anna@{DOMAIN}", "carl@other.example"
LOGIN = {ANNA: ("anna", "anna-demo"), CARL: ("carl", "carl-demo")}


@pytest.fixture(scope="module")
def aos(net, names, tmp_path_factory):
    """{a user's address: the AO where he is at home}"""
    folder = str(tmp_path_factory.mktemp("two"))
    here = stick.make(os.path.join(folder, "here.img"), *STICK_OPTIONS)
    users = os.path.join(folder, "users.csv")
    with open(users, "w", encoding="utf-8") as file:
        file.write("username,password,aliases\ncarl,carl-demo,kärl\n")
    there = os.path.join(folder, "there.img")
    options = [option.replace("10.0.2.15", "10.0.2.16")
               for option in STICK_OPTIONS]
    stick.run(stick.MKUSB, "--users", users, "--size", "256M", "--hostname",
              "mail.other.example", "--domain", "other.example", *options,
              there)
    started = {}
    for address, image, more in (
            (ANNA, here, {}),
            (CARL, there, {"guest": PREFIX4 + "16",
                           "card": "52:54:00:12:34:57"})):
        own = os.path.join(folder, address)
        os.makedirs(own)
        started[address] = conftest.Booted(own, image, network=net.tap(),
                                           **more).run()
    yield started
    for server in started.values():
        server.close()


def submit(aos, sender, recipient, content, **options):
    samples.send(aos[sender].submission, sender, recipient, content,
                 login=LOGIN[sender], **options)


@pytest.mark.parametrize("sender,recipient", ((ANNA, CARL), (CARL, ANNA)))
def test_every_kind_of_message(aos, sender, recipient):
    sent = samples.kinds()
    for _, content in sent.values():
        submit(aos, sender, recipient, content)
    for kind, (marker, content) in sent.items():
        assert samples.wait_fetched(
            aos[recipient], LOGIN[recipient][0], marker).endswith(content), kind


def test_notice_of_success(aos):
    """Passed on as a wish, told by the one that delivers."""
    marker, content = samples.message(samples.plain_body())
    submit(aos, ANNA, CARL, content, mail_options=["ENVID=two-aos"],
           rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;" + CARL])
    assert samples.wait_fetched(aos[CARL], "carl", marker).endswith(content)
    report = samples.Report(samples.wait_fetched(
        aos[ANNA], "anna", b"Original-Envelope-Id: two-aos"))
    assert report.of(CARL)["Action"] == "delivered"
    assert report.fields["Reporting-MTA"].endswith("mail.other.example")


def test_unknown_user(aos):
    marker, content = samples.message(samples.plain_body())
    submit(aos, CARL, f"nemo@{DOMAIN}", content)
    report = samples.Report(samples.wait_fetched(
        aos[CARL], "carl", marker, b"multipart/report"))
    assert report.of(f"nemo@{DOMAIN}")["Status"] == "5.1.1"


def test_address_in_utf8(aos):
    marker, content = samples.message("Grüße\r\n".encode(),
                                      "Subject: Grüße\r\n".encode())
    submit(aos, ANNA, "kärl@other.example", content,
           mail_options=["SMTPUTF8"])
    assert samples.wait_fetched(aos[CARL], "carl", marker).endswith(content)
