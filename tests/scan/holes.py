"""A web server with holes, on the loopback: the control of `make scan`. What a
tool does not find here it would not find in Barepost either.

Its pages answer only with the cookie of its login. Nothing of this computer can
be read or run through it: files and commands are pretended.
"""
import html
import http.server
import posixpath
import re
import sqlite3
import threading
import urllib.parse

COOKIE = "barepost=0123456789abcdef0123456789abcdef"

INDEX = """<!doctype html><title>Holes</title>
<a href="/item?id=1">item</a> <a href="/hello?name=you">hello</a>
<a href="/go?to=/notes">go</a> <a href="/lang?set=en">language</a>
<a href="/file?name=motd">file</a> <a href="/run?host=a">run</a>
<a href="/notes">notes</a> <a href="/page.html">page</a>
<form method="post" action="/login"><input name="name" value="anna">
<input name="word" value="x"><input type="submit"></form>
<form method="post" action="/note"><input name="text" value="x">
<input type="submit"></form>"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, content, status=200, fields=()):
        body = content.encode("utf-8", "replace")
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}",
                "Content-Type: text/html; charset=utf-8", *fields]
        # As they are: header fields are one of the holes.
        self.wfile.write("\r\n".join(head).encode("utf-8", "replace")
                         + b"\r\n\r\n" + body)

    def handle_request(self, fields):
        path = urllib.parse.urlsplit(self.path).path
        if self.headers.get("Cookie") != COOKIE:
            self.answer("log in first", 403)
            return
        page = self.server.pages.get(path)
        if page:
            page(self, {name: values[0] for name, values in fields.items()})
        else:
            self.answer("no such page", 404)

    def do_GET(self):
        query = urllib.parse.urlsplit(self.path).query
        self.handle_request(urllib.parse.parse_qs(query, True))

    do_OPTIONS = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.handle_request(urllib.parse.parse_qs(body.decode("utf-8",
                                                              "replace"), True))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.database.executescript(
            "CREATE TABLE item(id, name); INSERT INTO item VALUES(1,'one');"
            "CREATE TABLE user(name, word); INSERT INTO user VALUES('anna',1);")
        self.lock = threading.Lock()
        self.notes = []
        self.pages = {
            "/": lambda x, f: x.answer(INDEX), "/item": self.item,
            "/login": self.login, "/note": self.note, "/notes": self.show_notes,
            "/hello": lambda x, f: x.answer("Hello, " + f.get("name", "")),
            "/go": lambda x, f: x.answer("", 302, [
                "Location: " + f.get("to", "/")]),
            # Decoded once more, as some do, and as wapiti tries it.
            "/lang": lambda x, f: x.answer("", 200, [
                "X-Language: " + urllib.parse.unquote(f.get("set", ""))]),
            "/file": self.file, "/run": self.run,
            "/page.html": lambda x, f: x.answer("<p>A page."),
            "/page.html.bak": lambda x, f: x.answer("<p>An older page."),
        }

    def query(self, sql):
        with self.lock:
            try:
                return self.database.execute(sql).fetchall(), ""
            except sqlite3.Error as error:
                return [], f"sqlite3.{type(error).__name__}: {error}"

    def item(self, x, fields):
        rows, error = self.query("SELECT name FROM item WHERE id="
                                 + fields.get("id", "0"))
        x.answer("".join(f"<p>{html.escape(str(row[0]))}" for row in rows)
                 + html.escape(error))

    def login(self, x, fields):
        rows, _ = self.query("SELECT name FROM user WHERE name='%s'"
                             % fields.get("name", ""))
        x.answer("<p>welcome" if rows else "<p>there is nobody of that name")

    def note(self, x, fields):
        self.notes[:] = self.notes[-20:] + [fields.get("text", "")]
        x.answer("<p>kept")

    def show_notes(self, x, _):
        x.answer("".join(f"<p>{note}" for note in self.notes))

    @staticmethod
    def file(x, fields):
        path = posixpath.normpath(posixpath.join("/srv", fields.get("name", "")))
        x.answer("root:x:0:0:root:/root:/bin/bash\n"
                 if path.split("\0")[0] == "/etc/passwd" else "no such file")

    @staticmethod
    def run(x, fields):
        x.answer("PATH=/usr/bin\nPWD=/\n"
                 if re.search(r"[;|&`\n]\s*(/usr/bin/)?env\b",
                              fields.get("host", "")) else "done")


class Holes:
    """The server while a `with` lasts."""

    def __enter__(self):
        self.server = Server()
        self.address = self.server.server_address
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
