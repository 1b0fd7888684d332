"""New versions of Barepost for tests: this build, under another name."""
import os
import sys

import stick

sys.path.insert(0, os.path.join(stick.ROOT, "boot"))

import update  # noqa: E402, F401

UPDATE = os.path.join(stick.ROOT, "build", "barepost.update")


def builds():
    """What this build calls itself, the AO that is to be the next one, and how
    that calls itself: as long as the first."""
    with open(stick.AO, "rb") as file:
        ao = file.read()
    with open(UPDATE, "rb") as file:
        label = file.read(512)
    old = label[64:160].rstrip(b"\0").decode("ascii").split(", ")[1]
    new = ("next" + "." * len(old))[:len(old)]
    assert ao.count(old.encode()) == 1
    return old, new, ao.replace(old.encode(), new.encode())
