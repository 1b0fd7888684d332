"""Accounts: administered on the screen, used by real clients."""
import base64
import re
import subprocess
import time

import pytest

import mail
import stick
from conftest import choose_load
from stick import DOMAIN

MENU = r"^ Barepost  \S+  Menu"
F2 = "\x1bOQ"


def open_users(boot, image):
    server = boot(image)
    choose_load(server.machine)
    server.machine.expect_screen(MENU)
    server.machine.expect_screen(r"store \w+ on")
    server.machine.send("4")
    server.machine.expect_screen(r"anna\s+Anna Example")
    return server


def serve(server):
    server.machine.send("\x1b")
    server.machine.expect_screen(MENU)
    server.machine.send("1")
    server.machine.wait_banner(25)


def log_in(server, user, password):
    client = mail.Pop3(server.pop3, user, password)
    client.quit()


def to_users(server):
    server.machine.send("m")
    server.machine.expect_screen(MENU)
    server.machine.send("4")
    server.machine.expect_screen(r"Used MB")


def test_users_on_the_screen(copy_stick, boot):
    """Added, given another password, disabled: each holds at once, and what is
    on the stick says the same."""
    server = open_users(boot, copy_stick)
    machine = server.machine
    machine.send("a")
    machine.expect_screen("Full name")
    machine.send("carl\rCarl New\rcarl-1\r50\r\r")
    machine.expect_screen(r"carl\s+Carl New\s+0\.0\s+50\s+never", limit_s=60)
    serve(server)
    log_in(server, "carl", "carl-1")
    assert mail.send_one(server.smtp, f"carl@{DOMAIN}", b"Subject: a\r\n\r\n"
                         + b"x" * 70 + b"\r\n")[0] == 250
    to_users(server)
    machine.expect_screen(r"carl\s+Carl New\s+0\.0\s+50\s+\S+ \S+ pop3")
    machine.send("\x1b[B\x1b[B\r")
    machine.expect_screen("Last login .* by pop3 from 10.0.2.2")
    machine.send("\rcarl-2" + F2)
    machine.expect_screen(r"Used MB", limit_s=60)
    with pytest.raises(mail.poplib.error_proto):
        log_in(server, "carl", "carl-1")
    log_in(server, "carl", "carl-2")
    machine.send("\r")
    machine.expect_screen("Last login")
    machine.send("\x1b[B" * 3 + "disabled" + F2)
    machine.expect_screen(r"carl\s+Carl New\s+disabled", limit_s=60)
    with pytest.raises(mail.poplib.error_proto):
        log_in(server, "carl", "carl-2")
    machine.power_cut()
    rows = stick.query(server.store(), "SELECT Name,FullName,QuotaBytes,Enabled"
                       " FROM user WHERE Name='carl'")
    assert rows == [["carl", "Carl New", str(50 << 20), "0"]]


def test_quota_and_last_login_on_the_stick(tmp_path, boot):
    """A mailbox of 1 MB takes what fits, says 452 to more, and takes mail again
    when something was deleted. The workstation sees who logged in."""
    users = str(tmp_path / "users.csv")
    with open(users, "w") as file:
        file.write("username,password,quota_mb\nanna,anna-demo,1\n")
    image = stick.make(str(tmp_path / "small.img"), users=users)
    server = boot(image).run()
    body = b"Subject: half\r\n\r\n" + (b"y" * 70 + b"\r\n") * 7000
    recipient = f"anna@{DOMAIN}"
    assert mail.send_one(server.smtp, recipient, body)[0] == 250
    assert mail.send_one(server.smtp, recipient, body)[0] == 250
    with mail.Smtp(server.smtp) as client:
        client.command("EHLO tests.example")
        client.command("MAIL FROM:<a@b.example> SIZE=500000")
        assert client.command(f"RCPT TO:<{recipient}>")[0] == 452
        client.command("RSET")
        client.command("MAIL FROM:<a@b.example> SIZE=2000000")
        code, text = client.command(f"RCPT TO:<{recipient}>")
        assert code == 552 and text.startswith("5.2.2")
    assert mail.send_one(server.smtp, recipient, body)[0] == 552
    client = mail.Pop3(server.pop3, "anna", "anna-demo")
    client.dele(1)
    client.quit()
    assert mail.send_one(server.smtp, recipient, body)[0] == 250
    server.machine.power_cut()
    shown = stick.run(stick.MKUSB, "--inspect", image)
    assert re.search(r"anna +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +pop3 +10\.0\.2\.2",
                     shown), shown


def test_pop3_clients_of_today(booted):
    """CAPA, AUTH in its forms, UTF8, pipelining; curl with SASL."""
    with pytest.raises(mail.poplib.error_proto):
        mail.Pop3(booted.pop3, "anna", "wrong")
    client = mail.poplib.POP3(*booted.pop3, timeout=60)
    capabilities = client.capa()
    assert capabilities["SASL"] == ["PLAIN", "LOGIN"]
    assert capabilities["EXPIRE"] == ["NEVER"]
    for name in ("TOP", "UIDL", "USER", "RESP-CODES", "AUTH-RESP-CODE",
                 "PIPELINING", "UTF8", "IMPLEMENTATION"):
        assert name in capabilities
    client.utf8()
    secret = base64.b64encode(b"\0bert\0bert-demo").decode()
    assert client._shortcmd("AUTH PLAIN " + secret).startswith(b"+OK")
    client.quit()
    client = mail.poplib.POP3(*booted.pop3, timeout=60)
    client.sock.sendall(b"AUTH LOGIN\r\n"
                        + base64.b64encode(b"anna") + b"\r\n"
                        + base64.b64encode(b"anna-demo") + b"\r\n"
                        b"STAT\r\nNOOP\r\nQUIT\r\n")
    assert [client._getline()[0][:3] for _ in range(6)] == \
        [b"+ V", b"+ U", b"+OK", b"+OK", b"+OK", b"+OK"]
    host, port = booted.pop3
    for mechanism in ("PLAIN", "LOGIN"):
        listed = subprocess.run(
            ["curl", "-sS", "--user", "anna:anna-demo", "--login-options",
             "AUTH=" + mechanism, f"pop3://{host}:{port}/"], timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert listed.returncode == 0, listed.stdout


def test_polling_costs_no_argon2id(booted, figure):
    """A client that has logged in once is recognised."""
    log_in(booted, "anna", "anna-demo")
    begun = time.monotonic()
    for _ in range(50):
        log_in(booted, "anna", "anna-demo")
    rate = 50 / (time.monotonic() - begun)
    figure(f"POP3 logins with remembered verification: {rate:.0f} a second")
    assert rate > 20
