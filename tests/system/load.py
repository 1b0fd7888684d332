"""smtp-source and smtp-sink, the load generators of Postfix."""
import os
import socket
import subprocess
import time

from stick import DOMAIN, ROOT

POSTFIX = os.path.join(ROOT, "build", "deps", "postfix", "usr")


def environment():
    return dict(os.environ, LD_LIBRARY_PATH=os.path.join(
        POSTFIX, "lib", "postfix"))


def program(name):
    return os.path.join(POSTFIX, "sbin", name)


def smtp_source(address, sessions, messages, recipient=f"anna@{DOMAIN}",
                length=1024, options=(), limit_s=300):
    """Sends messages and gives (seconds, what it complained of). It stops at
    the first one that is not accepted, unless options hold -A."""
    command = [program("smtp-source"),
               "-s", str(sessions), "-m", str(messages), "-l", str(length),
               "-M", "tests.example", "-f", "sender@elsewhere.example",
               "-t", recipient, *options, "%s:%d" % address]
    begun = time.monotonic()
    done = subprocess.run(command, env=environment(), timeout=limit_s,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    taken = time.monotonic() - begun
    complaint = done.stderr.decode("latin-1")
    if done.returncode and not complaint:
        complaint = f"smtp-source: exit status {done.returncode}"
    return taken, complaint


def smtp_sink(limit_s=20):
    """Starts a server that takes all mail and keeps none: (process,
    address)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    process = subprocess.Popen(
        [program("smtp-sink"), *user, "%s:%d" % address, "128"],
        env=environment(), stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + limit_s
    while True:
        try:
            socket.create_connection(address, limit_s).close()
            return process, address
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise
            time.sleep(0.02)
