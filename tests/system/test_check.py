"""The scripts of `make check` find what they are there for."""
import os
import subprocess
import sys

import pytest

from stick import ROOT

LAYERING = os.path.join(ROOT, "tests", "check", "layering.py")
SIZES = os.path.join(ROOT, "tests", "check", "sizes.py")


def script(path, folder, *arguments):
    done = subprocess.run([sys.executable, path, *arguments], cwd=folder,
                          stdout=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout


@pytest.fixture
def tree(tmp_path):
    """A project with one clean file in each room that matters."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in ("firmware/core/err.h", "firmware/net/net.h",
                 "firmware/net/stream.h", "firmware/smtp/smtp.h",
                 "firmware/menu/menu.h", "drivers/io.h", "mailstore/store.h"):
        put(tmp_path, name, "")
    return tmp_path


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("name, line, clean", [
    ("firmware/smtp/a.c", '#include "net/stream.h"', True),
    ("firmware/smtp/a.c", '#include "smtp.h"', True),
    ("firmware/smtp/a.c", '#include "net/net.h"', False),
    ("firmware/smtp/a.c", '#include "menu/menu.h"', False),
    ("firmware/net/a.c", '#include "drivers/io.h"', False),
    ("firmware/core/a.c", '#include "net/net.h"', False),
    ("firmware/core/a.c", '#include "nowhere.h"', False),
    ("firmware/menu/a.c", '#include "net/net.h"', True),
    ("firmware/menu/a.c", '#include <sqlite3.h>', False),
    ("mailstore/a.c", '#include <sqlite3.h>', True),
    ("mailstore/a.c", '#include "drivers/io.h"', False),
    ("drivers/a.c", '#  include "drivers/io.h"', True),
    ("drivers/a.c", '#include "mailstore/store.h"', False),
    ("mkusb/a.c", '#include "net/net.h"', False),
    ("extra/a.c", "", False),
])
def test_layering(tree, name, line, clean):
    put(tree, name, line + "\n")
    status, text = script(LAYERING, tree)
    assert (status == 0) == clean, text
    assert clean or name.split("/")[0] in text


def test_sizes(tmp_path):
    put(tmp_path, "good.c", "int f(void)\n{\n    return 1;\n}\n")
    put(tmp_path, "long.c", "int f(void)\n{\n" + "    g();\n" * 81 + "}\n")
    put(tmp_path, "file.c", "int x;\n" * 901)
    deep = "".join("    " * at + "if (x) {\n" for at in range(1, 7))
    put(tmp_path, "deep.c", "int f(void)\n{\n" + deep + "}\n")
    assert script(SIZES, tmp_path, "good.c")[0] == 0
    for name, word in (("long.c", "81 lines"), ("file.c", "lines, limit"),
                       ("deep.c", "nest 6 deep")):
        status, text = script(SIZES, tmp_path, name)
        assert status == 1 and word in text
