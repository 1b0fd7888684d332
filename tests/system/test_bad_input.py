"""What must not happen, happens: on the wire and on the stick. Each time the
user or client is told, and nothing is lost."""
import random

import pytest

import mail
import stick
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"


@pytest.fixture
def smtp(booted):
    with mail.Smtp(booted.smtp) as client:
        assert client.command("EHLO tests.example")[0] == 250
        yield client
        # Whatever was said before: the session, or a new one, goes on.
        with mail.Smtp(booted.smtp) as again:
            assert again.banner[0] == 220


# ---- SMTP ------------------------------------------------------------------

def test_over_long_command_line(smtp):
    code, _ = smtp.command("NOOP " + "x" * 100_000)
    assert code == 500
    assert smtp.command("NOOP")[0] == 250


def test_endless_line(booted):
    """A line without end never fills the memory: refused or cut off."""
    with mail.Smtp(booted.smtp) as client:
        client.socket.settimeout(30)
        try:
            for _ in range(64):
                client.send(b"A" * 65536)
            client.send(b"\r\n")
            assert client.reply()[0] in (0, 421, 500)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up: as good
    assert mail.send_one(booted.smtp, ANNA, b"Subject: x\r\n\r\nx\r\n")[0] \
        == 250


@pytest.mark.parametrize("line, codes", [
    (b"FROB\r\n", (500,)),
    (b"\r\n", (500,)),
    (b"\0\0\0\0\r\n", (500, 501)),
    (b"MAIL FROM:<a\0b@c.example>\r\n", (500, 501, 553)),
    (b"NO\0OP\r\n", (500, 501)),
    (b"\xff\xfe\xfd\r\n", (500, 501)),
    (b"MAIL\r\n", (501,)),
    (b"MAIL FROM:a@b.example\r\n", (501, 553)),
    (b"MAIL FROM:<a@b.example> FROB=1\r\n", (501, 504, 555)),
    (b"MAIL FROM:<a@b.example> SIZE=99999999999999999999\r\n", (501, 552)),
    (b"MAIL FROM:<a@b.example> SIZE=33554433\r\n", (552,)),
    (b"RCPT TO:<anna@barepost.example>\r\n", (503,)),
    (b"DATA\r\n", (503,)),
    (b"DATA now\r\n", (501, 503)),
    (b"EHLO\r\n", (501,)),
    (b"QUIT now\r\n", (501, 221)),
])
def test_bad_command(smtp, line, codes):
    smtp.send(line)
    assert smtp.reply()[0] in codes
    if 221 not in codes:
        assert smtp.command("NOOP")[0] == 250


def test_many_bad_commands_do_no_harm(booted):
    """Either answered all, or cut off with 421; the next one is served."""
    with mail.Smtp(booted.smtp) as client:
        for _ in range(200):
            code, _ = client.command("FROB")
            if code == 421:
                break
            assert code == 500
    assert mail.send_one(booted.smtp, ANNA, b"Subject: x\r\n\r\nx\r\n")[0] \
        == 250


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n",
                                 b"\r\n.\r", b"\r\n\0.\r\n"])
def test_nothing_but_crlf_dot_crlf_ends_a_message(booted, smtp, end):
    """Smuggling: what stands behind a false end is no command."""
    before = len(mail.fetch_all(booted.pop3, "bert", "bert-demo"))
    for text in ("MAIL FROM:<a@b.example>", f"RCPT TO:<{ANNA}>", "DATA"):
        smtp.command(text)
    smtp.send(b"Subject: outer\r\n\r\ntext" + end
              + b"MAIL FROM:<b@b.example>\r\n"
              + f"RCPT TO:<bert@{DOMAIN}>\r\nDATA\r\n".encode()
              + b"Subject: smuggled\r\n\r\nx\r\n.\r\n")
    code, _ = smtp.reply()  # one message, taken or refused as a whole
    assert code == 250 or 500 <= code < 600
    assert smtp.command("NOOP")[0] == 250
    assert len(mail.fetch_all(booted.pop3, "bert", "bert-demo")) == before


def test_nul_in_a_message(booted, smtp):
    """Kept as it is or refused, but never changed or cut."""
    body = b"Subject: nul\r\n\r\nbefore\0after\r\n"
    code, _ = smtp.deliver(ANNA, body)
    if code == 250:
        last = mail.fetch_all(booted.pop3, "anna", "anna-demo")[-1]
        assert mail.without_trace(last) == body
    else:
        assert 500 <= code < 600


def test_over_long_text_line(booted, smtp):
    """RFC 5321 4.5.3.1.6 wants 1,000; more is kept whole or refused."""
    body = b"Subject: long\r\n\r\n" + b"l" * 70_000 + b"\r\n"
    code, _ = smtp.deliver(ANNA, body)
    if code == 250:
        last = mail.fetch_all(booted.pop3, "anna", "anna-demo")[-1]
        assert mail.without_trace(last) == body
    else:
        assert 500 <= code < 600


def test_message_above_the_limit(booted):
    line = b"m" * 1022 + b"\r\n"
    with mail.Smtp(booted.smtp, 120) as client:
        client.command("EHLO tests.example")
        for text in ("MAIL FROM:<a@b.example>", f"RCPT TO:<{ANNA}>", "DATA"):
            client.command(text)
        client.send(b"Subject: big\r\n\r\n")
        for _ in range(33 << 4):
            client.send(line * 64)
        client.send(b".\r\n")
        assert client.reply()[0] == 552
        assert client.command("NOOP")[0] == 250


def test_the_same_recipient_many_times(booted, smtp):
    """More than any limit on recipients: answered, and delivered once."""
    before = len(mail.fetch_all(booted.pop3, "bert", "bert-demo"))
    smtp.command("MAIL FROM:<a@b.example>")
    codes = {smtp.command(f"RCPT TO:<bert@{DOMAIN}>")[0] for _ in range(150)}
    assert codes <= {250, 452} and 250 in codes
    assert smtp.command("DATA")[0] == 354
    smtp.send(b"Subject: once\r\n\r\nonce\r\n.\r\n")
    assert smtp.reply()[0] == 250
    assert len(mail.fetch_all(booted.pop3, "bert", "bert-demo")) == before + 1


# ---- POP3 ------------------------------------------------------------------

def pop3_lines(address, *lines):
    """The first character of each answer: "+", "-", or "" for none."""
    client = mail.socket.create_connection(address, 30)
    with client, client.makefile("rb") as answers:
        answers.readline()
        signs = []
        for line in lines:
            client.sendall(line)
            signs.append(answers.readline()[:1].decode())
        return signs


@pytest.mark.parametrize("line", [
    b"FROB\r\n", b"\r\n", b"\0\r\n", b"RETR 1\r\n", b"DELE 1\r\n", b"STAT\r\n",
    b"PASS secret\r\n", b"USER\r\n", b"USER " + b"x" * 50_000 + b"\r\n",
], ids=lambda line: line[:8].hex())
def test_pop3_bad_command_before_login(booted, line):
    assert pop3_lines(booted.pop3, line, b"QUIT\r\n") == ["-", "+"]


@pytest.mark.parametrize("line", [
    b"RETR 0\r\n", b"RETR -1\r\n", b"RETR 99999\r\n", b"RETR\r\n",
    b"RETR 18446744073709551617\r\n", b"RETR 1x\r\n", b"TOP 1\r\n",
    b"TOP 1 -1\r\n", b"DELE 0\r\n", b"LIST 99999\r\n", b"UIDL 0\r\n",
    b"USER anna\r\n", b"DE\0LE 1\r\n",
], ids=lambda line: line.strip().decode("latin-1").replace("\0", "NUL"))
def test_pop3_bad_command_after_login(booted, line):
    mail.send_one(booted.smtp, ANNA, b"Subject: x\r\n\r\nx\r\n")
    signs = pop3_lines(booted.pop3, b"USER anna\r\n", b"PASS anna-demo\r\n",
                       line, b"NOOP\r\n", b"QUIT\r\n")
    assert signs == ["+", "+", "-", "+", "+"]


def test_second_session_on_a_maildrop(booted):
    first = mail.Pop3(booted.pop3, "anna", "anna-demo")
    with pytest.raises(mail.poplib.error_proto, match=r"\[IN-USE\]"):
        mail.Pop3(booted.pop3, "anna", "anna-demo")
    first.quit()
    mail.Pop3(booted.pop3, "anna", "anna-demo").quit()


# ---- The stick ---------------------------------------------------------------

def test_stick_without_a_store(tmp_path, boot):
    """Somebody's stick: named as what it is, and not a byte of it changed."""
    image = stick.make_without_store(str(tmp_path / "plain.img"))
    with open(image, "rb") as file:
        before = file.read()
    server = boot(image, kernel=stick.AO, append="mode=run")
    server.machine.expect_screen(r"no Barepost store on the stick")
    server.machine.power_cut()
    with open(image, "rb") as file:
        assert file.read() == before


def test_no_stick_at_all(boot):
    server = boot(None, kernel=stick.AO, append="mode=run")
    server.machine.expect_screen(r"Stick\s+none")
    server.machine.expect_screen(r"(?i)no stick with a Barepost store|looking for a stick")


def test_store_of_another_version(copy_stick, tmp_path, boot):
    """A newer store is not touched, and the screen says why."""
    stick.change_store(copy_stick, str(tmp_path / "changed"),
                       "PRAGMA user_version = 4711")
    server = boot(copy_stick)
    server.machine.expect_screen("Run")
    server.machine.send("\r")
    server.machine.expect_screen(r"(?i)version")
    server.machine.expect_screen(r"4711")
    server.machine.power_cut()
    assert stick.query(server.store(), "PRAGMA user_version") == [["4711"]]


def test_damaged_store(copy_stick, boot):
    with open(copy_stick, "r+b") as image:
        for name in stick.FILES:
            image.seek(stick.file_offset(copy_stick, name))
            image.write(random.Random(1).randbytes(65536))
    server = boot(copy_stick)
    server.machine.expect_screen("Run")
    server.machine.send("\r")
    server.machine.expect_screen(r"(?i)store on .* is damaged|no Barepost store on")
    # What a person may still want to rescue is left as it is.
    assert server.machine.disk_figures()["wr_operations"] == 0


def test_full_store(tmp_path, boot):
    """452 before the data; what was accepted is there; deleting makes room."""
    image = stick.make(str(tmp_path / "small.img"), size="64M")
    server = boot(image).run()
    line = random.Random(2).randbytes(38).hex().encode() + b"\r\n"
    body = b"Subject: filler\r\n\r\n" + line * ((4 << 20) // len(line))
    accepted = 0
    with mail.Smtp(server.smtp, 120) as client:
        client.command("EHLO tests.example")
        for _ in range(64):
            code, text = client.deliver(ANNA, body)
            if code != 250:
                break
            accepted += 1
        assert code == 452 and text.startswith("4.3.1"), (code, text)
        assert accepted > 0

    drop = mail.Pop3(server.pop3, "anna", "anna-demo")
    assert drop.stat()[0] == accepted
    for number in range(1, accepted + 1):
        assert mail.without_trace(drop.retrieve(number)) == body
        drop.dele(number)
    drop.quit()
    code, text = mail.send_one(server.smtp, ANNA, body)
    assert code == 250, text
    server.machine.power_cut()
    stick.check_whole(server.store())
