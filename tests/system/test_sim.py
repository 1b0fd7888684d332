"""Runs the programs of the simulated PC: the complete AO as a process, under
sanitizers, with power cuts, a lossy wire and faulty sticks, all from seeds."""
import os
import re
import subprocess

import pytest

from stick import ROOT

PROGRAMS = [
    ("power_cut", ["--runs", "265"]),  # 2 to 6 cuts in each run
    ("lossy_wire", ["--runs", "1000"]),
    ("stick_faults", []),
    ("relay_cut", ["--runs", "60"]),
    ("update_cut", ["--runs", "12"]),
]


def run(name, options):
    """Exit status, output, how many runs passed and failed."""
    program = os.path.join(ROOT, "build", "sim", name)
    done = subprocess.run([program, *options], cwd=ROOT, timeout=840,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    text = done.stdout.decode("utf-8", "replace")
    counts = re.search(r"^(\d+) passed, (\d+) failed\s*\Z", text, re.M)
    assert counts, text[-4000:]
    return done.returncode, text, int(counts[1]), int(counts[2])


@pytest.mark.parametrize("name, options", PROGRAMS,
                         ids=[name for name, _ in PROGRAMS])
def test_simulated_pc(name, options):
    status, text, passed, failed = run(name, options)
    assert status == 0 and failed == 0, text[-4000:]
    least = int(options[1]) if options else 1
    assert passed >= least, "fewer runs than asked for"
    if name == "power_cut":
        cuts = int(re.search(r"(\d+) power cuts", text)[1])
        assert cuts >= 1000, f"only {cuts} power cuts"


def test_a_stick_that_lies_is_found_out():
    """The control: without flushes the promise cannot hold, and the test of
    power cuts must say so."""
    status, text, _, failed = run("power_cut", ["--lying-flush", "--runs", "20"])
    assert status == 1 and failed > 0, text[-4000:]


def test_five_days_of_mail_out():
    """By the virtual clock; without sanitizers, or it would last minutes."""
    program = os.path.join(ROOT, "build", "sim-fast", "relay_days")
    done = subprocess.run([program], cwd=ROOT, timeout=600,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("name", ["power_cut", "lossy_wire", "stick_faults",
                                  "relay_cut"])
def test_the_same_seed_is_the_same_run(name):
    status, text, _, _ = run(name, ["--runs", "5", "--twice"])
    assert status == 0, text[-4000:]
