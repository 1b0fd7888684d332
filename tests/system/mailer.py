"""A browser without a screen: curl with a cookie jar, forms and their tokens."""
import html
import http.client
import json
import os
import re
import subprocess
import urllib.parse


def quote(text):
    return urllib.parse.quote(text, safe="")


class Page:
    def __init__(self, status, head, body, url):
        self.status, self.head, self.body, self.url = status, head, body, url

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    def field(self, name):
        """A field of the head, "" when there is none."""
        found = re.findall(rf"(?im)^{re.escape(name)}:[ \t]*(.*?)\r?$",
                           self.head)
        return found[-1] if found else ""

    def values(self, pattern):
        return [html.unescape(each) for each in re.findall(pattern, self.text)]

    def hidden(self, name):
        """The value of the first hidden field of that name."""
        return self.values(rf'name="{name}" value="([^"]*)"')[0]


class Web:
    """One person's browser."""

    def __init__(self, folder, address, user=None, password=None):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        self.base = "http://%s:%d" % address
        self.jar = os.path.join(folder, "cookies")
        self.csrf = ""
        self.kept = None
        if user:
            self.log_in(user, password or user + "-demo")

    def fetch(self, path, *options, follow=True, limit_s=60):
        head = os.path.join(self.folder, "head")
        body = os.path.join(self.folder, "body")
        command = ["curl", "-sS", "-D", head, "-o", body, "-b", self.jar,
                   "-c", self.jar, "--max-time", str(limit_s), "--path-as-is",
                   "-w", "%{http_code} %{url_effective}", *options]
        if follow:
            command.append("-L")
        done = subprocess.run(command + [self.base + path],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=limit_s + 10)
        assert done.returncode == 0, f"curl {path}: {done.stderr}"
        status, url = done.stdout.split(" ", 1)
        with open(head, encoding="latin-1") as file:
            heads = file.read()
        content = b""
        if os.path.exists(body):
            with open(body, "rb") as file:
                content = file.read()
            os.unlink(body)
        return Page(int(status), heads, content, url)

    def get(self, path, *options, **more):
        page = self.fetch(path, *options, **more)
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        if token:
            self.csrf = token[1]
        return page

    def post(self, path, fields, files=(), csrf=True, multipart=False, **more):
        """fields: a dict, or pairs; files: paths."""
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        if csrf:
            pairs.insert(0, ("csrf", self.csrf))
        options = []
        for name, value in pairs:
            if multipart or files:
                path_of = os.path.join(self.folder, f"field{len(options)}")
                with open(path_of, "w", encoding="utf-8", newline="") as file:
                    file.write(str(value))
                options += ["-F", f"{name}=<{path_of}"]
            else:
                options += ["--data-urlencode", f"{name}={value}"]
        for file in files:
            options += ["-F", f"file=@{file}"]
        return self.fetch(path, *options, **more)

    def log_in(self, user, password):
        self.post("/login", {"user": user, "password": password}, csrf=False)
        page = self.get("/mail")
        assert page.status == 200 and user in page.text, page.text[:2000]
        return page

    def listed(self, path="/mail"):
        """[(key, subject line)] of a list, newest first."""
        page = self.get(path)
        assert page.status == 200, page.text
        return list(zip(page.values(r'name="m"\s+value="([^"]*)"'),
                        page.values(r'Select: ([^<]*)</span>')))

    def quick(self, path, fields=None):
        """The same without curl and without following: one request after the
        other on one connection. fields: those of a form, with its token."""
        if self.kept is None:
            self.kept = http.client.HTTPConnection(
                *self.base[len("http://"):].split(":"), timeout=60)
        with open(self.jar, encoding="ascii") as file:
            cookie = re.search(r"\tbarepost\t(\w+)", file.read())[1]
        head = {"Cookie": "barepost=" + cookie}
        body = None
        if fields is not None:
            body = urllib.parse.urlencode([("csrf", self.csrf)] + fields)
            head["Content-Type"] = "application/x-www-form-urlencoded"
        self.kept.request("GET" if fields is None else "POST", path, body, head)
        answer = self.kept.getresponse()
        return Page(answer.status, str(answer.headers), answer.read(), path)

    def values_of(self, path, pattern):
        return self.get(path).values(pattern)

    def compose(self, files=(), do="send", **fields):
        """Fills in the form and presses a button."""
        form = self.get("/compose")
        sender = form.values(r'name="from" type="text" value="([^"]*)"')[0]
        text = fields.pop("text", "")
        pairs = list({"do": do, "from": sender, **fields}.items())
        return self.post("/compose", pairs + [("text", text)], files=files,
                         multipart=True)


class Composition:
    """A form of /compose, and what is done with it by hand or by its script."""

    def __init__(self, browser, forward=None, **fields):
        self.browser = browser
        self.form = form = browser.get(
            "/compose?forward=" + forward if forward else "/compose")
        self.fields = {"from": form.values(
            r'name="from" type="text" value="([^"]*)"')[0], "origin":
            form.hidden("origin"), "answer": form.hidden("answer"),
            "zone": "0", "compose": form.hidden("compose"), "draft": "",
            "source": form.hidden("source"), **fields}
        self.keep = []
        self.draft_path = browser.values_of(
            "/menu", r'href="(/mail/\d+)" data-key="gd"')[0]

    def _pairs(self, changes):
        return list({**self.fields, **changes}.items()) + \
            [("keep", each) for each in self.keep]

    def autosave(self, **changes):
        """As the script does; changes: what it does not know yet."""
        page = self.browser.post("/draft", self._pairs(changes),
                                 multipart=True)
        assert page.status == 200, page.text
        return page.json

    def take(self, told):
        self.fields["draft"] = told["draft"]

    def press(self, button, files=()):
        page = self.browser.post("/compose", [("do", button)] + self._pairs({}),
                                 files=files, multipart=True)
        if page.values(r'name="source" value="([^"]*)"'):
            for name in ("draft", "source", "compose"):
                self.fields[name] = page.hidden(name)
            self.keep = page.values(r'name="keep" value="(\d+)"')
            self.text = page.values(r"(?s)<textarea[^>]*>\n(.*?)</textarea>")[0]
        return page

    def drafts(self):
        return [key for key, line in self.browser.listed(self.draft_path)
                if self.fields["subject"] in line]
