"""sqlmap over a target: one field after the other, by all of its techniques.

Which SQL it is, is known: it is told, and spares the payloads of others. Its
verdict is read from what it prints: it has none other.
"""
import os
import re
import subprocess
import urllib.parse

import crawl

PROGRAM = "sqlmap"
LEVEL, RISK = 3, 2
MINUTES = 20
# A place in the request that is no field, to sqlmap.
MARK = "*"


class Outcome:
    def __init__(self, tested, findings):
        self.tested, self.findings = tested, findings


def marked(target, person, place):
    """The target with the mark in a place that is no field for sqlmap: a
    number of the path, or the name of a file."""
    if place.startswith("/"):
        number = re.findall(r"\d+", target.path)[int(place[1:])]
        changed = target.changed(place, number + MARK)
        changed.path = changed.path.replace("%2A", MARK)
        return changed
    return target.changed(place, "a.txt" + MARK)


def request_text(target, person, host):
    """As sqlmap reads it with -r."""
    pairs = [(name, person.csrf if name == "csrf" else value)
             for name, value in target.pairs]
    query = urllib.parse.urlencode(pairs)
    head = [f"Host: {host}"]
    if person.cookie:
        head.append(f"Cookie: {person.cookie}")
    path, body = target.path, ""
    if target.method == "GET":
        path += "?" + query if query else ""
    elif any(name for _, name in target.files):
        head.append("Content-Type: multipart/form-data; boundary="
                    + crawl.BOUNDARY)
        body = target.parts(pairs).decode()
    else:
        head.append("Content-Type: " + crawl.URLENCODED)
        body = query
    return "\r\n".join([f"{target.method} {path} HTTP/1.1", *head, "", body])


def judge(text):
    """What it says of the places that it was to test."""
    tested = re.findall(r"parameter '([^']*)' does not seem to be injectable",
                        text)
    findings = re.findall(
        r"(?m)^.*(?:is vulnerable|identified the following injection|might be "
        r"injectable|might be vulnerable|unable to connect|"
        r"\[CRITICAL\] (?!all tested parameters do not)).*$", text)
    return Outcome(tested, findings)


def run(folder, name, request, places):
    """One run of it. places: names of fields, or None where the request has
    a mark."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".request")
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(request)
    command = [PROGRAM, "-r", path, "--batch", "--flush-session",
               "--output-dir", os.path.join(folder, name), "--dbms", "SQLite",
               "--level", str(LEVEL), "--risk", str(RISK), "--skip-waf",
               "--disable-coloring", "--drop-set-cookie", "--timeout", "30",
               "--keep-alive", "--ignore-proxy", "--ignore-stdin",
               "--ignore-code", "*"]
    if places:
        command += ["-p", ",".join(places)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=MINUTES * 60, env={
            **os.environ, "HOME": os.path.abspath(folder),
            "LC_ALL": "C.UTF-8"})
    with open(os.path.join(folder, name + ".txt"), "w",
              encoding="utf-8") as file:
        file.write(done.stdout)
    return judge(done.stdout)
