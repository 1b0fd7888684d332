"""A Barepost to be scanned: a stick of its own with something of everything,
booted in QEMU. It has a fixed address, no router and no name server, so that
whatever a tool makes it do stays here. Also what a scan is told about it."""
import os
import re
import shutil
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import conftest  # noqa: E402
import crawl  # noqa: E402
import mail  # noqa: E402
import qemu  # noqa: E402
import stick  # noqa: E402

STARTS = {
    None: ("/login?next=/mail", "/login?failed=wrong", "/files", "/metrics"),
    "bert": ("/", "/menu", "/search?q=a", "/files", "/help"),
    # His mail is shown by the same pages as bert's.
    "anna": ("/admin", "/sql", "/files"),
}
# What an administrator has beside that.
ADMIN_PATHS = ("/admin", "/sql", "/files")


def all_targets(person):
    """What he can send; also what only scripts send, and what a page shows
    only for a moment."""
    found = crawl.crawl(person, *STARTS[person.user], of_a_shape=1)
    if person.user == "anna":
        found = [target for target in found
                 if target.path.startswith(ADMIN_PATHS)]
        found.append(crawl.Target("POST", "/sql/stop",
                                  [("csrf", ""), ("id", "1")]))
    if person.user == "bert":
        compose = [target for target in found if target.path == "/compose" and
                   target.method == "POST"][0]
        found += [
            crawl.Target("POST", "/draft", compose.pairs),
            crawl.Target("GET", "/contacts", [("q", "a")]),
            crawl.Target("GET", "/search", [("q", "a"), ("in", "1"),
                                            ("c", "1"), ("b", "1")]),
            crawl.Target("GET", "/compose", [
                (name, "a") for name in ("to", "cc", "bcc", "subject",
                                         "text")])]
    # A new user's password is computed for a second or two each time: without a
    # name he is refused before. What is stored of him goes the same way when he
    # is changed (/admin/users/N), which is scanned.
    found = [target.changed("name", " ") if str(target).startswith(
        "POST") and target.path == "/admin/users" else target
             for target in found if target.path != "/logout"]
    # What changes or removes comes last, so that the rest finds something.
    return sorted(found, key=lambda target: (target.method, "delete" in
                                             target.shape))


# Who guesses a password waits longer each time, up to half a minute: a tool
# that asks thousands of times would never be through. Names and passwords are
# compared in memory, without SQL; tests/system/test_vectors.py tries some.
GUESSES = {("/login", "user"), ("/login", "password"), ("/settings", "old"),
           ("/settings", "new"), ("/settings", "again")}
# The statement of the query page, and it alone: running SQL is what it is for,
# and SQLite's error messages are its answer. What fences it in is tested in
# tests/system/test_admin.py.
STATEMENTS = {("/sql", "text"), ("/sql", "file")}


def guesses(target):
    """Whether it asks for a password."""
    return any((target.path, place) in GUESSES for place in target.places)


def fields_of(target):
    """The places of a target that a tool attacks."""
    if guesses(target) and target.path != "/login":
        return []
    return [place for place in target.places if place != "csrf" and
            (target.path, place) not in GUESSES | STATEMENTS]


class Served:
    """The machine while a `with` lasts."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="barepost-scan-")

    def __enter__(self):
        image = stick.make(
            os.path.join(self.folder, "stick.img"), "--address",
            qemu.GUEST_ADDRESS + "/24", "--set", "limit_user_messages=100000",
            "--set", "limit_user_recipients=100000", size="1G")
        # No capture: it would be as large as all that is sent.
        self.machine = qemu.Machine(stick=image, forward=(25, 80))
        conftest.choose_run(self.machine)
        self.machine.wait_banner(25)
        self.address = self.machine.address(80)
        self.furnish()
        return self

    def __exit__(self, *_):
        self.machine.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def furnish(self):
        def deliver(recipient, message):
            code, text = mail.send_one(self.machine.address(25), recipient,
                                       message)
            assert code == 250, text
        for user in ("anna", "bert"):
            crawl.furnish(crawl.Person(self.address, user), deliver,
                          stick.DOMAIN, "word")

    def answers(self):
        """How many of which kind were given so far, by the AO's own count:
        {"2xx": n, ...}."""
        text = crawl.Person(self.address).get("/metrics").text
        return {kind: int(count) for kind, count in re.findall(
            r'http_answers_total\{status="(\dxx)"\} (\d+)', text)}


def difference(before, after):
    return {kind: after[kind] - before[kind] for kind in after}
