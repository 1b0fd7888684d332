"""A network namespace of one's own, with a tap device for one machine.

enter() starts the calling script again inside a new namespace: nothing of it is
left behind, and no address can clash with those of this computer. It needs
root; without, or where namespaces are not allowed, enter() returns False and
the caller uses QEMU's user network, which accepts new connections slowly (its
queue holds one) and so measures itself more than the guest.
"""
import os
import subprocess
import sys

HOST = "10.0.2.2"
GUEST, CARD = "10.0.2.15", "52:54:00:12:34:56"  # QEMU's first card
MARK = "BAREPOST_NAMESPACE"
SETUP = ("ip link set lo up && ip tuntap add dev tap0 mode tap && "
         f"ip addr add {HOST}/24 dev tap0 && ip link set tap0 up && "
         f"ip neigh add {GUEST} lladdr {CARD} dev tap0")
# The machine's side, for mkusb.
STICK_OPTIONS = ("--address", GUEST + "/24", "--gateway", HOST)


def possible():
    try:
        return os.geteuid() == 0 and subprocess.run(
            ["unshare", "-n", "sh", "-c", SETUP], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=20).returncode == 0
    except OSError:
        return False


def command(script, *arguments):
    """What runs a Python script inside a namespace of its own."""
    return ["unshare", "-n", "sh", "-c", SETUP + ' && exec "$@"', "sh",
            "env", MARK + "=1", sys.executable, script, *arguments]


def enter(script):
    """True inside. Does not return when it starts the script again."""
    if os.environ.get(MARK):
        return True
    if not possible():
        return False
    sys.stdout.flush()
    inside = command(script, *sys.argv[1:])
    os.execvp(inside[0], inside)
