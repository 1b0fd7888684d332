"""smtp-source, the load generator of Postfix."""
import os
import subprocess
import time

from stick import DOMAIN, ROOT

POSTFIX = os.path.join(ROOT, "build", "deps", "postfix", "usr")


def smtp_source(address, sessions, messages, recipient=f"anna@{DOMAIN}",
                length=1024, options=(), limit_s=300):
    """Sends messages and gives (seconds, what it complained of). It stops at
    the first one that is not accepted, unless options hold -A."""
    environment = dict(os.environ, LD_LIBRARY_PATH=os.path.join(
        POSTFIX, "lib", "postfix"))
    command = [os.path.join(POSTFIX, "sbin", "smtp-source"),
               "-s", str(sessions), "-m", str(messages), "-l", str(length),
               "-M", "tests.example", "-f", "sender@elsewhere.example",
               "-t", recipient, *options, "%s:%d" % address]
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, timeout=limit_s,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    taken = time.monotonic() - begun
    complaint = done.stderr.decode("latin-1")
    if done.returncode and not complaint:
        complaint = f"smtp-source: exit status {done.returncode}"
    return taken, complaint
