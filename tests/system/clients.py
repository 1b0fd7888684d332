"""Mail programs that people use, driven without a person.

Each is a function that runs the program in a home folder of its own and fails
with what it said. What a fetching one got is given as a list of messages.
"""
import getpass
import glob
import os
import pty
import re
import select
import subprocess
import threading
import time
import urllib.parse

from screen import Terminal
from stick import DOMAIN


class Account:
    """A user at a server, and the folder that the programs have as home."""

    def __init__(self, home, user, smtp, pop3, password=None):
        self.home = home
        self.user = user
        self.password = password or user + "-demo"
        self.address = f"{user}@{DOMAIN}"
        self.smtp, self.pop3 = smtp, pop3
        self.smtp_url = "%s:%d" % smtp
        self.pop3_url = "%s:%d" % pop3

    def file(self, name, text=""):
        """Writes a file that only its owner may read, as programs demand."""
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    def folder(self, name):
        path = os.path.join(self.home, name)
        for part in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(path, part), exist_ok=True)
        return path


def run(account, *command, text=b"", good=(0,), limit_s=60):
    """Runs a program with text as its input; gives what it printed."""
    done = subprocess.run(
        command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        cwd=account.home, timeout=limit_s,
        env={"HOME": account.home, "PATH": os.environ["PATH"],
             "LC_ALL": "C.UTF-8", "TERM": "vt100", "USER": getpass.getuser(),
             "EMAIL": account.address})
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode in good, f"{command}: {done.returncode}: {said}"
    return said


# ---- Sending: text is the body, with LF line ends ------------------------------

def swaks(account, recipient, subject, text, method="PLAIN"):
    return run(account, "swaks", "--server", account.smtp_url, "--auth", method,
               "--auth-user", account.user, "--auth-password",
               account.password, "--from", account.address, "--to", recipient,
               "--header", f"Subject: {subject}", "--body", "-",
               text=text.encode())


def swaks_login(account, recipient, subject, text):
    return swaks(account, recipient, subject, text, "LOGIN")


def msmtp(account, recipient, subject, text):
    settings = account.file("msmtprc", f"""
account default
host {account.smtp[0]}
port {account.smtp[1]}
from {account.address}
auth plain
user {account.user}
password {account.password}
tls off
""")
    return run(account, "msmtp", f"--file={settings}", recipient,
               text=f"From: {account.address}\nTo: {recipient}\nSubject: "
                    f"{subject}\n\n{text}".encode())


def s_nail(account, recipient, subject, text):
    login = f"{account.user}:{urllib.parse.quote(account.password)}"
    return run(account, "s-nail", "-:/", "-Sv15-compat=yes",
               f"-Smta=smtp://{login}@{account.smtp_url}",
               "-Ssmtp-auth=plain", "-Ssmtp-config=plain", "-Ssendwait",
               f"-r{account.address}", f"-s{subject}", recipient,
               text=text.encode())


def mutt(account, recipient, subject, text):
    settings = account.file("muttrc", f"""
set smtp_url="smtp://{account.user}@{account.smtp_url}/"
set smtp_pass="{account.password}"
set smtp_authenticators="plain:login"
set ssl_force_tls=no
set ssl_starttls=no
set from="{account.address}"
set copy=no
""")
    return run(account, "mutt", "-n", "-F", settings, "-s", subject, "-a",
               settings, "--", recipient, text=text.encode())


def curl(account, recipient, subject, text):
    message = account.file("message", f"From: {account.address}\nTo: "
                           f"{recipient}\nSubject: {subject}\n\n{text}")
    return run(account, "curl", "-sS", "--crlf", "--mail-from",
               account.address, "--mail-rcpt", recipient, "--upload-file",
               message, "--user", f"{account.user}:{account.password}",
               f"smtp://{account.smtp_url}/tests.example")


SENDERS = (swaks, swaks_login, msmtp, s_nail, mutt, curl)


# ---- Fetching ------------------------------------------------------------------

def read_all(pattern):
    found = []
    for path in sorted(glob.glob(pattern)):
        with open(path, "rb") as file:
            found.append(file.read())
    return found


def delivery(account, box):
    """A delivery agent: puts its input into a Maildir."""
    script = account.file("deliver", f"""#!/bin/sh
cat >{box}/tmp/$$ && mv {box}/tmp/$$ {box}/new/$(date +%s%N)
""")
    os.chmod(script, 0o700)
    return script


def fetchmail(account):
    """Leaves the mail on the server and remembers what it had (UIDL)."""
    box = account.folder("fetchmail")
    settings = account.file("fetchmailrc", f"""
poll {account.pop3[0]} protocol pop3 port {account.pop3[1]} uidl
    user "{account.user}" password "{account.password}" sslproto ""
    keep mda "{delivery(account, box)}"
""")
    # 1: there was no (new) mail.
    run(account, "fetchmail", "-f", settings, "--nosyslog", "--nodetach",
        "--idfile", os.path.join(account.home, "fetchids"), good=(0, 1))
    return read_all(box + "/new/*")


def mpop(account):
    box = account.folder("mpop")
    settings = account.file("mpoprc", f"""
account default
host {account.pop3[0]}
port {account.pop3[1]}
user {account.user}
password {account.password}
auth user
tls off
keep on
received_header off
uidls_file {account.home}/uidls
delivery maildir {box}
""")
    run(account, "mpop", f"--file={settings}")
    return read_all(box + "/new/*")


def getmail(account):
    box = account.folder("getmail")
    account.file("getmailrc", f"""
[retriever]
type = SimplePOP3Retriever
server = {account.pop3[0]}
port = {account.pop3[1]}
username = {account.user}
password = {account.password}
[destination]
type = MDA_external
path = {delivery(account, box)}
allow_root_commands = true
unixfrom = false
[options]
read_all = false
delete = false
delivered_to = false
received = false
""")
    run(account, "getmail", f"--getmaildir={account.home}",
        "--rcfile=getmailrc")
    return read_all(box + "/new/*")


def curl_pop3(account):
    login = f"{account.user}:{account.password}"
    listed = run(account, "curl", "-sS", "--user", login,
                 f"pop3://{account.pop3_url}/")
    box = account.folder("curl")
    for line in listed.splitlines():
        number = line.split()[0]
        run(account, "curl", "-sS", "--user", login, "--output",
            f"{box}/new/{number}", f"pop3://{account.pop3_url}/{number}")
    return read_all(box + "/new/*")


def mutt_pop3(account):
    """Fetches into a mailbox of its own (fetch-mail), leaving it there."""
    settings = account.file("mutt-pop3", f"""
set pop_host="pop://{account.user}@{account.pop3_url}"
set pop_pass="{account.password}"
set pop_authenticators="user"
set pop_delete=no
set mbox_type=maildir
set spoolfile="{account.folder('mutt')}"
set ssl_force_tls=no
set ssl_starttls=no
set folder="{account.home}"
set quit=yes
push "<fetch-mail><exit>"
""")
    with Screen(account, "mutt", "-n", "-F", settings) as screen:
        screen.wait_end()
    return read_all(account.home + "/mutt/[nc][eu][wr]/*")


def s_nail_pop3(account):
    """Opens the maildrop and copies what is there."""
    login = f"{account.user}:{urllib.parse.quote(account.password)}"
    path = os.path.join(account.home, "s-nail.mbox")
    run(account, "s-nail", "-:/", "-Sv15-compat=yes", "-Spop3-auth=plain",
        "-Sno-pop3-use-starttls", "-Y", f"copy * {path}", "-Y", "exit",
        "-f", f"pop3://{login}@{account.pop3_url}")
    with open(path, "rb") as file:
        return re.split(rb"(?m)^From .* \d{4}\n", file.read())[1:]


def alpine_settings(account):
    os.makedirs(os.path.join(account.home, "mail"), exist_ok=True)
    account.file("mail/sent-mail")  # else it asks whether to make it
    return account.file("pinerc", f"""
personal-name=Tester
user-domain={DOMAIN}
customized-hdrs=From: {account.address}
smtp-server={account.smtp_url}/user={account.user}/notls
feature-list=quit-without-confirm,disable-password-caching,disable-password-file-saving
last-version-used=6.26
mail-directory={account.home}/mail
default-fcc=
""")


def alpine_pop3(account, subject):
    """Opens the maildrop as its inbox; gives the list of messages as it is on
    the screen once the subject is there."""
    with Screen(account, "alpine", "-p", alpine_settings(account), "-i", "-f",
                f"{{{account.pop3_url}/pop3/user={account.user}/notls}}INBOX") \
            as screen:
        screen.expect("ENTER PASSWORD")
        screen.type(account.password + "\r")
        screen.expect(re.escape(subject))
        seen = screen.terminal.text()
        screen.type("q")
        screen.wait_end()
    return seen


# ---- Programs that want a terminal ---------------------------------------------

class Screen:
    """A program on a terminal of its own."""

    def __init__(self, account, *command):
        self.terminal = Terminal()
        self.changed = threading.Condition()
        self.process_id, self.master = pty.fork()
        if self.process_id == 0:
            os.chdir(account.home)
            os.execvpe(command[0], command, {
                "HOME": account.home, "PATH": os.environ["PATH"],
                "LC_ALL": "C", "TERM": "vt100", "LINES": "25",
                "COLUMNS": "80", "USER": getpass.getuser()})
        self.status = None

    def _read(self, deadline, what):
        left = deadline - time.monotonic()
        assert left > 0, f"no {what}; the screen:\n{self.terminal.text()}"
        if not select.select([self.master], [], [], left)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the program has ended
            return False
        self.terminal.feed(data.decode("latin-1"))
        return bool(data)

    def expect(self, pattern, limit_s=30):
        deadline = time.monotonic() + limit_s
        while not (found := re.search(pattern, self.terminal.text())):
            alive = self._read(deadline, repr(pattern))
            assert alive, f"it ended:\n{self.terminal.text()}"
        return found[0]

    def type(self, text):
        os.write(self.master, text.encode())

    def wait_end(self, limit_s=30):
        deadline = time.monotonic() + limit_s
        while self._read(deadline, "end"):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.kill(self.process_id, 9)
        except ProcessLookupError:
            pass
        os.waitpid(self.process_id, 0)
        os.close(self.master)
