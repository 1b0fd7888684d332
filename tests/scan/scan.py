#!/usr/bin/python3
"""`make scan`: sqlmap and wapiti against a Barepost in QEMU.

    scan.py [--only sqlmap|wapiti|control] [--person nobody|bert|anna]

Each as nobody, as a user and as an administrator, over every request that a
crawl of the site finds: sqlmap field by field, wapiti the whole site. Before
that each has to find the holes of a server that has them (holes.py). A request
counts as scanned when it was answered as to somebody who is logged in, before
and after. Any finding, any answer 5xx, and anything that was not reached fails.

What the tools printed is in build/scan/. Ends with status 1 when one failed.
"""
import argparse
import concurrent.futures
import os
import queue
import shutil
import sys
import threading

from served import (ROOT, Served, STARTS, all_targets, crawl, difference,
                    fields_of)
import holes
import sqlmap_runs
import wapiti_runs

FOLDER = os.path.join(ROOT, "build", "scan")
PEOPLE = {"nobody": None, "bert": "bert", "anna": "anna"}

# What wapiti reports and is none, each as (category, method and path, begin of
# what it says); "" fits all.
ACCEPTED = {
    # The policy's frame-ancestors says the same, and browsers that know it
    # ignore the other field.
    ("HTTP Secure Headers", "", "X-Frame-Options"),
    # No browser has the filter any more that it would switch.
    ("HTTP Secure Headers", "", "X-XSS-Protection"),
    # There is no TLS yet, without which this must not be sent.
    ("HTTP Secure Headers", "", "Strict-Transport-Security"),
    # There is no login yet that a token could belong to: where the form comes
    # from is known by Origin and Sec-Fetch-Site (test_vectors.py).
    ("Cross Site Request Forgery", "POST /login", "Lack of anti CSRF token"),
}


class Results:
    """What passed and what failed, told as it happens."""

    def __init__(self):
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def add(self, name, problems, note=""):
        with self.lock:
            if problems:
                self.failed += 1
            else:
                self.passed += 1
            print(f"{'FAILED' if problems else 'passed'} {name} {note}",
                  flush=True)
            for problem in problems:
                print(f"    {problem}", flush=True)


# ---- The controls -------------------------------------------------------------------

def control_sqlmap(results):
    """A number in a query, with errors shown; a text in a form, blind."""
    with holes.Holes() as server:
        person = crawl.Person(server.address)
        person.cookie = holes.COOKIE
        for target, place in (
                (crawl.Target("GET", "/item", [("id", "1")]), "id"),
                (crawl.Target("POST", "/login", [("name", "anna")]), "name")):
            outcome = sqlmap_runs.run(
                os.path.join(FOLDER, "control"), "sqlmap" + target.path[1:],
                sqlmap_runs.request_text(target, person,
                                         "%s:%d" % server.address), [place])
            found = any("injection point" in line
                        for line in outcome.findings)
            results.add(f"control sqlmap {target}", [] if found else
                        ["the hole is not found"])


def control_wapiti(results):
    with holes.Holes() as server:
        scan = wapiti_runs.Wapiti(os.path.join(FOLDER, "control", "wapiti"),
                                  server.address, holes.COOKIE)
        scan.crawl(10)
        found = scan.attack()
    for category, path in (
            ("SQL Injection", "GET /item"), ("Path Traversal", "GET /file"),
            ("Cross Site Scripting", "GET /hello"),
            ("Cross Site Scripting", "POST /note"),
            ("Open Redirect", "GET /go"), ("CRLF Injection", "GET /lang"),
            ("Command execution", "GET /run"), ("Backup file", "GET /page"),
            ("Cross Site Request Forgery", "POST /note"),
            ("Content Security Policy Configuration", "GET /"),
            ("HTTP Secure Headers", "GET /")):
        known = any(each[0] == category and each[1].startswith(path)
                    for each in found)
        results.add(f"control wapiti {category}", [] if known else
                    [f"the hole at {path} is not found; it says {found}"])


# ---- sqlmap ---------------------------------------------------------------------------

def reached(answer):
    """Whether a page has answered, to somebody who may see it."""
    return answer.status in (200, 303, 400, 404) and not \
        answer.field("Location").startswith("/login?next")


def scan_target(served, person, name, target):
    """(problems, note) of one target."""
    fields = [place for place in fields_of(target)
              if not place.startswith("/") and place not in
              [file for file, _ in target.files]]
    marks = [place for place in fields_of(target) if place not in fields]
    host = "%s:%d" % served.address
    folder = os.path.join(FOLDER, "sqlmap", person.user or "nobody")
    if not reached(target.send(person)):
        return ["it is not reached"], ""
    before, problems = served.answers(), []
    runs = [(fields, target)] if fields else []
    runs += [([], sqlmap_runs.marked(target, person, place))
             for place in marks]
    for number, (places, request) in enumerate(runs):
        outcome = sqlmap_runs.run(
            folder, f"{name}-{number}",
            sqlmap_runs.request_text(request, person, host), places)
        problems += outcome.findings
        problems += [f"{place} was not tested" for place in places
                     if place not in outcome.tested]
        if not places and not outcome.tested:
            problems.append("nothing was tested at the mark")
    given = difference(before, served.answers())
    if given["5xx"]:
        problems.append(f"{given['5xx']} answers were 5xx")
    if person.user and not person.here():
        problems.append("the login has ended meanwhile")
    return problems, f"({', '.join(fields + marks)}: {sum(given.values())} " \
        "answers)"


def header_target(person):
    """Fields of the head, once: they mean the same on every page."""
    return crawl.Target("GET", "/mail" if person.user else "/login", [])


def scan_headers(served, person):
    target, before = header_target(person), served.answers()
    places = ["User-Agent", "Referer", "Host"]
    places += ["barepost"] if person.user else []
    outcome = sqlmap_runs.run(
        os.path.join(FOLDER, "sqlmap", person.user or "nobody"), "head",
        sqlmap_runs.request_text(target, person, "%s:%d" % served.address),
        places)
    problems = outcome.findings + [
        f"{place} was not tested" for place in places
        if place not in outcome.tested]
    given = difference(before, served.answers())
    return problems + [f"{given['5xx']} answers were 5xx"] * bool(
        given["5xx"]), f"({sum(given.values())} answers)"


def sqlmap_worker(jobs, results):
    """One machine, which takes target after target."""
    with Served() as served:
        people = {}
        while True:
            try:
                user, number = jobs.get_nowait()
            except queue.Empty:
                return
            if user not in people:
                person = crawl.Person(served.address, user)
                people[user] = person, all_targets(person)
            person, targets = people[user]
            name = f"sqlmap {user or 'nobody'} "
            if number < 0:
                results.add(name + "head", *scan_headers(served, person))
                continue
            if person.user and not person.here():
                person.log_in(user, user + "-demo")
            target = targets[number]
            results.add(name + str(target), *scan_target(
                served, person, f"{number:03}", target))


def scan_by_sqlmap(results, users):
    jobs = queue.Queue()
    with Served() as served:
        for user in users:
            jobs.put((user, -1))
            person = crawl.Person(served.address, user)
            for number, target in enumerate(all_targets(person)):
                if fields_of(target):
                    jobs.put((user, number))
    print(f"sqlmap: {jobs.qsize()} requests", flush=True)
    count = min(os.cpu_count() or 1, 4)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(sqlmap_worker, jobs, results)
                     for _ in range(count)]:
            done.result()


# ---- wapiti ---------------------------------------------------------------------------

def is_accepted(finding):
    category, path, _, info = finding
    return any(category == known and path.startswith(place) and begin in info
               for known, place, begin in ACCEPTED)


def scan_by_wapiti(results, user):
    name = f"wapiti {user or 'nobody'}"
    with Served() as served:
        person = crawl.Person(served.address, user)
        scan = wapiti_runs.Wapiti(os.path.join(FOLDER, "wapiti",
                                               user or "nobody"),
                                  served.address, person.cookie)
        before = served.answers()
        scan.crawl(0 if user else 10, *STARTS[user])
        own = len(scan.found())
        for target in all_targets(person):
            answer = target.send(person)
            scan.add(target, person, answer.status, answer.fields)
        found = scan.found()
        findings = scan.attack()
        given = difference(before, served.answers())
        problems = [": ".join(map(str, finding)) for finding in findings
                    if not is_accepted(finding)]
        problems += scan.unfinished()
        if given["5xx"]:
            problems.append(f"{given['5xx']} answers were 5xx")
        if user and not person.here():
            problems.append("the login has ended meanwhile")
        results.add(name, problems,
                    f"({own} requests found, {len(found)} attacked, "
                    f"{sum(given.values())} answers)")


# ---- All ------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("sqlmap", "wapiti", "control"))
    parser.add_argument("--person", choices=PEOPLE)
    options = parser.parse_args()
    users = [PEOPLE[options.person]] if options.person else \
        list(PEOPLE.values())
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    results = Results()
    if options.only in (None, "control", "sqlmap"):
        control_sqlmap(results)
    if options.only in (None, "control", "wapiti"):
        control_wapiti(results)
    if options.only in (None, "sqlmap"):
        scan_by_sqlmap(results, users)
    if options.only in (None, "wapiti"):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(scan_by_wapiti, results, user)
                         for user in users]:
                done.result()
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
