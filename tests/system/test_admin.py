"""The administrator's pages and the query page, as a browser without scripts
uses them; the counters as Prometheus reads them."""
import html
import http.client
import json
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.parse

import pytest

import mail
import stick
import web
from conftest import Booted

SLOW = ("with n(i) as (values(1) union all select i+1 from n)"
        " select count(*) from n;")


class Browser:
    """One person's: cookies, forms with their token, redirections."""

    def __init__(self, address, user=None):
        self.address, self.cookies, self.csrf = address, {}, ""
        if user:
            page = self.post("/login", {"user": user,
                                        "password": user + "-demo",
                                        "next": "/metrics"})
            assert page.status == 200, page.text

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value
                                          in self.cookies.items())
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        reply.text = reply.read().decode("utf-8", "replace")
        for field in reply.headers.get_all("Set-Cookie") or ():
            name, value = field.split(";")[0].split("=", 1)
            self.cookies[name] = value
        connection.close()
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', reply.text)
        if token:
            self.csrf = token[1]
        if reply.status == 303:
            return self.get(reply.headers["Location"])
        return reply

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, fields, **headers):
        pairs = [("csrf", self.csrf)] + list(
            fields.items() if isinstance(fields, dict) else fields)
        return self.ask("POST", path, urllib.parse.urlencode(pairs), **{
            "Content-Type": "application/x-www-form-urlencoded", **headers})

    def query(self, text, file=None, **fields):
        """The form of the query page, as a browser sends it."""
        fields = {"csrf": self.csrf, "text": text, **fields}
        parts = [f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n'
                 f"\r\n{value}\r\n" for name, value in fields.items()]
        if file is not None:
            parts.append('--xyz\r\nContent-Disposition: form-data; name="file"'
                         '; filename="q.sql"\r\nContent-Type: text/plain\r\n'
                         f"\r\n{file}\r\n")
        return self.ask("POST", "/sql", "".join(parts) + "--xyz--\r\n", **{
            "Content-Type": "multipart/form-data; boundary=xyz"})


def cells(page):
    """Rows of the tables of a page, as lists of text."""
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in
             re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)]
            for row in re.findall(r"<tr>(.*?)</tr>", page.text, re.S)]


def note(page):
    return html.unescape(" ".join(re.findall(
        r'<p class="note[^>]*>(.*?)</p>', page.text)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("admin"))
    image = stick.make(folder + "/stick.img")
    machine = Booted(folder, image, forward=(25, 110, 80)).run()
    machine.http = machine.machine.address(80)
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def anna(server):
    browser = Browser(server.http, "anna")
    assert "<h1>DB query</h1>" in browser.get("/sql").text
    return browser


def test_query(anna):
    """A statement typed: read-only, then with the switch; errors with their
    place; the fence."""
    page = anna.query("create table t(a, b);")
    assert page.status == 200 and "read-only" in note(page)
    page = anna.query("create table t(a, b);\ninsert into t values"
                      "(1,'<b>x</b>'),(2,null);\nselect * from t;", write="1")
    assert ["1", "<b>x</b>"] in cells(page) and ["2", "NULL"] in cells(page)
    assert "3 statements, 2 rows, 2 changed" in page.text and " ms" in page.text
    page = anna.query("select *\n  frm t;")
    assert "Line 2, column 3: near" in note(page)
    for hostile in ("attach 'mail.db' as m;", "pragma journal_mode=off;",
                    "select load_extension('x');", "vacuum;",
                    ".read t1.sql", ".use mail"):
        assert note(anna.query(hostile, write="1")), hostile
    page = anna.query("select * from t;", database="data-99")
    assert "no data-99.db" in note(page)
    # Browsers take away one line end behind <textarea>.
    page = anna.query("\nselect 1;")
    assert re.search(r"<textarea[^>]*>\n\nselect 1;</textarea>", page.text)
    page = anna.query("select '</textarea><script>alert(1)</script>' as x;")
    assert "<script>" not in page.text


def test_mail_db_is_read_only_and_keeps_secrets(anna, server):
    mail.send_one(server.smtp, "anna@" + stick.DOMAIN,
                  b"Subject: for the query\r\n\r\nbody\r\n")
    page = anna.query("select Receiver, Subject from mail;", database="mail")
    assert ["anna", "for the query"] in cells(page)
    page = anna.query("select * from user;", database="mail", write="1")
    assert "argon2" not in page.text and "Anna Example" in page.text
    page = anna.query("delete from message;", database="mail", write="1")
    assert "can be read here, not written" in note(page)


def test_attached_file_as_in_the_paper(anna):
    """Fig. 9: a script with dot-commands comes as an attachment."""
    script = ("CREATE TABLE mail (MailID varchar(4),\nSender varchar(255),\n"
              "Receiver varchar(255) default NULL);\n"
              "insert into mail values ('0001', 'bpc0002', 'bpc0001');\n"
              ".tables\nselect * from mail;\n")
    page = anna.query("", file=script, write="1")
    assert ["0001", "bpc0002", "bpc0001"] in cells(page)
    assert ["MailID", "Sender", "Receiver"] in cells(page)
    big = "select 1;\n" * 100000
    assert anna.query("", file=big).status in (413, 200)
    assert anna.query("drop table mail;", write="1").status == 200


def test_downloads(anna):
    text = "select 1 as a, 'x,\"y\"' as b union all select 2, null;"
    page = anna.query(text, form="csv")
    assert page.headers["Content-Type"].startswith("text/csv")
    assert "query.csv" in page.headers["Content-Disposition"]
    assert page.text == 'a,b\r\n1,"x,""y"""\r\n2,\r\n'
    page = anna.query(text + "select 3 as c;", form="json")
    answer = json.loads(page.text)
    assert answer["results"] == [
        {"columns": ["a", "b"], "rows": [[1, 'x,"y"'], [2, None]]},
        {"columns": ["c"], "rows": [[3]]}]
    assert answer["error"] is None and answer["rows"] == 3
    page = anna.query("selekt 1;", form="json")
    assert page.status == 400 and json.loads(page.text)["column"] == 1
    assert anna.query("selekt 1;", form="csv").status == 400


def test_limits(anna):
    page = anna.query("with n(i) as (values(1) union all select i+1 from n"
                      " limit 5000) select i from n;", rows="10")
    assert "more rows" in note(page) and "10 rows" in page.text
    page = anna.query(SLOW, seconds="1")
    assert "ended after 1 seconds" in note(page)


def test_interrupt_while_mail_goes_on(anna, server):
    other = Browser(server.http, "anna")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        anna.query(SLOW, seconds="60")))
    thread.start()
    for _ in range(200):
        page = other.get("/sql")
        found = re.search(r'name="id" value="(\d+)"', page.text)
        if found:
            break
        time.sleep(.05)
    assert found, "the running query is not listed"
    start = time.monotonic()
    mail.send_one(server.smtp, "anna@" + stick.DOMAIN,
                  b"Subject: meanwhile\r\n\r\nx\r\n")
    assert time.monotonic() - start < 5
    second = other.query("select 6*7 as n;")
    assert ["42"] in cells(second)
    other.post("/sql/stop", {"id": found[1]})
    thread.join(30)
    assert "interrupted" in note(answers[0])


def test_who_may(server, anna):
    bert = Browser(server.http, "bert")
    assert bert.get("/sql").status == 403
    for path in ("", "/users", "/user?id=1", "/domains", "/queue", "/log",
                 "/settings", "/first"):
        assert bert.get("/admin" + path).status == 403, path
    nobody = Browser(server.http)
    assert "/login" in nobody.ask("GET", "/admin").headers.get("Location", "")\
        or nobody.get("/admin").status in (200, 401, 403)
    forged = anna.ask("POST", "/admin/users", "name=evil&password=x", **{
        "Content-Type": "application/x-www-form-urlencoded"})
    assert forged.status == 403


def test_own_databases(tmp_path, boot):
    """Each user has one, made at the start; nobody but an administrator sees
    another's."""
    image = stick.make(str(tmp_path / "own.img"), "--set", "data_access=own")
    address = boot(image, forward=(25, 110, 80)).run().machine.address(80)
    bert = Browser(address, "bert")
    bert.get("/sql")
    page = bert.query("create table t(a); insert into t values(8);", write="1")
    assert not note(page), note(page)
    assert ["8"] in cells(bert.query("select a from t;"))
    anna = Browser(address, "anna")
    anna.get("/sql")
    assert "no such table" in note(anna.query("select a from t;"))
    listed = stick.run("mdir", "-b", "-i", image + stick.PARTITION, "::/")
    number = re.search(r"data-(\d+)\.db", listed)[1]
    assert len(set(re.findall(r"data-\d+\.db\b(?!-)", listed))) == 2
    seen = [cells(anna.query("select a from t;", database=f"data-{user}"))
            for user in (int(number), int(number) + 1)]
    assert ["8"] in seen[0] + seen[1]
    for name in ("mail", "data-1", "data-2", "../mail", "data-1; --"):
        assert note(bert.query("select 1;", database=name)), name


def test_shared_database(server, anna):
    """One for all users, as soon as the setting says so."""
    assert "Done." in note(anna.post("/admin/settings", {
        "key": "data_access", "value": "shared"}))
    bert = Browser(server.http, "bert")
    bert.get("/sql")
    page = bert.query("create table of_bert(a); insert into of_bert values(5);"
                      "select a from of_bert;", write="1")
    assert ["5"] in cells(page)
    assert "administrators" in note(bert.query("select 1;", database="mail"))
    assert "no database" in note(bert.query("select 1;", database="data-1"))
    assert ["5"] in cells(anna.query("select a from of_bert;"))
    anna.post("/admin/settings", {"key": "data_access", "value": ""})
    assert bert.get("/sql").status == 403


def test_users(server, anna):
    page = anna.post("/admin/users", {"name": "cleo", "password": "cleo-demo",
                                      "full_name": "Cleo <C>", "quota": "5"})
    assert "Done." in note(page)
    row = [row for row in cells(page) if row[0] == "cleo"][0]
    assert row[1] == "Cleo <C>" and row[4] == "5.0 MB"
    typed = anna.post("/admin/users", {
        "name": "cleo", "password": "x", "quota": "7", "full_name": "Typed &"})
    assert "taken" in note(typed) and 'value="Typed &amp;"' in typed.text
    assert 'value="cleo"' in typed.text and 'value="7"' in typed.text
    assert "not right" in note(anna.post("/admin/users", {
        "name": "dora", "password": "x", "quota": "10G"}))
    assert "not right" in note(anna.post("/admin/users", {
        "name": "a b", "password": "x", "quota": "0"}))
    link = re.search(r'id=(\d+)">cleo<', page.text)[1]
    page = anna.post("/admin/user", {"id": link, "do": "add",
                                     "alias": "sales", "address": ""})
    assert "Done." in note(page) and ["sales", "this user"] in [
        row[:2] for row in cells(page)]
    mail.send_one(server.smtp, "sales@" + stick.DOMAIN, b"Subject: s\r\n\r\n")
    assert len(mail.fetch_all(server.pop3, "cleo", "cleo-demo")) == 1
    page = anna.post("/admin/user", {"id": link, "do": "drop",
                                     "alias": "sales", "address": ""})
    assert "Done." in note(page) and "sales" not in page.text.split("<h2>")[0]
    anna.post("/admin/user", {"id": link, "do": "save", "full_name": "Cleo",
                              "password": "another", "quota": "0",
                              "enabled": "1"})
    assert mail.fetch_all(server.pop3, "cleo", "another")
    page = anna.post("/admin/user", {"id": link, "do": "save",
                                     "full_name": "Cleo", "quota": "0"})
    assert "disabled" in str(cells(anna.get("/admin/users")))
    with pytest.raises(Exception):
        mail.fetch_all(server.pop3, "cleo", "another")
    own = re.search(r'id=(\d+)">anna<', anna.get("/admin/users").text)[1]
    assert "not right" in note(anna.post("/admin/user", {
        "id": own, "do": "save", "quota": "0"}))


def test_domains(server, anna):
    page = anna.post("/admin/domains", {"do": "add", "domain": "more.example"})
    assert "Done." in note(page) and "more.example" in page.text
    mail.send_one(server.smtp, "anna@more.example", b"Subject: d\r\n\r\n")
    anna.post("/admin/domains", {"do": "save", "domain": "more.example",
                                 "size": "1K", "closed": "1"})
    reply = mail.send_one(server.smtp, "anna@more.example", b"Subject: d\r\n\r\n")
    assert reply[0] >= 500, reply
    page = anna.post("/admin/domains", {"do": "drop",
                                        "domain": "more.example"})
    assert "more.example" not in page.text
    assert "not right" in note(anna.post("/admin/domains", {
        "do": "add", "domain": "no domain"}))
    assert "not right" in note(anna.post("/admin/domains", {
        "do": "drop", "domain": stick.DOMAIN}))
    # So many that their list is long, and one of them less.
    many = [f"one-of-many-domains-{number}.example" for number in range(26)]
    for domain in many:
        page = anna.post("/admin/domains", {"do": "add", "domain": domain})
        assert "Done." in note(page), domain
    page = anna.post("/admin/domains", {"do": "drop", "domain": many[0]})
    assert "Done." in note(page)
    left = [row[0] for row in cells(page)][1:]
    assert left == [stick.DOMAIN] + many[1:]
    for domain in many[1:]:
        anna.post("/admin/domains", {"do": "drop", "domain": domain})


def test_pages(server, anna):
    for path, seen in (("/admin", "Messages made durable"),
                       ("/admin/queue", "recipients wait"),
                       ("/admin/log", "Log and trace"),
                       ("/admin/settings", "limit_connections"),
                       ("/admin/first", "v=spf1 mx -all")):
        page = anna.get(path)
        assert page.status == 200 and seen in page.text, path
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "style=" not in page.text
        assert "<script" not in page.text.replace('<script src="', "")
    assert "not right" in note(anna.post("/admin/settings", {
        "key": "queue_days", "value": "many"}))
    assert "not there" in note(anna.post("/admin/settings", {
        "key": "store_id", "value": "1"}))


def test_metrics(server, anna):
    """As Prometheus reads it: HELP and TYPE before, each name once."""
    page = Browser(server.http).get("/metrics")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    names, types = set(), set()
    for line in page.text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert kind in ("counter", "gauge") and name not in types
            assert (kind == "counter") == name.endswith("_total")
            types.add(name)
        elif not line.startswith("# HELP "):
            found = re.fullmatch(r'(barepost_[a-z0-9_]+)(\{[a-z]+="\w+"\})? '
                                 r"(\d+)", line)
            assert found and found[1] in types, line
            assert found[1] + str(found[2]) not in names, line
            names.add(found[1] + str(found[2]))
    assert len(types) > 50
    assert "anna" not in page.text
    with web.Raw(server.http) as raw:
        for host, status in (("10.0.2.15", 200), ("localhost:80", 200),
                             ("far.example", 421)):
            raw.send(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert raw.answer()[0] == status, host
    anna.post("/admin/settings", {"key": "metrics", "value": "admin"})
    assert Browser(server.http).get("/metrics").status == 403
    assert anna.get("/metrics").status == 200
    anna.post("/admin/settings", {"key": "metrics", "value": ""})


def test_in_a_browser(server):
    """In Chromium, on a desk and on a phone: tests/browser/admin.mjs."""
    if not (shutil.which("node") and shutil.which("chromium-headless-shell")):
        pytest.skip("there is no Chromium or node here: make deps")
    screens = os.path.join(stick.ROOT, "build", "screens")
    os.makedirs(screens, exist_ok=True)
    done = subprocess.run(
        ["node", os.path.join(stick.ROOT, "tests", "browser", "admin.mjs")],
        env={**os.environ, "BROWSER_TEST": json.dumps({
            "web": "http://%s:%d" % server.http, "screens": screens})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=170)
    assert done.returncode == 0, done.stdout[-6000:]
