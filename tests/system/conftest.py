"""Sticks and machines for the system tests."""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lan  # noqa: E402
import peers  # noqa: E402
import qemu  # noqa: E402
import stick  # noqa: E402

SCREENS = os.path.join(stick.ROOT, "build", "screens")


def pytest_collection_modifyitems(items):
    """The longest first, so that no worker is left with one at the end."""
    order = ("test_sim", "test_load", "test_mail", "test_queue", "test_kill",
             "test_to_peers", "test_peers", "test_clients")

    def rank(item):
        name = item.module.__name__
        return order.index(name) if name in order else len(order)
    items.sort(key=rank)


@pytest.fixture
def figure(record_property):
    """Notes a sentence with a figure, shown at the end of the run."""
    return lambda sentence: record_property("figure", sentence)


def pytest_terminal_summary(terminalreporter):
    sentences = [sentence for outcome in ("passed", "failed")
                 for report in terminalreporter.stats.get(outcome, [])
                 for name, sentence in report.user_properties
                 if name == "figure"]
    if sentences:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join(sentences) + "\n")


@pytest.fixture(scope="session")
def fresh_stick(tmp_path_factory):
    """A stick as mkusb makes it. Not to be written: see copy_stick."""
    path = str(tmp_path_factory.mktemp("stick") / "fresh.img")
    return stick.make(path)


@pytest.fixture
def copy_stick(fresh_stick, tmp_path):
    """A fresh stick for one test."""
    return copy_image(fresh_stick, str(tmp_path / "stick.img"))


def copy_image(source, target):
    stick.run("cp", "--sparse=always", source, target)
    return target


class Booted:
    """A machine that came up through BIOS and boot menu, and what it used."""

    def __init__(self, folder, image, **options):
        self.folder = folder
        self.stick = image
        self.capture = os.path.join(folder, "wire.pcap")
        self.machine = qemu.Machine(stick=image, capture=self.capture,
                                    **options)
        self.smtp = self.machine.address(25)
        self.pop3 = self.machine.address(110)
        if self.machine.network != "user" or 587 in self.machine.ports:
            self.submission = self.machine.address(587)

    def run(self):
        """Chooses Run and waits until the server answers."""
        choose_run(self.machine)
        self.seconds, self.banner = self.machine.wait_banner(25)
        return self

    def store(self):
        """The store, copied out of the stick as it is now."""
        folder = os.path.join(self.folder, "store")
        shutil.rmtree(folder, ignore_errors=True)
        return stick.extract(self.stick, folder)

    def close(self):
        self.machine.__exit__()


def choose_run(machine):
    """The boot menu's first entry is Run; Enter takes it."""
    machine.expect_screen(r"Run")
    machine.expect_screen(r"Load")
    machine.send("\r")


# In the AO menu: settings can be saved from then on.
STORE_OPEN = r"^\s+store [0-9a-f]{8} on "


def choose_load(machine):
    machine.expect_screen(r"Run")
    machine.expect_screen(r"Load")
    machine.send("\x1b[B")
    machine.send("\r")


@pytest.fixture(scope="module")
def booted(fresh_stick, tmp_path_factory):
    """A running server on a stick of its own, for one module."""
    folder = str(tmp_path_factory.mktemp("booted"))
    image = copy_image(fresh_stick, os.path.join(folder, "stick.img"))
    server = Booted(folder, image).run()
    yield server
    server.close()


@pytest.fixture
def boot(tmp_path):
    """Starts machines that are ended with the test."""
    servers = []

    def start(image, **options):
        folder = str(tmp_path / f"machine{len(servers)}")
        os.makedirs(folder)
        servers.append(Booted(folder, image, **options))
        return servers[-1]
    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def net():
    """A local network; the tests of the module are one of its computers."""
    if lan.why_not():
        pytest.skip(lan.why_not())
    with lan.Lan() as network:
        yield network


@pytest.fixture(scope="module")
def names(net):
    """Its name server."""
    return peers.unbound(net)


@pytest.fixture(scope="module")
def servers(net, names):
    """Postfix, Exim and OpenSMTPD in it, by name, each ready."""
    started = {"Postfix": peers.postfix(net), "Exim": peers.exim(net),
               "OpenSMTPD": peers.opensmtpd(net)}
    return {name: peer.ready() for name, peer in started.items()}
