"""The benchmarks run, and what does not depend on the computer holds."""
import json
import os
import subprocess
import sys

import namespace
import stick


def test_bench_fills_its_rows(tmp_path, figure):
    path = str(tmp_path / "figures.json")
    script = os.path.join(stick.ROOT, "tests", "bench", "bench.py")
    done = subprocess.run(
        [sys.executable, script, "--quick", "--json", path, "memory",
         "segments"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=300)
    shown = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, shown
    with open(path, encoding="utf-8") as file:
        rows = {row["key"]: row["values"]["Barepost"][0]
                for row in json.load(file)["rows"]}
    figure(f"memory taken in PCs of 512 and 64 MiB: {rows['memory.same']:.0f} "
           f"and {rows['memory.least']:.0f} MiB")
    assert 0 < rows["memory.least"] < 64
    # How many there may be: test_load.py, of the best of several sessions.
    assert rows["segments.smtp"] > rows["segments.pipelined"] > 0
    if namespace.possible():  # QEMU's user network keeps few waiting
        assert rows["idle.greeted"] == 1000
