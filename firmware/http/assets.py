#!/usr/bin/python3
"""Makes the C file of the AO's static files: assets.py FILE... >assets.c

Each file becomes "/assets/NAME", with its head, its tag (a hash of what it
holds) and its compressed form, or where that is not smaller, as it is.
favicon.ico and robots.txt stand at the root, where they are looked for.
"""
import gzip
import hashlib
import os
import sys

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}
AT_ROOT = ("favicon.ico", "robots.txt")


def array(name, data):
    rows = [", ".join(str(byte) for byte in data[at:at + 20])
            for at in range(0, len(data), 20)]
    return (f"static const uint8_t {name}[] = {{\n"
            + ",\n".join(rows or ["0"]) + "};\n")


def head(kind, tag, length, coding):
    fields = [f"Content-Type: {kind}"]
    if coding:
        fields.append(f"Content-Encoding: {coding}")
    fields += [f'ETag: \\"{tag}\\"', "Vary: Accept-Encoding",
               "Accept-Ranges: bytes", f"Content-Length: {length}"]
    text = "\\r\\n".join(fields) + "\\r\\n"
    return f'"HTTP/1.1 200 OK\\r\\n" HTTP_SECURITY "{text}"'


def asset(number, path):
    name = os.path.basename(path)
    kind = TYPES[os.path.splitext(name)[1]]
    with open(path, "rb") as source:
        data = source.read()
    packed = gzip.compress(data, 9, mtime=0)
    tag = hashlib.sha256(data).hexdigest()[:16]
    url = ("/" if name in AT_ROOT else "/assets/") + name
    small = len(packed) < len(data) * 9 // 10
    out = "" if small else array(f"bytes_{number}", data)
    out += f"static const char head_{number}[] = " \
           f"{head(kind, tag, len(data), None)};\n"
    if small:
        out += array(f"gzip_{number}", packed)
        out += f"static const char head_gzip_{number}[] = " \
               f"{head(kind, tag + '-gzip', len(packed), 'gzip')};\n"
    row = (f'{{"{url}", "{kind}", "\\"{tag}\\"", "\\"{tag}-gzip\\"", '
           f'head_{number}, '
           + (f"head_gzip_{number}, " if small else "0, ")
           + (f"0, gzip_{number}, " if small else f"bytes_{number}, 0, ")
           + f"{len(data)}, {len(packed) if small else 0}, {len(url) + 1}, "
             f"sizeof(head_{number}) - 1, "
           + (f"sizeof(head_gzip_{number}) - 1" if small else "0") + "},")
    return out, row


def main():
    parts = [asset(number, path)
             for number, path in enumerate(sorted(sys.argv[1:]))]
    print('#include "http/http_asset.h"\n#include "http/http_security.h"')
    print("".join(text for text, _ in parts))
    print("const struct http_asset http_assets[] = {")
    print("\n".join(row for _, row in parts))
    print("};\nconst unsigned http_asset_count = "
          "sizeof(http_assets) / sizeof(http_assets[0]);")


if __name__ == "__main__":
    main()
