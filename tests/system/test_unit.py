"""Runs the unit tests in C: each program is one test here."""
import glob
import os
import re
import subprocess

import pytest

from stick import ROOT

SOURCES = sorted(glob.glob(os.path.join(ROOT, "tests", "unit", "test_*.c")))
NAMES = [os.path.basename(path)[:-2] for path in SOURCES]


@pytest.mark.parametrize("name", NAMES)
def test_unit(name):
    program = os.path.join(ROOT, "build", "unit", name)
    done = subprocess.run([program], cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300)
    text = done.stdout.decode("utf-8", "replace")
    counts = re.search(r"^(\d+) passed, (\d+) failed\s*\Z", text, re.M)
    assert counts, text[-4000:]
    assert done.returncode == 0 and counts[2] == "0", text[-4000:]
    assert int(counts[1]) > 0, "it checked nothing"
