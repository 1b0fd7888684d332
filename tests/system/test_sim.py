"""Runs the programs of the simulated PC: the complete AO as a process, under
sanitizers, with power cuts, a lossy wire and faulty sticks, all from seeds."""
import os
import re
import subprocess

import pytest

from stick import ROOT

PROGRAMS = [
    ("power_cut", ["--runs", "1000"]),
    ("lossy_wire", ["--runs", "1000"]),
    ("stick_faults", []),
]


@pytest.mark.parametrize("name, options", PROGRAMS,
                         ids=[name for name, _ in PROGRAMS])
def test_simulated_pc(name, options):
    program = os.path.join(ROOT, "build", "sim", name)
    done = subprocess.run([program, *options], cwd=ROOT, timeout=840,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    text = done.stdout.decode("utf-8", "replace")
    counts = re.search(r"^(\d+) passed, (\d+) failed\s*\Z", text, re.M)
    assert counts, text[-4000:]
    assert done.returncode == 0 and counts[2] == "0", text[-4000:]
    least = int(options[1]) if options else 1
    assert int(counts[1]) >= least, "fewer runs than asked for"
