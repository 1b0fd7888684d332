"""A mail server that says what a test wants: greylisting, refusals, silence,
a connection cut in the middle of a message.

Script(address, **answers) listens at once, on port 25 unless another one is
given (0: any, see .port). answers names a list for any of
connect, ehlo, helo, mail, rcpt, data, body, rset and quit (body: after the
message). Each time that point is reached, the list's next item is used, the
last one for ever; without a list the answer is the usual one. An item is
    "450 4.2.0 later"  a reply (a line, or several parted by "\\n")
    CUT                the connection is reset
    Cut(n)             for data: go ahead, then reset it after n octets
    HANG               nothing is said any more; the connection stays open
    Slow(seconds)      the usual reply, one octet after the other, each so late
    a function         called with the command line, gives one of these

What came is kept: sessions, each a list of command lines, and messages.
"""
import re
import socket
import struct
import threading
import time

EXTENSIONS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "DSN",
              "ENHANCEDSTATUSCODES", "SMTPUTF8")
CUT, HANG = object(), object()
USUAL = {"connect": "220 {name} ESMTP", "helo": "250 {name}",
         "mail": "250 2.1.0 ok", "rcpt": "250 2.1.5 ok",
         "data": "354 go ahead", "body": "250 2.0.0 taken",
         "rset": "250 2.0.0 ok", "noop": "250 2.0.0 ok",
         "quit": "221 2.0.0 bye"}


class Cut:
    def __init__(self, octets):
        self.octets = octets


class Slow:
    def __init__(self, seconds):
        self.seconds = seconds


class Gone(Exception):
    """The connection is over."""


class Message:
    """One that was taken: its envelope as command lines, its bytes unstuffed
    with CRLF line ends, the time (monotonic) of its end, its session."""

    def __init__(self, session, envelope, content):
        self.session = session
        self.mail, self.rcpts = envelope[0], envelope[1:]
        self.content = content
        self.time = time.monotonic()


class Script:
    def __init__(self, address, name="scripted.example", extensions=EXTENSIONS,
                 port=25, **answers):
        self.name, self.extensions = name, extensions
        self.answers = answers
        self.sessions, self.times, self.messages = [], [], []
        self.raw = []  # what came between DATA and the dot, as on the wire
        self.changed = threading.Condition()
        self.open = []
        self.listener = socket.create_server((address, port), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    # -- What a test asks --

    def wait(self, look, what, limit_s=60):
        """Waits until look() gives something true, and gives it."""
        with self.changed:
            found = self.changed.wait_for(look, limit_s)
            assert found, f"{self.name}: no {what}; sessions: {self.sessions}"
            return found

    def wait_sessions(self, count, limit_s=60):
        self.wait(lambda: len(self.sessions) >= count,
                  f"{count} sessions", limit_s)

    def wait_message(self, holds, limit_s=60):
        return self.wait(lambda: next(
            (one for one in self.messages if holds in one.content), None),
            f"message with {holds!r}", limit_s)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            reset(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- The server --

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        session = []
        with self.changed:
            self.sessions.append(session)
            self.times.append(time.monotonic())
            self.changed.notify_all()
        try:
            with connection, connection.makefile("rb") as lines:
                self._dialogue(connection, lines, session)
        except (Gone, OSError, ValueError):
            pass
        self.open.remove(connection)

    def _dialogue(self, connection, lines, session):
        self._answer(connection, "connect", b"")
        envelope = []
        while line := lines.readline():
            text = line.rstrip(b"\r\n").decode("utf-8", "replace")
            with self.changed:
                session.append(text)
                self.changed.notify_all()
            verb = text[:4].lower()
            said = self._answer(connection, verb, text)
            if verb == "mail" and said.startswith("2"):
                envelope = [text]
            elif verb == "rcpt" and said.startswith("2"):
                envelope.append(text)
            elif verb == "data" and said.startswith("3"):
                self._take(connection, lines, session, envelope)
                envelope = []
            elif verb in ("rset", "ehlo", "helo"):
                envelope = []
            elif verb == "quit":
                return

    def _take(self, connection, lines, session, envelope):
        cut = self.cut_after
        self.cut_after = None
        raw = b""
        while (line := lines.readline()) != b".\r\n":
            if not line:
                raise Gone
            raw += line
            if cut is not None and len(raw) >= cut:
                reset(connection)
                raise Gone
        said = self._answer(connection, "body", "")
        with self.changed:
            self.raw.append(raw)
            if said.startswith("2"):
                self.messages.append(Message(
                    session, envelope, re.sub(rb"(?m)^\.", b"", raw)))
            self.changed.notify_all()

    cut_after = None

    def _next(self, point, text):
        items = self.answers.get(point)
        if not items:
            return None
        item = items.pop(0) if len(items) > 1 else items[0]
        return item(text) if callable(item) else item

    def _answer(self, connection, point, text):
        """Says what is to be said; gives it."""
        with self.changed:
            item = self._next(point, text)
        if item is CUT:
            reset(connection)
            raise Gone
        if item is HANG:
            while connection.recv(65536):
                pass
            raise Gone
        if isinstance(item, Cut):
            self.cut_after = item.octets
        reply = item if isinstance(item, str) else self._usual(point)
        wire = form(reply)
        if isinstance(item, Slow):
            for octet in wire:
                time.sleep(item.seconds)
                connection.sendall(bytes([octet]))
        else:
            connection.sendall(wire)
        return reply

    def _usual(self, point):
        if point == "ehlo":
            return "250 " + "\n".join((self.name, *self.extensions))
        return USUAL.get(point, "500 5.5.1 what?").format(name=self.name)


def form(reply):
    """"250 a\\nb" as the lines of the wire."""
    code, texts = reply[:3], reply[4:].split("\n")
    return "".join(
        f"{code}{' ' if number == len(texts) else '-'}{text}\r\n"
        for number, text in enumerate(texts, 1)).encode()


def reset(connection):
    """Ends it with RST: whatever is on its way is lost."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        pass
