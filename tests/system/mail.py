"""Mail clients and what they put on the wire.

Smtp and Pop3 speak line by line and hide nothing, so that tests can be rude
and can compare bytes; Recorder stands between a real client and the server and
keeps what the client said; sessions() counts segments in a capture.
"""
import poplib
import re
import socket
import struct
import threading


class Smtp:
    """One SMTP connection."""

    def __init__(self, address, limit_s=60):
        self.socket = socket.create_connection(address, limit_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile("rb")
        self.banner = self.reply()

    def reply(self):
        """(code, text) of one reply; (0, "") when the server hung up."""
        text = []
        while True:
            line = self.lines.readline()
            if not line:
                return 0, "\n".join(text)
            assert line.endswith(b"\r\n"), line
            text.append(line[4:-2].decode("latin-1"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(text)

    def send(self, data):
        self.socket.sendall(data)

    def command(self, text):
        self.send(text.encode("latin-1") + b"\r\n")
        return self.reply()

    def deliver(self, recipient, body, sender="sender@elsewhere.example"):
        """Sends one message; body with CRLF line ends, not yet dot-stuffed.
        Gives the first reply that is not positive, or that to the message."""
        for text in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>",
                     "DATA"):
            code, answer = self.command(text)
            if code >= 400 or code == 0:
                return code, answer
        self.send(re.sub(rb"(?m)^\.", b"..", body) + b".\r\n")
        return self.reply()

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send_one(address, recipient, body):
    with Smtp(address) as client:
        assert client.banner[0] == 220, client.banner
        assert client.command("EHLO tests.example")[0] == 250
        reply = client.deliver(recipient, body)
        assert client.command("QUIT")[0] == 221
    return reply


class Pop3(poplib.POP3):
    """poplib, which also hands out the bytes as they came."""

    def __init__(self, address, user, password, limit_s=120):
        super().__init__(*address, timeout=limit_s)
        self.user(user)
        self.pass_(password)

    def retrieve(self, number):
        """A message, byte for byte, only the dot-stuffing undone."""
        self._putcmd(f"RETR {number}")
        self._getresp()
        parts = []
        while True:
            line = self.file.readline()
            assert line, "the server hung up within a message"
            if line == b".\r\n":
                return b"".join(parts)
            parts.append(line[1:] if line.startswith(b".") else line)


def fetch_all(address, user, password):
    client = Pop3(address, user, password)
    count = client.stat()[0]
    messages = [client.retrieve(number + 1) for number in range(count)]
    client.quit()
    return messages


TRACE = re.compile(rb"Return-Path: <[^\r\n]*>\r\n"
                   rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def without_trace(message):
    """The message without the lines that the server had to add (RFC 5321 4.4):
    one Return-Path and one Received field, at its very top."""
    added = TRACE.match(message)
    assert added, f"no trace header: {message[:300]!r}"
    return message[added.end():]


class Recorder:
    """Passes one connection on to the server and keeps the client's bytes."""

    def __init__(self, server):
        self.server = server
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.said = bytearray()
        self.thread = threading.Thread(target=self._pass_on, daemon=True)
        self.thread.start()

    def _pass_on(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(self.server)
        back = threading.Thread(target=self._copy, args=(server, client),
                                daemon=True)
        back.start()
        self._copy(client, server, self.said)
        back.join()
        client.close()
        server.close()

    @staticmethod
    def _copy(source, target, record=None):
        try:
            while data := source.recv(65536):
                if record is not None:
                    record += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has gone: so does this one

    def message(self, limit_s=60):
        """What the client sent between DATA and the final dot, unstuffed."""
        self.thread.join(limit_s)
        self.listener.close()
        said = bytes(self.said)
        start = re.search(rb"(?i)\r\nDATA\r\n", said).end()
        body = said[start:said.index(b"\r\n.\r\n", start) + 2]
        return re.sub(rb"(?m)^\.", b"", body)


class Session:
    """One TCP connection in a capture."""

    def __init__(self):
        self.from_server = self.from_client = 0
        self.finished = False
        self.data = b""  # what the server sent


def sessions(capture, port):
    """All TCP connections to the guest's port, in order of their SYN."""
    found, newest = [], {}
    for frame in frames(capture):
        if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        header = 14 + (frame[14] & 15) * 4
        total = struct.unpack_from(">H", frame, 16)[0]
        source, target = struct.unpack_from(">HH", frame, header)
        flags = frame[header + 13]
        if target == port:
            key = frame[26:30], source
            if flags & 0x12 == 0x02 and (key not in newest or
                                         newest[key].finished):
                newest[key] = Session()
                found.append(newest[key])
            if key in newest:
                newest[key].from_client += 1
        elif source == port and (frame[30:34], target) in newest:
            session = newest[frame[30:34], target]
            session.from_server += 1
            session.finished |= bool(flags & 5)
            offset = header + (frame[header + 12] >> 4) * 4
            session.data += frame[offset:14 + total]
    return found


def frames(capture):
    with open(capture, "rb") as file:
        content = file.read()
    at = 24
    while at + 16 <= len(content):
        length = struct.unpack_from("<I", content, at + 8)[0]
        yield content[at + 16:at + 16 + length]
        at += 16 + length
