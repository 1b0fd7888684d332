#!/usr/bin/python3
"""How long a function and a file may be, and how deep blocks may nest.

Reads C as clang-format leaves it: a function's braces stand alone in the first
column. The limits are hard; the usual is half of them. Tables are no functions.
"""
import re
import sys

FUNCTION_LINES = 80
FILE_LINES = 900
HEADER_LINES = 400
NESTING = 5  # braces within a function's body: 3 is usual
QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")


def check(path):
    found = []
    with open(path, encoding="utf-8") as source:
        lines = source.read().split("\n")
    limit = HEADER_LINES if path.endswith(".h") \
        and not path.startswith("tests/") else FILE_LINES
    if len(lines) > limit:
        found.append(f"{path}: {len(lines)} lines, limit {limit}")
    start, deepest, depth = None, 0, 0
    for number, line in enumerate(lines, 1):
        if line == "{":
            start, deepest, depth = number, 0, 0
        elif line == "}" and start:
            length = number - start - 1
            if length > FUNCTION_LINES:
                found.append(f"{path}:{start}: function of {length} lines, "
                             f"limit {FUNCTION_LINES}")
            if deepest > NESTING:
                found.append(f"{path}:{start}: blocks nest {deepest} deep, "
                             f"limit {NESTING}")
            start = None
        elif start:
            code = QUOTED.sub("", line)
            depth += code.count("{") - code.count("}")
            deepest = max(deepest, depth)
    return found


def main():
    found = [finding for path in sys.argv[1:] for finding in check(path)]
    print("\n".join(found + [f"sizes: {len(sys.argv) - 1} files, "
                             f"{len(found)} too long or too deep"]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
