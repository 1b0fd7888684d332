"""One mail through the whole machine: from the boot menu to the store on the
stick, by real clients."""
import os
import random
import subprocess

import pytest

import mail
import stick
from stick import DOMAIN

ANNA = f"anna@{DOMAIN}"


def send_by_swaks(server, folder, recipient, sizes):
    """swaks sends a mail with attachments of these sizes. Gives the bytes that
    it put on the wire as the message."""
    command = ["swaks", "--to", recipient, "--from", "sender@elsewhere.example",
               "--helo", "tests.example", "--header", "Subject: With pictures",
               "--body", "See what is attached.\n.\n..two dots\n"]
    for index, size in enumerate(sizes):
        path = os.path.join(folder, f"picture{index}.bin")
        with open(path, "wb") as file:
            file.write(random.Random(size).randbytes(size))
        command += ["--attach-type", "application/octet-stream",
                    "--attach-name", f"picture{index}.bin",
                    "--attach", "@" + path]
    recorder = mail.Recorder(server.smtp)
    command += ["--server", "%s:%d" % recorder.address]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=180,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = b"\n".join(line for line in done.stdout.split(b"\n")
                      if line.startswith((b"<", b"*")))
    assert done.returncode == 0, said.decode("latin-1")
    return recorder.message()


@pytest.mark.parametrize("sizes", [(300,), (5 << 20, 2_600_000)],
                         ids=["1 KiB", "10 MiB"])
def test_swaks_in_pop3_out_is_byte_identical(booted, tmp_path, sizes):
    sent = send_by_swaks(booted, str(tmp_path), ANNA, sizes)
    assert b"multipart/mixed" in sent
    assert len(sent) >= (1 << 10 if len(sizes) == 1 else 10 << 20)
    received = mail.fetch_all(booted.pop3, "anna", "anna-demo")[-1]
    assert mail.without_trace(received) == sent


def test_poplib_lists_what_is_there(booted):
    assert mail.send_one(booted.smtp, ANNA,
                         b"Subject: small\r\n\r\nhello\r\n")[0] == 250
    client = mail.Pop3(booted.pop3, "anna", "anna-demo")
    count, total = client.stat()
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert len(sizes) == count and sum(sizes) == total
    assert len(client.retrieve(count)) == sizes[-1]
    names = [line.split()[1] for line in client.uidl()[1]]
    assert len(set(names)) == count
    client.quit()


def test_nobody_else_sees_it(booted):
    assert mail.fetch_all(booted.pop3, "bert", "bert-demo") == []
    with pytest.raises(mail.poplib.error_proto):
        mail.Pop3(booted.pop3, "anna", "bert-demo")


def test_deleted_after_quit_only(booted):
    address = booted.pop3
    for word in (b"keep", b"drop"):
        body = b"Subject: " + word + b"\r\n\r\n" + word + b"\r\n"
        assert mail.send_one(booted.smtp, f"bert@{DOMAIN}", body)[0] == 250
    client = mail.Pop3(address, "bert", "bert-demo")
    client.dele(2)
    client.close()  # no QUIT: RFC 1939 section 3, nothing may be removed
    client = mail.Pop3(address, "bert", "bert-demo")
    assert client.stat()[0] == 2
    client.dele(2)
    client.quit()
    left = mail.fetch_all(address, "bert", "bert-demo")
    assert [mail.without_trace(one) for one in left] == \
        [b"Subject: keep\r\n\r\nkeep\r\n"]


def test_no_relaying_and_no_unknown_recipient(booted):
    with mail.Smtp(booted.smtp) as client:
        client.command("EHLO tests.example")
        client.command("MAIL FROM:<sender@elsewhere.example>")
        code, text = client.command(f"RCPT TO:<nobody@{DOMAIN}>")
        assert code == 550 and text.startswith("5.1.1")
        code, text = client.command("RCPT TO:<someone@far.example>")
        assert 550 <= code <= 554 and text.startswith("5.7.1")


def test_power_cut_right_after_250(copy_stick, boot):
    """The machine dies with the 250 still on the wire: both messages are there
    on a workstation, whole, and after a new start."""
    server = boot(copy_stick).run()
    small = b"Subject: small\r\n\r\n" + b"s" * 990 + b"\r\n"
    lines = random.Random(10).randbytes(8 << 20).hex()
    large = b"Subject: large\r\n\r\n" + b"".join(
        lines[at:at + 76].encode() + b"\r\n"
        for at in range(0, 10 << 20, 76))
    for body in (small, large):
        assert mail.send_one(server.smtp, ANNA, body)[0] == 250
    last = b"Subject: last\r\n\r\ncut right after its 250\r\n"
    with mail.Smtp(server.smtp) as client:
        client.command("EHLO tests.example")
        assert client.deliver(ANNA, last)[0] == 250
        server.machine.power_cut()

    database = server.store()
    stick.check_whole(database)
    assert stick.message_count(database) == 3
    subjects = [row[0] for row in stick.query(
        database, "SELECT Subject FROM mail ORDER BY MailID")]
    assert subjects == ["small", "large", "last"]
    shown = stick.run(stick.MKUSB, "--inspect", copy_stick, "--user", "anna")
    for subject in subjects:
        assert subject in shown

    again = boot(copy_stick).run()
    received = mail.fetch_all(again.pop3, "anna", "anna-demo")
    assert [mail.without_trace(one) for one in received] == \
        [small, large, last]


def test_stick_pulled_and_put_back(copy_stick, boot):
    """Without its stick the server takes nothing and says so; with it, it goes
    on, and what was answered 250 is there."""
    server = boot(copy_stick).run()
    first = b"Subject: before\r\n\r\nbefore\r\n"
    assert mail.send_one(server.smtp, ANNA, first)[0] == 250
    server.machine.pull_stick()
    server.machine.expect_screen(r"(?i)Store.*(pulled out|not there)")
    code = try_send(server.smtp, b"Subject: without\r\n\r\nwithout\r\n")
    assert 400 <= code < 500
    server.machine.plug_stick()
    server.machine.expect_screen(r"Store +store [0-9a-f]{8} on", 60)
    wait_accepted(server, b"Subject: after\r\n\r\nafter\r\n")
    received = mail.fetch_all(server.pop3, "anna", "anna-demo")
    assert [mail.without_trace(one)[9:14] for one in received] == \
        [b"befor", b"after"]


def try_send(address, body):
    """The code of the first refusal, at whatever step, or of the delivery."""
    with mail.Smtp(address) as client:
        if client.banner[0] != 220:
            return client.banner[0]
        client.command("EHLO tests.example")
        return client.deliver(ANNA, body)[0]


def wait_accepted(server, body, tries=40):
    for _ in range(tries):
        code = try_send(server.smtp, body)
        if code == 250:
            return
        assert 400 <= code < 500
        server.machine.monitor.changed.acquire()
        server.machine.monitor.changed.wait(0.5)
        server.machine.monitor.changed.release()
    raise AssertionError("still refused after the stick came back")
