"""Time, addresses and names on the local network, with real programs: chrony as
time server, busybox as DHCP server, python3-zeroconf and the kernel's own
multicast for "<hostname>.local"."""
import os
import re
import socket
import sqlite3
import struct
import time

import pytest
from zeroconf import DNSOutgoing, DNSQuestion, IPVersion, Zeroconf

import namespace
import peers
import stick
from conftest import Booted
from lan import NO_COMPUTER
from namespace import GUEST, HOST
from netpc import NetPc
from stick import HOSTNAME

GROUP = ("224.0.0.251", 5353)
TYPE_A, TYPE_PTR, TYPE_AAAA, CLASS_IN = 1, 12, 28, 1
CHRONY = """local stratum 5
allow
cmdport 0
pidfile /run/chronyd.pid
user root
"""
UDHCPD = """start 10.0.2.200
end 10.0.2.210
interface eth0
lease_file /run/leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
option router 10.0.2.2
option dns 10.0.2.61 10.0.2.62
option ntpsrv 10.0.2.75 10.0.2.76
option lease 3600
"""


AVAHI = """[server]
host-name=barepost
use-ipv6=no
enable-dbus=no
ratelimit-interval-usec=0
[publish]
publish-workstation=no
"""


def wait_log(host, text, limit_s=30):
    deadline = time.monotonic() + limit_s
    while text not in host.log():
        assert time.monotonic() < deadline, host.log()
        time.sleep(0.05)
    return host


def chrony(net, number, extra=""):
    return wait_log(net.host(
        f"time{number}", number, "exec chronyd -x -d -f /etc/chrony.conf",
        tree=os.path.join(peers.DEPS, "chrony"),
        files={"/etc/chrony.conf": CHRONY + extra}), "starting")


def udhcpd(net, number):
    return net.host(
        f"dhcp{number}", number,
        "touch /run/leases; exec busybox udhcpd -f /etc/udhcpd.conf",
        tree=os.path.join(peers.DEPS, "busybox-static"),
        files={"/etc/udhcpd.conf": UDHCPD})


def clock(machine):
    offset, server, stratum = machine.expect("clock ").split()
    return int(offset), server, int(stratum)


# ---- Time -----------------------------------------------------------------------

def test_time(net):
    """Its clock is the day the program was made at first: two must agree."""
    hosts = [chrony(net, number) for number in (71, 72)]
    machine = NetPc(net, 21)
    machine.expect("address")
    before = time.time()
    machine.send("ntp " + " ".join([NO_COMPUTER] +
                                   [host.address for host in hosts]))
    offset, server, stratum = clock(machine)
    assert server in [host.address for host in hosts] and stratum == 5
    assert abs(offset / 1000 + 1767225600 - before) < 60
    machine.send("ntp " + hosts[1].address)
    offset, server, _ = clock(machine)
    assert server == hosts[1].address and abs(offset) < 250
    assert machine.close() == 0


def test_time_refused(net):
    """One answers to nobody, the next one does."""
    closed = chrony(net, 73, "deny all\n")
    open_one = chrony(net, 74)
    machine = NetPc(net, 22)
    machine.expect("address")
    machine.send(f"ntp {closed.address} {open_one.address}")
    assert clock(machine)[1] == open_one.address
    assert machine.close() == 0


def test_empty_battery(net, tmp_path):
    """A PC whose clock says 2001: set by two servers that agree; without them
    it knows at its next start what time it is not before."""
    hosts = [chrony(net, number) for number in (77, 78)]
    image = stick.make(
        str(tmp_path / "stick.img"), *namespace.STICK_OPTIONS,
        ntp=" ".join(host.address for host in hosts))
    options = {"network": net.tap(), "extra": ["-rtc", "base=2001-02-03"]}
    ao = Booted(str(tmp_path), image, **options).run()
    year = time.strftime("%Y-%m-", time.gmtime())
    ao.machine.expect_screen(rf"Clock\s+{year}.* by 10\.0\.2\.7[78]")
    deadline = time.monotonic() + 30
    floor = ()
    while not floor and time.monotonic() < deadline:
        with sqlite3.connect(ao.store()) as store:
            floor = store.execute(
                "SELECT Value FROM setting WHERE Key='time_floor'").fetchone()
    assert abs(int(floor[0]) - time.time()) < 120
    ao.close()
    for host in hosts:
        host.close()
    ao = Booted(str(tmp_path), image, **options).run()
    ao.machine.expect_screen(rf"Clock\s+{year}.* by this PC alone")
    ao.machine.expect_screen("set to the last known time")
    ao.close()


# ---- DHCP -----------------------------------------------------------------------

def test_dhcp(net):
    """A lease, with everything that is told with it."""
    server = wait_log(udhcpd(net, 80), "started")
    time_servers = [chrony(net, number).address for number in (75, 76)]
    machine = NetPc(net, 0, dhcp=True)
    address = machine.expect("address ")
    assert re.fullmatch(r"10\.0\.2\.2\d\d", address)
    assert machine.expect("dns ").split() == ["10.0.2.61", "10.0.2.62"]
    machine.send("ntp")
    assert clock(machine)[1] in time_servers
    assert address in server.log()
    assert machine.close() == 0


# ---- Multicast DNS ---------------------------------------------------------------

def question(kind, name, class_=CLASS_IN):
    labels = b"".join(bytes([len(label)]) + label.encode()
                      for label in name.split(".")) + b"\0"
    return struct.pack(">6H", 7, 0, 1, 0, 0, 0) + labels + \
        struct.pack(">2H", kind, class_)


def legacy(kind, name, limit_s=3):
    """What a resolver that knows no multicast gets: (answers, whole)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                         socket.inet_aton(HOST))
        asker.settimeout(limit_s)
        asker.sendto(question(kind, name), GROUP)
        try:
            answer, sender = asker.recvfrom(2000)
        except socket.timeout:
            return None
    assert sender[1] == 5353 and answer[:2] == b"\0\7"
    return struct.unpack(">H", answer[6:8])[0], answer


@pytest.fixture
def named(net):
    machine = NetPc(net, 25, "barepost")
    assert machine.expect("name ") == "barepost.local"
    yield machine
    if machine.process.poll() is None:
        assert machine.close() == 0


@pytest.fixture
def neighbour(net):
    zeroconf = Zeroconf(interfaces=[HOST], ip_version=IPVersion.V4Only)
    yield zeroconf
    zeroconf.close()


def resolve(zeroconf, name, kind, limit_s=10):
    """The record that a multicast client gets, from its cache in the end."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        records = zeroconf.cache.get_all_by_details(name, kind, CLASS_IN)
        if records:
            return records
        out = DNSOutgoing(0)
        out.add_question(DNSQuestion(name, kind, CLASS_IN))
        zeroconf.send(out)
        time.sleep(0.3)
    return []


def test_mdns_legacy(named):
    count, answer = legacy(TYPE_A, "barepost.local")
    assert count == 1 and answer.endswith(socket.inet_aton(named.address))
    assert legacy(TYPE_A, "BarePost.local")[0] == 1
    assert legacy(TYPE_AAAA, "barepost.local")[0] == 0
    count, answer = legacy(TYPE_PTR, "25.2.0.10.in-addr.arpa")
    assert count == 1 and b"\x08barepost\x05local\0" in answer
    assert legacy(TYPE_A, "somebody.local", 1) is None


def test_mdns_client(named, neighbour):
    """zeroconf sees the address, and forgets it at the goodbye."""
    records = resolve(neighbour, "barepost.local.", TYPE_A)
    assert [record.address for record in records] == \
        [socket.inet_aton(named.address)]
    assert named.close() == 0
    deadline = time.monotonic() + 10
    while any(not record.is_expired(time.time() * 1000)
              for record in neighbour.cache.get_all_by_details(
                  "barepost.local.", TYPE_A, CLASS_IN)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def avahi(net, number):
    return net.host(
        f"avahi{number}", number,
        "mkdir /run/avahi-daemon; exec avahi-daemon --no-drop-root "
        "--no-rlimits --no-chroot --file /etc/avahi.conf",
        tree=os.path.join(peers.DEPS, "avahi-daemon"),
        files={"/etc/avahi.conf": AVAHI}, users={"avahi": 86})


def wait_answer(name, address, limit_s=30):
    deadline = time.monotonic() + limit_s
    while True:
        answer = legacy(TYPE_A, name, 1)
        if answer and answer[1].endswith(socket.inet_aton(address)):
            return
        assert time.monotonic() < deadline, f"{name} is not {address}"


def test_mdns_name_is_taken(net):
    """Avahi has the name already: another one is chosen."""
    host = avahi(net, 91)
    wait_answer("barepost.local", host.address)
    machine = NetPc(net, 26, "barepost")
    assert machine.expect("name ") == "barepost-2.local"
    wait_answer("barepost-2.local", machine.address)
    assert machine.close() == 0
    host.close()


def test_mdns_name_is_kept(net, named):
    """Avahi comes later, and chooses another one."""
    host = avahi(net, 92)
    wait_answer("barepost-2.local", host.address)
    wait_answer("barepost.local", named.address)
    host.close()


def test_mdns_two_of_us(net, named):
    """Two machines with one name."""
    other = NetPc(net, 27, "barepost")
    assert other.expect("name ") == "barepost-2.local"
    assert legacy(TYPE_A, "barepost.local")[1].endswith(
        socket.inet_aton(named.address))
    assert legacy(TYPE_A, "barepost-2.local")[1].endswith(
        socket.inet_aton(other.address))
    assert other.close() == 0


@pytest.mark.parametrize("card", ["e1000", "virtio-net-pci"])
def test_mdns_of_the_server(net, tmp_path, card):
    """The whole server in a PC, with a card that filters groups and one that
    does not."""
    image = stick.make(str(tmp_path / "stick.img"), *namespace.STICK_OPTIONS)
    ao = Booted(str(tmp_path), image, network=net.tap(), nic=card).run()
    label = HOSTNAME.split(".", maxsplit=1)[0]
    wait_answer(label + ".local", GUEST)
    count, answer = legacy(TYPE_PTR, "15.2.0.10.in-addr.arpa")
    assert count == 1 and label.encode() in answer
    ao.machine.expect_screen(r"Address.*" + label + r"\.local")
    ao.close()
