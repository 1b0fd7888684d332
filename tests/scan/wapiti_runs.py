"""wapiti over a whole site. Its own crawl sends every form that it finds, also
that which logs out, and this version cannot be told to leave one out; nor does
it see that forms differ by the button that is pressed (<button name=...
value=...>), without which our pages refuse most. Therefore only who is not
logged in is crawled by it; what others are to be attacked with is written into
the database in which it keeps what it found.

Of its modules these are left out:
    blindsql          knows no payload for SQLite; sqlmap's do that
    ssrf, xxe         ask a server in the Internet what has reached it; no page
                      fetches anything or reads XML
    nikto, wapp, buster, brute_login_form, drupal_enum
                      look for programs and words that are not ours
    cookieflags       sees no cookie that is given by the command line; see
                      tests/system/test_vectors.py
"""
import glob
import json
import os
import sqlite3
import subprocess

PROGRAM = "wapiti"
MODULES = ("backup", "crlf", "csp", "csrf", "exec", "file", "htaccess",
           "http_headers", "methods", "permanentxss", "redirect", "shellshock",
           "sql", "xss")
MODULE_SECONDS = 1800
MINUTES = 90


class Wapiti:
    """One scan. folder: what it writes; cookie: "" for nobody; skip: names of
    fields that are not attacked."""

    def __init__(self, folder, address, cookie, skip=()):
        self.folder, self.cookie = os.path.abspath(folder), cookie
        self.skip = skip
        self.url = "http://%s:%d/" % address
        self.output = ""
        self.config = os.path.join(self.folder, "config")
        os.makedirs(self.config, exist_ok=True)
        # It would fetch this list, which only a module that is not used reads.
        with open(os.path.join(self.config, "apps.json"), "w",
                  encoding="ascii") as file:
            file.write("{}")

    def run(self, *options):
        command = [PROGRAM, "-u", self.url, "--scope", "folder",
                   "--store-session", self.folder, "--store-config",
                   self.config, "--no-bugreport", "--max-attack-time",
                   str(MODULE_SECONDS), "-t", "20", "-v", "1", *options]
        for name in self.skip:
            command += ["--skip", name]
        if self.cookie:
            command += ["-H", "Cookie: " + self.cookie]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=MINUTES * 60, env={
                **os.environ, "HOME": self.folder, "LC_ALL": "C.UTF-8",
                # Nothing goes anywhere else, whatever it thinks of.
                "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"})
        self.output += done.stdout
        with open(os.path.join(self.folder, "output.txt"), "w",
                  encoding="utf-8") as file:
            file.write(self.output)
        assert done.returncode == 0, self.output[-2000:]

    def database(self):
        return glob.glob(os.path.join(self.folder, "*.db"))[0]

    def crawl(self, depth, *starts):
        """depth: of links, 0: the starts alone."""
        self.run("-m", "", "-d", str(depth),
                 *(each for start in starts for each in
                   ("-s", self.url + start.lstrip("/"))))

    def found(self):
        """(method, path, status) of what is to be attacked."""
        with sqlite3.connect(self.database()) as database:
            return [(method, path[len(self.url) - 1:], status) for
                    method, path, status in database.execute(
                        "SELECT method, path, http_status FROM paths"
                        " WHERE NOT evil AND headers IS NOT NULL")]

    def forget(self, path):
        """Forms to there are not attacked."""
        with sqlite3.connect(self.database()) as database:
            database.execute("DELETE FROM paths WHERE method='POST' AND path=?",
                             (self.url + path,))

    def add(self, target, person, status, fields):
        """One more request, as its crawl would have noted it. fields: of the
        head of its answer."""
        with sqlite3.connect(self.database()) as database:
            key = database.execute(
                "INSERT INTO paths VALUES(NULL,?,?,?,0,'UTF-8',?,?,?,0)",
                (self.url + target.path.lstrip("/"), target.method,
                 "application/x-www-form-urlencoded"
                 if target.method == "POST" else "", status,
                 json.dumps({name.lower(): value for name, value in
                             fields.items()}), self.url)).lastrowid
            kind = "POST" if target.method == "POST" else "GET"
            rows = [(key, kind, number, name, person.csrf if name == "csrf"
                     else value, None, None)
                    for number, (name, value) in enumerate(target.pairs)]
            rows += [(key, "FILE", number, name, "a.txt", "content",
                      "text/plain")
                     for number, (name, _) in enumerate(target.files)]
            database.executemany("INSERT INTO params VALUES(?,?,?,?,?,?,?)",
                                 rows)

    def attack(self, modules=MODULES):
        """[(category, method and path, parameter, what it says)]"""
        report = os.path.join(self.folder, "report.json")
        self.run("-m", ",".join(modules), "--skip-crawl", "-f", "json", "-o",
                 report)
        with open(report, encoding="utf-8") as file:
            told = json.load(file)
        return [(category, f"{each['method']} {each['path']}",
                 each["parameter"], each["info"])
                for kind in ("vulnerabilities", "anomalies")
                for category, all_of_it in told[kind].items()
                for each in all_of_it]

    def unfinished(self):
        """Modules whose time was over before they were through."""
        return [line for line in self.output.splitlines()
                if "Max attack time was reached" in line]
