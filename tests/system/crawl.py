"""What a person can reach in the web server, found as a browser finds it: links
are followed, and of every form each button with all fields is something that
can be sent. For tests that change each field of each of them.

A Person has cookies and one kept connection. crawl() gives Targets: requests
that can be sent as they are or with another value in one place: a field of the
query or of the form, or a number in the path. Pages that differ in numbers
only are of one shape, and two of each are looked at.
"""
import email.message
import email.policy
import html.parser
import http.client
import re
import urllib.parse

URLENCODED = "application/x-www-form-urlencoded"
BOUNDARY = "barepost-boundary"


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.fields = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def field(self, name):
        return self.fields.get(name, "")


class Person:
    """user: None for nobody; else he logs in."""

    def __init__(self, address, user=None, password=None):
        self.address, self.user = address, user
        self.connection = http.client.HTTPConnection(*address, timeout=150)
        self.cookie, self.csrf = "", ""
        if user:
            self.log_in(user, password or user + "-demo")

    def log_in(self, user, password):
        answer = self.ask("POST", "/login", urllib.parse.urlencode(
            {"user": user, "password": password}), URLENCODED)
        assert answer.status == 303 and answer.field("Set-Cookie"), answer.text
        self.cookie = answer.field("Set-Cookie").split(";")[0]
        self.csrf = [form.value("csrf") for form in
                     forms_of(self.get("/menu").text) if form.value("csrf")][0]
        assert self.here(), f"{user} is not logged in"

    def ask(self, method, path, body=None, content_type=None, **more):
        head = {name.replace("_", "-"): value for name, value in more.items()}
        if self.cookie:
            head["Cookie"] = self.cookie
        if content_type:
            head["Content-Type"] = content_type
        try:
            self.connection.request(method, path, body, head)
            return Answer(self.connection.getresponse())
        except (http.client.RemoteDisconnected, BrokenPipeError):
            # Closed meanwhile, as a kept connection may be.
            self.connection.close()
            self.connection.request(method, path, body, head)
            return Answer(self.connection.getresponse())

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, fields, csrf=True):
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        if csrf:
            pairs.insert(0, ("csrf", self.csrf))
        return self.ask("POST", path, urllib.parse.urlencode(pairs), URLENCODED)

    def here(self):
        """Whether the login still holds."""
        return self.get("/help").status == 200


# ---- Pages -----------------------------------------------------------------------

class Form:
    def __init__(self, attributes):
        self.method = attributes.get("method", "get").upper()
        self.action = attributes.get("action", "")
        self.multipart = "multipart" in attributes.get("enctype", "")
        self.fields = []   # [name, value]
        self.buttons = []  # (name, value)
        self.files = []    # (name, "")

    def value(self, name):
        return dict(map(tuple, self.fields)).get(name, "")


class Reader(html.parser.HTMLParser):
    """Links and forms of a page."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.links, self.forms = [], []
        self.form = self.text = self.choice = None

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "iframe":
            self.links.append(given.get("src", ""))
        elif tag == "form":
            self.form = Form(given)
            self.forms.append(self.form)
        elif self.form and given.get("name"):
            self._control(tag, given, given["name"])
        elif tag == "option" and self.choice:
            if self.choice[1] is None or "selected" in given:
                self.choice[1] = given.get("value", "")

    def _control(self, tag, given, name):
        if tag == "button":
            self.form.buttons.append((name, given.get("value", "")))
        elif tag == "input" and given.get("type") == "file":
            self.form.files.append((name, ""))
        elif tag == "input" and given.get("type") == "checkbox" and \
                self.form.value(name):
            pass  # one message of a list is enough
        elif tag == "input":
            self.form.fields.append([name, given.get("value", "")])
        elif tag == "textarea":
            self.text = [name, ""]
            self.form.fields.append(self.text)
        elif tag == "select":
            self.choice = [name, None]
            self.form.fields.append(self.choice)

    def handle_data(self, data):
        if self.text:
            self.text[1] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.form = None
        elif tag == "textarea" and self.text:
            self.text[1] = self.text[1].removeprefix("\n")
            self.text = None
        elif tag == "select":
            self.choice = None


def read(text):
    reader = Reader()
    reader.feed(text)
    return reader


def forms_of(text):
    return read(text).forms


# ---- What can be sent --------------------------------------------------------------

# It has no field, and waits for name servers that tests do not have.
AVOIDED = "/admin/first"

# For fields that are empty in their form: what gets past the first check.
PLAUSIBLE = {
    "/login user": "bert", "/login password": "bert-demo",
    "/sql text": "select 1;", "password": "a good password",
    "old": "not the old one", "new": "a good password",
    "again": "a good password", "to": "bert",
    "subject": "Some subject", "text": "Some text.", "name": "some-name",
    "alias": "some-alias", "domain": "some.example", "pattern": "no such words",
    "q": "some", "find": "web", "failed": "wrong", "next": "/mail",
    "full_name": "Some One", "signature": "Some One", "size": "10M",
}


class Target:
    """A request: path without query, fields as pairs; files as pairs of field
    and file name, "" for none."""

    def __init__(self, method, path, pairs, multipart=False, files=()):
        self.method, self.path, self.multipart = method, path, multipart
        self.pairs = [(name, value or PLAUSIBLE.get(
            f"{path} {name}", PLAUSIBLE.get(name, ""))) for name, value in pairs]
        self.files = list(files)

    @property
    def shape(self):
        """What it has in common with those that differ in values only."""
        button = [pair[1] for pair in self.pairs if pair[0] == "do"]
        return (self.method, re.sub(r"\d+", "N", self.path), *button,
                *dict.fromkeys(name for name, _ in self.pairs))

    def __str__(self):
        return " ".join(self.shape)

    @property
    def places(self):
        """Where another value can stand: names of fields, and numbers of the
        path as "/0", "/1"."""
        names = list(dict.fromkeys(name for name, _ in self.pairs))
        count = len(re.findall(r"\d+", self.path))
        return names + [f"/{number}" for number in range(count)] + \
            [name for name, _ in self.files]

    def changed(self, place, value):
        """The same with that value there."""
        if place.startswith("/"):
            return self._changed_path(int(place[1:]), value)
        pairs = [(name, value if name == place else old)
                 for name, old in self.pairs]
        return Target(self.method, self.path, pairs, self.multipart,
                      [(name, value if name == place else old)
                       for name, old in self.files])

    def _changed_path(self, number, value):
        found = list(re.finditer(r"\d+", self.path))[number]
        path = self.path[:found.start()] + urllib.parse.quote(value, safe="") \
            + self.path[found.end():]
        return Target(self.method, path, self.pairs, self.multipart,
                      self.files)

    def send(self, person):
        """As that person, with his token where there is one."""
        pairs = [(name, person.csrf if name == "csrf" else value)
                 for name, value in self.pairs]
        if self.method == "GET":
            query = urllib.parse.urlencode(pairs)
            return person.get(self.path + ("?" + query if query else ""))
        if self.multipart:
            return person.ask("POST", self.path, self.parts(pairs),
                              f"multipart/form-data; boundary={BOUNDARY}")
        return person.ask("POST", self.path, urllib.parse.urlencode(pairs),
                          URLENCODED)

    def parts(self, pairs):
        parts = [(f'form-data; name="{name}"', value) for name, value in pairs]
        for name, file_name in self.files:
            if file_name:
                parts.append((f'form-data; name="{name}"; filename="'
                              + file_name.replace('"', "%22")
                              + '"\r\nContent-Type: text/plain', "content"))
        return "".join(
            f"--{BOUNDARY}\r\nContent-Disposition: {head}\r\n\r\n{value}\r\n"
            for head, value in parts).encode() + f"--{BOUNDARY}--\r\n".encode()


def targets_of_form(form, page):
    action = urllib.parse.urlsplit(urllib.parse.urljoin(page, form.action))
    for button in form.buttons or [None]:
        # The button before the fields, as the server may read these late.
        pairs = urllib.parse.parse_qsl(action.query, True)
        pairs += [pair for pair in form.fields if pair[0] == "csrf"]
        pairs += [button] if button else []
        pairs += [pair for pair in form.fields if pair[0] != "csrf"]
        yield Target(form.method, action.path, pairs, form.multipart,
                     form.files)


def target_of_link(link):
    parts = urllib.parse.urlsplit(link)
    return Target("GET", parts.path,
                  urllib.parse.parse_qsl(parts.query, True))


def crawl(person, *starts, of_a_shape=2):
    """All Targets that can be found from there, the logout's but not sent."""
    waiting, seen, found = list(starts), {}, []

    def add(target):
        """Whether it is one more of its shape that is wanted."""
        place = (target.path, *map(tuple, target.pairs))
        known = seen.setdefault(target.shape, [])
        if place in known or len(known) >= of_a_shape:
            return False
        known.append(place)
        found.append(target)
        return True

    while waiting:
        page = waiting.pop(0)
        if page == AVOIDED or not add(target_of_link(page)):
            continue
        answer = person.get(page)
        while answer.status == 303:
            page = answer.field("Location")
            answer = person.get(page)
        if not answer.field("Content-Type").startswith("text/html"):
            continue
        reader = read(answer.text)
        for link in reader.links:
            link = urllib.parse.urljoin(page, link.split("#")[0])
            if link.startswith("/") and not link.startswith("//"):
                waiting.append(link)
        for form in reader.forms:
            if form.action:
                for target in targets_of_form(form, page):
                    add(target)
    return found


# ---- A site with something of everything ---------------------------------------------

def letter(subject, sender, recipient, answers="", secret=""):
    """With HTML, a picture in it, and a file."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = \
        sender, recipient, subject
    message["Message-ID"] = f"<{subject.replace(' ', '-')}@x.example>"
    if answers:
        message["In-Reply-To"] = answers
    message.set_content(f"Hello.\n{secret}\n")
    message.add_alternative(f'<p>Hello <b>{secret}</b><img src="cid:p">',
                            subtype="html")
    message.get_payload()[1].add_related(b"GIF89a", "image", "gif", cid="<p>")
    message.add_attachment(b"x," + secret.encode(), "text", "csv",
                           filename=f"table {secret}.csv")
    return message.as_bytes(policy=email.policy.SMTP)


def furnish(person, deliver, domain, secret=""):
    """Mail, a conversation, a draft, a folder, a rule, an address and, if he
    may, a shared file. secret: a word that stands in all that is his alone.
    deliver(recipient, message): by SMTP."""
    own = f"{person.user}@{domain}"
    deliver(own, letter(f"First {secret}", "x@x.example", own, secret=secret))
    deliver(own, letter(f"Second {secret}", "x@x.example", own,
                        f"<First-{secret}@x.example>", secret))
    person.post("/folders", {"do": "make", "name": f"Folder {secret}"})
    person.post("/settings/rules", {"do": "add", "field": "subject",
                                    "pattern": f"rule {secret}", "flag": "1"})
    person.post("/settings", {"do": "you", "name": f"{person.user} Name",
                              "signature": f"Sincerely {secret}"})
    for what, to in (("send", f"{secret}@elsewhere.example"), ("save", "bert")):
        answer = person.post("/compose", {
            "do": what, "from": own, "to": to, "subject": f"{what} {secret}",
            "text": f"Text {secret}"})
        assert answer.status == 303, answer.text
    Target("POST", "/files", [("csrf", "")], True,
           [("file", "shared.txt")]).send(person)
    # By then the index has all of it, and pages show conversations.
    assert person.get(f"/search?q={secret}").status == 200
