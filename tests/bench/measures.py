"""What is measured of a running server, the same for Barepost and its peer.

Each function takes a server (servers.py), starts a machine of it and adds its
figures to the report. Every client is a program of this computer: smtp-source
of Postfix, pop3_load (its ceiling, and that of smtp-source, are shown by
`bench.py ceiling`), and wrk.
"""
import json
import os
import re
import socket
import subprocess

import folders
import mail
import maildrops
import servers
import stick
from report import Row

CLIENT = os.path.join(folders.BUILD, "bench", "pop3_load")
SMTP_SESSIONS = (1, 10, 100)
SMTP_REPEATS = 3
IDLE = 1000
WEB_PAGE = "/assets/works.html"
WEB_CLIENTS = (1, 30)


def rows(plan):
    """All rows that the measurements below fill."""
    fetched = f"{plan.pop3_messages} x {maildrops.BYTES // 1024} KiB"
    return [
        Row("boot.smtp", "QEMU's start to SMTP 220", "s", 2, "less"),
        Row("boot.pop3", "QEMU's start to POP3 greeting", "s", 2, "less"),
        Row("memory.same", "memory taken when started", "MiB", 1, "less"),
        Row("memory.least", f"    in a PC of {servers.LEAST_MEMORY[:-1]} MiB", "MiB",
            1, "less"),
        *smtp_rows(),
        Row("pop3.read.1", f"POP3 STAT, RETR, QUIT of {fetched}: messages",
            "1/s", 0, "more"),
        Row("pop3.read.20", "    20 clients, each as many: all together", "1/s",
            0, "more"),
        Row("pop3.1", f"POP3 STAT, RETR, DELE, QUIT of {fetched}: messages",
            "1/s", 0, "more"),
        Row("pop3.20", "    20 clients, each as many: all together", "1/s", 0,
            "more"),
        Row("pop3.open", "    until all 20 known ones are logged in", "s", 2, "less"),
        Row("pop3.logins", "POP3 logins of one user, again and again", "1/s",
            1, "more"),
        Row("pop3.first", "    the first login of a user", "s", 2, "less"),
        Row("segments.smtp", "segments from the server, SMTP session", "", 0,
            "less"),
        Row("segments.pipelined", "    the same with PIPELINING", "", 0,
            "less"),
        Row("segments.pop3", "    POP3 session, one message of 1 KiB", "", 0,
            "less"),
        *web_rows(),
        Row("idle.greeted", f"greeted of {IDLE:,} idle SMTP connections", "",
            0, "more"),
    ]


def smtp_rows():
    for sessions in SMTP_SESSIONS:
        key = f"smtp.{sessions}"
        who = f"{sessions} session" + "s" * (sessions > 1)
        yield Row(key + ".rate", f"SMTP, 1 KiB, {who}: durable messages",
                  "1/s", 1, "more")
        for name, what, unit in (("flushes", "flushes", ""),
                                 ("kib", "written", "KiB"),
                                 ("writes", "writes", "")):
            yield Row(f"{key}.{name}", f"    {what} per message", unit, 3,
                      "less")


def web_rows():
    for clients in WEB_CLIENTS:
        who = f"{clients} connection" + "s" * (clients > 1)
        yield Row(f"http.{clients}", f"HTTP, page of 612 bytes, {who}: requests",
                  "1/s", 0, "more")
        yield Row(f"http.{clients}.p99", "    99 % of them within", "ms", 2,
                  "less")


def started(report, server, **options):
    """Boots the server; its times go into the report."""
    running = server.start(**options)
    report.add("boot.smtp", server.name, running.up_s[25])
    report.add("boot.pop3", server.name, running.up_s[110])
    return running


# ---- Memory --------------------------------------------------------------------

def memory(report, server, plan):
    with started(report, server) as running:
        report.add("memory.same", server.name, running.memory_mib())
    if server.starts_with_least:
        with server.start(memory=servers.LEAST_MEMORY) as running:
            report.add("memory.least", server.name, running.memory_mib())


# ---- SMTP ----------------------------------------------------------------------

def smtp(report, server, plan):
    """The rate of each repeat; what is written over all of them, since a
    checkpoint of the store falls into some only."""
    with started(report, server) as running:
        sent = 1
        running.send(1, sent)  # what only the first message costs
        for sessions in SMTP_SESSIONS:
            messages = plan.smtp_messages(sessions, server)
            before = running.machine.disk_figures()
            for _ in range(SMTP_REPEATS):
                taken = running.send(sessions, messages)
                report.add(f"smtp.{sessions}.rate", server.name,
                           messages / taken)
                sent += messages
                running.delivered(sent)
            after = running.machine.disk_figures()
            for name, figure, unit in (("flushes", "flush_operations", 1),
                                       ("kib", "wr_bytes", 1024),
                                       ("writes", "wr_operations", 1)):
                report.add(f"smtp.{sessions}.{name}", server.name,
                           (after[figure] - before[figure]) / unit
                           / (messages * SMTP_REPEATS))


# ---- POP3 ----------------------------------------------------------------------

def pop3_load(address, mode, most, *users):
    done = subprocess.run(
        [CLIENT, mode, *map(str, address), servers.PASSWORD, str(most),
         *users], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=1200)
    if done.returncode:
        raise OSError(done.stderr.decode("latin-1").strip())
    return json.loads(done.stdout)


def pop3(report, server, plan):
    with started(report, server) as running:
        address = running.address(110)
        seen = pop3_load(address, "logins", plan.login_seconds,
                         maildrops.EMPTY)
        report.add("pop3.logins", server.name,
                   seen["logins"] / seen["seconds"])
        report.add("pop3.first", server.name, seen["first_s"])
        running.fill(["single"] + servers.FETCHERS)
        for user in servers.FETCHERS:  # makes their passwords known
            pop3_load(address, "logins", 0, user)
        for mode, row in (("read", "pop3.read"), ("fetch", "pop3")):
            seen = pop3_load(address, mode, plan.pop3_messages, "single")
            report.add(f"{row}.1", server.name,
                       seen["messages"] / seen["seconds"])
            seen = pop3_load(address, mode, plan.pop3_messages,
                             *servers.FETCHERS)
            report.add(f"{row}.20", server.name,
                       seen["messages"] / seen["seconds"])
        report.add("pop3.open", server.name, seen["login_s"])


# ---- On the wire -----------------------------------------------------------------

def smtp_once(address, pipelining):
    recipient = f"{maildrops.EMPTY}@{servers.DOMAIN}"
    body = (f"From: a@client.example\r\nTo: {recipient}\r\nSubject: t\r\n"
            "\r\n").encode()
    body += b"x" * (1022 - len(body)) + b"\r\n"
    with mail.Smtp(address) as client:
        client.command("EHLO client.example")
        if pipelining:
            client.send(f"MAIL FROM:<a@client.example>\r\nRCPT TO:<{recipient}"
                        ">\r\nDATA\r\n".encode())
            replies = [client.reply()[0] for _ in range(3)]
            client.send(body + b".\r\nQUIT\r\n")
            replies += [client.reply()[0] for _ in range(2)]
            assert replies == [250, 250, 354, 250, 221], replies
        else:
            assert client.deliver(recipient, body,
                                  "a@client.example")[0] == 250
            assert client.command("QUIT")[0] == 221
        assert client.reply()[0] == 0  # until the server has closed


def pop3_once(address):
    client = mail.Pop3(address, maildrops.EMPTY, servers.PASSWORD)
    client.stat()
    client.retrieve(1)
    client.dele(1)
    client.quit()


def segments(report, server, plan):
    """Also how many connections that do nothing are greeted."""
    capture = os.path.join(server.folder, "wire.pcap")
    with started(report, server, capture=capture) as running:
        smtp_once(running.address(25), False)
        smtp_once(running.address(25), True)
        running.delivered(2)
        pop3_once(running.address(110))
        pop3_once(running.address(110))  # counted: the login is known now
        report.add("idle.greeted", server.name, idle(running.address(25)))
    smtp_seen = [one for one in mail.sessions(capture, 25)
                 if b"354" in one.data]
    pop3_seen = [one for one in mail.sessions(capture, 110)
                 if b"+OK" in one.data]
    for name, seen in (("smtp", smtp_seen[0]), ("pipelined", smtp_seen[1]),
                       ("pop3", pop3_seen[-1])):
        report.add(f"segments.{name}", server.name, seen.from_server)


def idle(address, patience_s=10):
    """Opens connections one after the other, until one is not greeted."""
    clients, greeted = [], 0
    try:
        while greeted < IDLE:
            clients.append(socket.create_connection(address, patience_s))
            if not clients[-1].recv(512).startswith(b"220"):
                break
            greeted += 1
    except OSError:
        pass  # this one found no ear, or waited in vain
    for client in clients:
        client.close()
    return greeted


# ---- Web -----------------------------------------------------------------------

def wrk(address, clients, seconds):
    """(requests, requests a second, ms within which 99 % were answered)."""
    text = stick.run("wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency",
                     "http://%s:%d%s" % (*address, WEB_PAGE))
    wrong = re.search(r"Non-2xx.*|Socket errors.*", text)
    assert not wrong, wrong[0]
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return (int(re.search(r"(\d+) requests in", text)[1]),
            float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit])


def http(report, server, plan):
    with started(report, server) as running:
        running.serve_web()
        address = running.address(80)
        wrk(address, 1, 1)  # what only the first request costs
        for clients in WEB_CLIENTS:
            for _ in range(plan.web_repeats):
                _, rate, within = wrk(address, clients, plan.web_seconds)
                report.add(f"http.{clients}", server.name, rate)
                report.add(f"http.{clients}.p99", server.name, within)


MEASURES = {"memory": memory, "smtp": smtp, "pop3": pop3, "segments": segments,
            "http": http}
