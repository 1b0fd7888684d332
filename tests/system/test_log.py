"""The life of a message, followed by its id: in the menu, on the stick, and at
a syslog server."""
import base64
import re
import socket
import subprocess
import time

import mail
import smtp_script
import stick
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"
SENDER = "sender@elsewhere.example"
# RFC 5424 6: PRI, VERSION, TIMESTAMP, HOSTNAME, APP-NAME, PROCID, MSGID, SD.
SYSLOG = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) barepost - "
    rb"(\S+) \[meta sequenceId=\"(\d+)\"\](?:\[mail@32473 id=\"(\d+)\"\])? "
    rb"(.+)", re.S)


def deliver(server, subject, **options):
    """One message; gives its number and its transaction id."""
    body = f"Subject: {subject}\r\n\r\nhello\r\n".encode()
    with mail.Smtp(server.smtp) as client:
        assert client.command("EHLO tests.example")[0] == 250
        code, text = client.deliver(ANNA, body, **options)
        assert code == 250, text
        client.command("QUIT")
    found = re.search(r"message (\d+) stored, id (\S+)", text)
    assert found, text
    return found[1], found[2]


def log_of(image, *options):
    return stick.run(stick.MKUSB, "--inspect", image, "--log", *options)


def expect_gone(machine, text):
    """Waits until the screen does not show a text any more."""
    machine.serial.wait(lambda: text not in machine.serial.terminal.text(),
                        f"screen without {text}", 30)


def test_a_message_in_the_menu_and_on_the_stick(copy_stick, boot):
    server = boot(copy_stick).run()
    machine = server.machine
    number, transaction = deliver(server, "first")
    other, _ = deliver(server, "second", sender="")
    mail.fetch_all(server.pop3, "anna", "anna-demo")
    machine.send("m")
    machine.expect_screen("Mail is being served")
    machine.send("7")
    machine.expect_screen(rf"smtp #{other}: received id=")
    machine.send(f"{SENDER}\r")
    machine.expect_screen(rf"smtp #{number}: received id={transaction}")
    expect_gone(machine, f"#{other}: received")
    machine.send("\x1b")
    machine.expect_screen("Trace: the life of one message")
    for name in (number, transaction):
        machine.send("t")
        machine.expect_screen("Message or transaction")
        machine.send(f"{name}\r")
        machine.expect_screen(rf"#{number}: received id={transaction}")
        machine.expect_screen(rf"from=<{SENDER}>")
        expect_gone(machine, f"#{other}:")
        machine.send("\x1b")
        machine.expect_screen("Trace: the life of one message")
    machine.power_cut()
    shown = log_of(copy_stick)
    assert f"id={transaction}" in shown and f"#{other}" in shown
    assert "service" in shown and "main" in shown
    for name in (number, transaction):
        lines = log_of(copy_stick, "--message", name).splitlines()
        assert lines and all(f"#{number} " in line for line in lines)
        assert f"received id={transaction} client=10.0.2.2" in lines[0]
        assert f"from=<{SENDER}>" in lines[0] and "local=anna" in lines[0]
    assert f"#{number} " in log_of(copy_stick, "--user", "Anna")
    for wrong in (("--message", "999999"), ("--user", "nobody")):
        done = subprocess.run([stick.MKUSB, "--inspect", copy_stick, "--log",
                               *wrong], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1 and wrong[1].encode() in done.stderr


def test_lines_reach_the_stick_with_their_message(copy_stick, boot):
    """Cut right behind the 250: the message's line is there."""
    server = boot(copy_stick).run()
    number, transaction = deliver(server, "cut")
    server.machine.power_cut()
    lines = log_of(copy_stick, "--message", number)
    assert f"received id={transaction}" in lines


def test_syslog(tmp_path, boot):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(1)
    port = receiver.getsockname()[1]
    image = stick.make(str(tmp_path / "stick.img"), "--set",
                       f"syslog=10.0.2.2:{port}")
    server = boot(image).run()
    number, transaction = deliver(server, "told")
    seen = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(
            line[6] == number.encode() for line in seen):
        try:
            datagram = receiver.recv(2048)
        except socket.timeout:
            continue
        match = SYSLOG.fullmatch(datagram)
        assert match, datagram
        seen.append(match)
    receiver.close()
    told = [line for line in seen if line[6] == number.encode()]
    assert told, [line[0] for line in seen]
    assert int(told[0][1]) == 2 * 8 + 6  # facility mail, informational
    assert told[0][3].decode() == stick.HOSTNAME
    assert told[0][4] == b"smtp"
    assert f"received id={transaction}".encode() in told[0][7]
    assert [int(line[5]) for line in seen] == list(range(1, len(seen) + 1))
    # What happened before the settings were read is told, too.
    assert any(line[4] == b"main" for line in seen)


def test_from_arrival_to_delivery(tmp_path, boot):
    """A message to somebody elsewhere: each attempt and its reply, and the
    notice about the one who does not exist."""
    script = smtp_script.Script(
        "127.0.0.1", port=0,
        rcpt=[lambda line: "550 5.1.1 who is that?" if "nobody" in line
              else "250 2.1.5 ok"])
    image = stick.make(str(tmp_path / "stick.img"), "--route",
                       f"*=10.0.2.2:{script.port}")
    server = boot(image).run()
    word = base64.b64encode(b"\0anna\0anna-demo").decode()
    with mail.Smtp(server.smtp) as client:
        client.command("EHLO tests.example")
        assert client.command(f"AUTH PLAIN {word}")[0] == 235
        client.command(f"MAIL FROM:<{ANNA}>")
        for name in ("paul", "nobody"):
            assert client.command(f"RCPT TO:<{name}@far.example>")[0] == 250
        client.command("DATA")
        client.send(b"Subject: out\r\n\r\nhello\r\n.\r\n")
        number = re.search(r"message (\d+) stored", client.reply()[1])[1]
    machine = server.machine
    machine.send("m")
    machine.expect_screen("Trace: the life of one message")
    machine.send("t")
    machine.expect_screen("Message or transaction")
    machine.send(number)
    deadline = time.monotonic() + 60
    while "sender told" not in machine.serial.screen():
        assert time.monotonic() < deadline, machine.serial.screen()
        machine.send("\r")
        time.sleep(0.5)
    assert len(script.messages) == 1
    script.close()
    machine.power_cut()
    lines = log_of(image, "--message", number)
    assert "user=anna" in lines
    assert "remote=<paul@far.example>,<nobody@far.example>" in lines
    assert "delivered to=<paul@far.example> host=10.0.2.2 attempt=1" in lines
    assert "failed to=<nobody@far.example>" in lines
    assert "550 5.1.1 who is that?" in lines
    notice = re.search(r"sender told notice=#(\d+)", lines)[1]
    assert f"notice about=#{number} to=<{ANNA}>" \
        in log_of(image, "--message", notice)
