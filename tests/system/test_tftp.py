"""Files loaded over the network from the AO's menu: from QEMU's own TFTP server,
and from atftpd, which knows windows."""
import os
import random
import shutil

import lan
import mail
import stick
from conftest import choose_load
from updates import builds, update

DEPS = os.path.join(stick.ROOT, "build", "deps")
SERVED = "/srv/tftp"
USERS = """username,password,name,quota_mb,admin,aliases,forward
anna,new-secret,Anna the Second,50,yes,chief,
carla,carla-secret,Carla,,no,hello office,
"""


def open_page(machine):
    """Once it has an address of its own."""
    machine.expect_screen("Power off")
    machine.send("7")
    machine.expect_screen("net: address=10")
    machine.send("\x1b")
    machine.expect_screen("Power off")
    machine.send("f")
    machine.expect_screen("TFTP server")


def load(machine, server, name, seen):
    """Fills in the page's form, and waits until the page says so."""
    machine.send(b"\x1b[A\x15" + server.encode() + b"\r\x15" + name.encode() + b"\r")
    return machine.expect_screen(seen)


def write(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return content


def check_logins(address):
    for user, password in (("anna", "new-secret"), ("carla", "carla-secret"),
                           ("bert", "bert-demo")):
        client = mail.Pop3(address, user, password)
        client.quit()


def test_from_qemu(copy_stick, boot, tmp_path):
    folder = str(tmp_path / "served")
    os.mkdir(folder)
    write(folder, "users.csv", USERS.encode())
    write(folder, "wrong.csv", USERS.replace("carla,c", "c rla,c").encode())
    script = write(folder, "make.sql", b"CREATE TABLE t(a);\n" * 5000)
    write(folder, "notext.sql", b"CREATE\0\xff")
    write(folder, "large.bin", bytes(9 << 20))
    server = boot(copy_stick, tftp=folder)
    machine = server.machine
    choose_load(machine)
    open_page(machine)
    load(machine, "10.0.2.2", "none.csv", "was not fetched: not found")
    load(machine, "10.0.2.2", "wrong.csv", r"line 3: .*nothing was changed")
    load(machine, "10.0.2.2", "large.bin", "was not fetched: .*limit")
    load(machine, "10.0.2.2", "notext.sql", "cannot be kept: it is no text")
    load(machine, "10.0.2.2", "users.csv", "users.csv: 1 users added, 1 changed")
    load(machine, "10.0.2.2", "make.sql", f"{len(script)} bytes, kept among")
    machine.send("\x1b")
    machine.expect_screen("Power off")
    machine.send("1")
    machine.expect_screen("serving mail")
    check_logins(server.pop3)
    for alias in ("office", "chief"):
        assert mail.send_one(server.smtp, f"{alias}@{stick.DOMAIN}",
                             b"Subject: x\r\n\r\nx\r\n")[0] == 250
    database = server.store()
    assert stick.query(database, "SELECT Name, Bytes FROM file") == \
        [["make.sql", str(len(script))]]
    assert stick.query(database, "SELECT QuotaBytes, FullName FROM user WHERE "
                       "Name='anna'") == [[str(50 << 20), "Anna the Second"]]


def test_at_start(boot, tmp_path):
    folder = str(tmp_path / "served")
    os.mkdir(folder)
    write(folder, "users.csv", USERS.encode())
    write(folder, "notes.txt", b"notes")
    image = stick.make(str(tmp_path / "start.img"), "--set", "load_at_start="
                       "10.0.2.2/users.csv 10.0.2.2/notes.txt")
    server = boot(image, tftp=folder).run()
    server.machine.expect_screen("users.csv: 1 users added, 1 changed")
    server.machine.expect_screen("notes.txt: 5 bytes, kept among")
    check_logins(server.pop3)


def test_from_atftpd(net, fresh_stick, boot, tmp_path):
    content = random.Random(5).randbytes(100_000).hex() + "."
    host = net.host("tftp.example", 69, "atftpd --daemon --no-fork --verbose=7 "
                    f"--logfile - --user root --group root {SERVED}",
                    tree=os.path.join(DEPS, "atftpd"),
                    files={SERVED + "/users.csv": USERS,
                           SERVED + "/random.bin": content})
    image = stick.make(str(tmp_path / "lan.img"), *lan.STICK_OPTIONS)
    server = boot(image, network=net.tap())
    machine = server.machine
    choose_load(machine)
    open_page(machine)
    load(machine, host.address, "users.csv", "1 users added, 1 changed")
    load(machine, host.address, "random.bin", "200001 bytes, kept among")
    parts = stick.query(server.store(), "SELECT hex(Bytes) FROM file_part "
                        "ORDER BY PartID")
    assert bytes.fromhex("".join(part for part, in parts)) == \
        content.encode()
    # More than is held in memory: the server has to wait for the stick.
    _, new, ao = builds()
    with open(host.path(SERVED + "/new.update"), "wb") as file:
        file.write(update.update(ao, new))
    load(machine, host.address, "new.update", "Checked and ready: next")
    shutil.rmtree(server.folder, ignore_errors=True)
