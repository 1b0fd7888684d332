"""What the clients of the benchmarks can do by themselves: pop3_load against a
server that does nothing (pop3_null), smtp-source against Postfix's smtp-sink,
both over the loopback device. Figures of a server that come near these would
be figures of the client."""
import os
import subprocess

import folders
import load
import measures
import servers
from report import table

NULL_SERVER = os.path.join(folders.BUILD, "bench", "pop3_null")
SMTP_MESSAGES = 5000


def pop3_rows():
    with subprocess.Popen([NULL_SERVER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:
        address = "127.0.0.1", int(server.stdout.readline())
        for users in (servers.FETCHERS[:1], servers.FETCHERS):
            seen = measures.pop3_load(address, "fetch",
                                      measures.maildrops.MESSAGES, *users)
            yield [f"POP3, messages of 10 KiB, {len(users)} clients",
                   f"{seen['messages'] / seen['seconds']:,.0f}"]
        seen = measures.pop3_load(address, "logins", 1, "any")
        yield ["POP3, logins", f"{seen['logins'] / seen['seconds']:,.0f}"]
        server.stdin.close()


def smtp_rows():
    sink, address = load.smtp_sink()
    try:
        for sessions in measures.SMTP_SESSIONS:
            taken, complaint = load.smtp_source(
                address, sessions, SMTP_MESSAGES)
            yield [f"SMTP, messages of 1 KiB, {sessions} sessions{complaint}",
                   f"{SMTP_MESSAGES / taken:,.0f}"]
    finally:
        sink.kill()
        sink.wait()


def show():
    table("What the clients can do by themselves", ["", "1/s"],
          [*smtp_rows(), *pop3_rows()])
