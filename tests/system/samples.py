"""Messages that mail servers must pass on byte for byte, and sending them.

Every message begins with a field X-Sample that no other one has: what comes
before it in a delivered message was added on the way.
"""
import base64
import email
import email.policy
import itertools
import re
import smtplib
import time

import mail
from qemu import Hang

serial = itertools.count(1)


def message(body, headers=b"", sender="sender@elsewhere.example",
            recipient="someone@elsewhere.example"):
    """A message with CRLF line ends; gives (its marker, its bytes)."""
    number = next(serial)
    marker = b"X-Sample: %d." % number
    return marker, (
        marker + b"\r\nFrom: " + sender.encode() + b"\r\nTo: "
        + recipient.encode()
        + b"\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\nMessage-ID: <sample."
        + str(number).encode() + b"@tests.example>\r\n" + headers + b"\r\n"
        + body)


def plain_body():
    return (b"Hello,\r\n\r\n.a line that begins with a dot\r\n..two\r\n.\x2e\r\n"
            b"trailing blanks  \t\r\nFrom the beginning of a line\r\n\ttab\r\n")


def attachment_body():
    data = base64.encodebytes(bytes(range(256)) * 400).replace(b"\n", b"\r\n")
    return (b"This is MIME.\r\n--=_cut\r\nContent-Type: text/plain\r\n\r\nSee "
            b"the attachment.\r\n--=_cut\r\nContent-Type: application/octet-"
            b"stream; name=\"data.bin\"\r\nContent-Disposition: attachment; "
            b"filename=\"data.bin\"\r\nContent-Transfer-Encoding: base64\r\n"
            b"\r\n" + data + b"--=_cut--\r\n")


MIXED = (b"MIME-Version: 1.0\r\nSubject: with an attachment\r\n"
         b"Content-Type: multipart/mixed; boundary=\"=_cut\"\r\n")
EIGHT_BIT = (b"MIME-Version: 1.0\r\nSubject: eight bits\r\nContent-Type: "
             b"text/plain; charset=iso-8859-1\r\n"
             b"Content-Transfer-Encoding: 8bit\r\n")
HIGH = bytes(range(128, 256))


def kinds():
    """{kind: (marker, message)} of everything that each server must carry."""
    return {
        "plain": message(plain_body(), b"Subject: plain\r\n"),
        "attachment": message(attachment_body(), MIXED),
        "eight bits": message(HIGH + b"\r\n" + HIGH * 4 + b"\r\n", EIGHT_BIT),
        "long lines": message((b"x" * 998 + b"\r\n") * 40
                              + b"." + b"y" * 997 + b"\r\n",
                              b"Subject: long lines\r\n"),
    }


def send(address, sender, recipients, content, mail_options=(),
         rcpt_options=(), login=None):
    """Gives it to a server, byte for byte. recipients: one or a list."""
    if isinstance(recipients, str):
        recipients = [recipients]
    with smtplib.SMTP(*address, local_hostname="tests.example",
                      timeout=60) as client:
        client.ehlo()
        if login:
            client.login(*login)
        if client.has_extn("8bitmime") and content.translate(
                None, bytes(range(128))):
            mail_options = (*mail_options, "BODY=8BITMIME")
        refused = client.sendmail(sender, recipients, content,
                                  list(mail_options), list(rcpt_options))
        assert refused == {}, refused


class Report:
    """A delivery status notification (RFC 3464): fields of the message, of
    each recipient, and what is returned."""

    def __init__(self, message):
        parsed = email.message_from_bytes(message)
        assert parsed.get_content_type() == "multipart/report", message
        assert parsed.get_param("report-type") == "delivery-status"
        assert parsed["From"] and parsed["To"] and parsed["Date"] \
            and parsed["Message-ID"] and parsed["Subject"]
        assert parsed["Auto-Submitted"], message
        text, status, *returned = parsed.get_payload()
        self.text = text.get_payload(decode=True).decode("utf-8")
        assert status.get_content_type() in (
            "message/delivery-status", "message/global-delivery-status")
        self.returned_type = returned and returned[0].get_content_type()
        parts = message.split(b"--" + parsed.get_boundary().encode())
        _, self.fields, *self.recipients = (
            email.message_from_string(group, policy=email.policy.SMTPUTF8)
            for group in re.split(r"(?:\r?\n){2,}",
                                  parts[2].decode("utf-8").strip()))
        assert self.fields["Reporting-MTA"], message
        self.returned = parts[3]

    def of(self, recipient):
        """The fields about a recipient."""
        found = [one for one in self.recipients
                 if one["Final-Recipient"].partition(";")[2].strip().lower()
                 == recipient.lower()]
        assert len(found) == 1, (recipient, self.recipients)
        return found[0]


def is_whole(delivered, sent):
    """Whether a message in a box, with LF line ends, ends with what was sent;
    what was added lies before."""
    return delivered.endswith(sent.replace(b"\r\n", b"\n"))


def wait_fetched(server, user, *holds, limit_s=60):
    """The message of a user's Inbox that has all these bytes in it."""
    deadline = time.monotonic() + limit_s
    seen = 0
    while time.monotonic() < deadline:
        client = mail.Pop3(server.pop3, user, user + "-demo")
        count = client.stat()[0]
        for number in range(seen, count):
            message = client.retrieve(number + 1)
            if all(text in message for text in holds):
                client.quit()
                return message
        client.quit()
        seen = count
        time.sleep(0.1)
    raise Hang(f"no {holds!r} came to {user}; the screen:\n"
               + server.machine.serial.screen())
