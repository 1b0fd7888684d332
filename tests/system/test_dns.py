"""The resolver against a real name server: unbound with a zone of its own."""
import os
import time

import pytest

import peers
from lan import NO_COMPUTER
from netpc import NetPc

BIG = 40  # strings of 200 bytes: 8 KB
ZONE = """$ORIGIN example.
$TTL 300
@           SOA ns.example. root.example. 1 3600 900 86400 5
@           NS  ns
ns          A   10.0.2.61
one         A   192.0.2.1
one         AAAA 2001:db8::1
many        A   192.0.2.1
many        A   192.0.2.2
many        A   192.0.2.3
mail        MX  30 c
mail        MX  10 a
mail        MX  20 b
nullmx      MX  0 .
chain       CNAME chain2
chain2      CNAME chain3
chain3      CNAME mail
loop        CNAME loop2
loop2       CNAME loop
toempty     CNAME empty
empty       HINFO x y
tonothing   CNAME nothing
big         TXT {big}
wide        TXT {wide}
spf         TXT "v=spf1 " "-all"
_dmarc      TXT "v=DMARC1; p=none"
"""


# The zones that fail: one of a server that refuses everybody, which leads to
# SERVFAIL, and one that is refused.
CONFIGURATION = """server:
    interface: 0.0.0.0
    access-control: 0.0.0.0/0 {access}
    username: ""
    chroot: ""
    directory: "/etc/unbound"
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
    num-threads: 1
    so-rcvbuf: 0
    outgoing-range: 64
    local-zone: "2.0.10.in-addr.arpa." static
    local-data-ptr: "10.0.2.15 mail.barepost.example"
    local-zone: "lame.example." always_refuse
remote-control:
    control-enable: no
auth-zone:
    name: "example."
    zonefile: "/etc/unbound/example.zone"
    for-upstream: yes
    for-downstream: no
stub-zone:
    name: "broken.example."
    stub-addr: 10.0.2.62
"""


def zone():
    return ZONE.format(
        big=" ".join('"%s"' % (chr(97 + i % 26) * 200) for i in range(BIG)),
        wide='"begin" ' + " ".join(['"x"'] * 700))


def unbound(net, number, access):
    return net.host(
        f"ns{number}", number, "unbound -d -d -c /etc/unbound/unbound.conf",
        tree=os.path.join(peers.DEPS, "unbound"),
        files={"/etc/unbound/unbound.conf":
               CONFIGURATION.format(access=access),
               "/etc/unbound/example.zone": zone()}).wait_port(53)


@pytest.fixture(scope="module")
def server(net):
    return unbound(net, 61, "allow")


@pytest.fixture(scope="module")
def refusing(net):
    return unbound(net, 62, "refuse")


@pytest.fixture
def pc(net, server):
    machine = NetPc(net, 21, dns=[server.address])
    machine.expect("address " + machine.address)
    yield machine
    assert machine.close() == 0


def test_records(pc):
    assert pc.look_up("A", "one.example") == ("ok", False, ["192.0.2.1"])
    assert pc.look_up("AAAA", "One.EXAMPLE.") == ("ok", False, ["2001:db8::1"])
    status, _, answers = pc.look_up("A", "many.example")
    assert status == "ok"
    assert sorted(answers) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert pc.look_up("MX", "mail.example") == (
        "ok", False, ["10 a.example", "20 b.example", "30 c.example"])
    assert pc.look_up("MX", "nullmx.example") == ("ok", False, ["0 ."])
    assert pc.look_up("TXT", "spf.example") == ("ok", False, ["v=spf1 -all"])
    assert pc.look_up("TXT", "_dmarc.example")[0] == "ok"
    assert pc.look_up("PTR", "15.2.0.10.in-addr.arpa") == (
        "ok", False, ["mail.barepost.example"])


def test_no_records(pc):
    assert pc.look_up("A", "nothing.example") == ("noname", False, [])
    assert pc.look_up("MX", "one.example") == ("nodata", False, [])
    assert pc.look_up("A", "empty.example") == ("nodata", False, [])
    assert pc.look_up("A", "no such name") == ("badname", False, [])


def test_aliases(pc):
    assert pc.look_up("MX", "chain.example") == (
        "ok", True, ["10 a.example", "20 b.example", "30 c.example"])
    assert pc.look_up("A", "toempty.example") == ("nodata", True, [])
    assert pc.look_up("A", "tonothing.example") == ("noname", True, [])
    assert pc.look_up("A", "loop.example")[0] == "failed"


def test_long_answers(pc):
    """They do not fit into a datagram: the server says so, TCP brings them."""
    assert pc.look_up("TXT", "big.example") == ("ok", False,
                                                ["a" * 200 + "b" * 55])
    assert pc.look_up("TXT", "wide.example") == ("ok", False,
                                                 ["begin" + "x" * 250])


def test_failing_zones(pc, refusing):
    """The server says so, or says nothing for too long."""
    began = time.monotonic()
    assert pc.look_up("A", "x.broken.example")[0] == "failed"
    assert time.monotonic() - began < 5
    assert pc.look_up("MX", "lame.example")[0] == "failed"
    assert pc.look_up("A", "one.example")[0] == "ok"


def test_many_at_once(pc):
    for number in range(60):
        pc.send(f"lookup A n{number}.example")
    for number in range(60):
        assert pc.expect("n").split()[2] == "noname"


def test_other_servers(net, server, refusing):
    """One that is not there, one that refuses, and one that knows."""
    machine = NetPc(net, 22, dns=[NO_COMPUTER, refusing.address, server.address])
    machine.expect("address")
    assert machine.look_up("MX", "mail.example")[0] == "ok"
    assert machine.look_up("TXT", "big.example")[0] == "ok"
    assert machine.close() == 0
    began = time.monotonic()
    alone = NetPc(net, 23, dns=[refusing.address])
    assert alone.look_up("MX", "mail.example")[0] == "failed"
    assert time.monotonic() - began < 10
    assert alone.close() == 0


def test_server_comes_late(net, server):
    """Nobody answers at first: asked again until somebody does."""
    machine = NetPc(net, 24, dns=["10.0.2.63"])
    machine.expect("address")
    machine.send("lookup A one.example")
    unbound(net, 63, "allow")
    assert machine.expect("one.example A ", 30).startswith("ok")
    assert machine.close() == 0
