"""Clients of the web server: raw sockets, and curl with a jar of cookies."""
import os
import re
import socket
import subprocess


class Raw:
    """A connection that says whatever a test wants."""

    def __init__(self, address, limit_s=30):
        self.socket = socket.create_connection(address, limit_s)
        self.socket.settimeout(limit_s)
        self.kept = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes)
                            else data.encode("latin-1"))
        return self

    def _fill(self):
        data = self.socket.recv(65536)
        self.kept += data
        return data

    def _take(self, count):
        while len(self.kept) < count and self._fill():
            pass
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken

    def _line(self):
        while b"\r\n" not in self.kept and self._fill():
            pass
        line, _, self.kept = self.kept.partition(b"\r\n")
        return line.decode("latin-1")

    def _chunks(self):
        content = b""
        while True:
            size = int(self._line(), 16)
            content += self._take(size)
            assert self._line() == ""
            if size == 0:
                return content

    def answer(self, head=False):
        """The next one: (status, {field: value}, content); 0 when the server
        has closed."""
        first = self._line()
        if not first:
            return 0, {}, b""
        assert re.fullmatch(r"HTTP/1\.1 \d{3} .*", first), first
        status, fields = int(first[9:12]), {}
        while True:
            line = self._line()
            if not line:
                break
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        if head or status in (100, 204, 304):
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, self._chunks()
        return status, fields, self._take(int(fields["content-length"]))

    def closed(self):
        """Whether nothing more comes, and the server closes."""
        return self._fill() == b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Curl:
    """curl with cookies of its own; each call gives (status, content)."""

    def __init__(self, address, folder):
        self.base = "http://%s:%d" % address
        self.jar = os.path.join(folder, "cookies")
        self.head = os.path.join(folder, "head")
        self.body = os.path.join(folder, "body")

    def __call__(self, path, *options, limit_s=60):
        done = subprocess.run(
            ["curl", "-sS", "-b", self.jar, "-c", self.jar, "-D", self.head,
             "-o", self.body, "-w", "%{http_code}", *options,
             self.base + path], stdin=subprocess.DEVNULL, timeout=limit_s,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr.decode()
        content = b""
        if os.path.exists(self.body):
            with open(self.body, "rb") as body:
                content = body.read()
            os.unlink(self.body)
        return int(done.stdout), content

    def field(self, name):
        """Of the last answer's head."""
        with open(self.head, encoding="latin-1") as head:
            found = re.findall(rf"^{name}: (.*?)\r?$", head.read(), re.M | re.I)
        return found[-1] if found else None

    def log_in(self, user, password):
        status, _ = self("/login", "-d", f"user={user}", "-d",
                         f"password={password}")
        return status == 303 and "failed" not in self.field("location")

    def token(self, path):
        """The CSRF token of a page's form."""
        _, content = self(path)
        return re.search(rb'name="csrf" value="([0-9a-f]{32})"',
                         content)[1].decode()
