"""Where things lie. Imported first: it lets tests/system and tests/bench/peer
be imported too."""
import os
import sys

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(BENCH))
BUILD = os.path.join(ROOT, "build")
sys.path += [os.path.join(ROOT, "tests", "system"),
             os.path.join(BENCH, "peer")]
