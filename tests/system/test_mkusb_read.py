"""mkusb reads sticks, keeps their mail when it updates them, and finds damage.

The store is filled by sqlite3 with the schema of mailstore/schema.c.
"""
import mailbox
import os
import re
import sqlite3
import struct

import pytest

from mkusb_sticks import (  # also the fixtures
    MIB, PARTITION, ao, check_file_system, digest, file_offset, image, master,
    mkusb, program_on, put_at, query, store_of, tool, users)

# ---- Reading ----------------------------------------------------------------------

MESSAGES = [
    ("carol@example.net", "Hello", b"Subject: Hello\r\n\r\nfirst\r\n"),
    ("", "", b"\r\nno header, and bytes \x00\x80\xff\r\r\n.\r\n"),
    ("dave@example.net", "Big", b"Subject: Big\r\n\r\n" +
     b"".join(b"line %07d\r\n" % n for n in range(20000))),
    ("eve@example.net", "\x1b[31mred \u00fc", b"Subject: red\r\n\r\nx\r\n"),
]


def add_message(connection, mail_id, owner, mailbox_name, sender, subject, body):
    box = connection.execute(
        "SELECT MailboxID,UIDNext FROM mailbox JOIN user USING(UserID) "
        "WHERE user.Name=? AND mailbox.Name=?", (owner, mailbox_name)).fetchone()
    parts = [body[at:at + 65536] for at in range(0, len(body), 65536)]
    connection.execute("INSERT INTO message VALUES(?,?,?,?,?,?,NULL)",
                       (mail_id, sender, subject, 1700000000000 + mail_id,
                        len(body), len(parts)))
    for index, part in enumerate(parts):
        connection.execute("INSERT INTO body VALUES(?,?)",
                           (mail_id << 12 | index, part))
    connection.execute("INSERT INTO entry VALUES(?,?,?,?,0)",
                       (box[0], box[1], mail_id, len(body)))
    connection.execute("UPDATE mailbox SET UIDNext=UIDNext+1 "
                       "WHERE MailboxID=?", (box[0],))


def fill(database):
    """Opens the store and adds the messages; the connection stays open, so
    that they are still in the WAL."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("BEGIN")
    connection.execute("UPDATE setting SET Value='1000' "
                       "WHERE Key='mail_id_limit'")
    connection.execute(
        "INSERT INTO mailbox(UserID,Name,UIDValidity) SELECT UserID,"
        "'Sent/2026',1 FROM user WHERE Name='alice'")
    for number, (sender, subject, body) in enumerate(MESSAGES, 1):
        add_message(connection, number, "alice", "Inbox", sender, subject, body)
    add_message(connection, 9, "alice", "Sent/2026", "a@x", "sent", b"s\r\n")
    add_message(connection, 10, "bob", "Inbox", "b@x", "for bob", b"b\r\n")
    connection.execute("UPDATE entry SET Flags=5 WHERE MailID=9")
    connection.execute("COMMIT")
    return connection


def put_back(image, folder):
    for name in ("mail.db", "mail.db-wal"):
        with open(folder / name, "rb") as file:
            put_at(image, file_offset(image, name), file.read())


@pytest.fixture(params=["in the WAL", "in mail.db"])
def filled(image, tmp_path, request):
    """A stick with mail that was cut off before, or after, a checkpoint."""
    folder = tmp_path / "filling"
    connection = fill(store_of(image, folder))
    if request.param == "in mail.db":
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = os.path.getsize(folder / "mail.db-wal")
        with open(folder / "mail.db-wal", "r+b") as wal:
            wal.truncate(max(size, MIB))
    else:
        assert os.path.getsize(folder / "mail.db-wal") > len(MESSAGES[2][2])
    put_back(image, folder)
    connection.close()
    return image


def test_inspect(filled):
    before = digest(filled)
    text = mkusb("--inspect", filled).ok().out
    assert re.search(r"^alice +Inbox +4 +4 ", text, re.M)
    assert re.search(r"^alice +Sent/2026 +1 +0 ", text, re.M)
    assert re.search(r"^bob +Inbox +1 ", text, re.M)
    assert "Drafts" not in text
    assert "domains: example.org" in text
    text = mkusb("--inspect", "--user", "ALICE", filled).ok().out
    assert re.search(r"^-F--- Sent/2026 +1 ", text, re.M)
    assert re.search(r"^N---- Inbox +1 +2023-11-14 22:13:20 +\d+ +"
                     r"<carol@example.net> +Hello$", text, re.M)
    assert "<>" in text and "for bob" not in text
    assert "\x1b" not in text and "?[31mred \u00fc" in text
    mkusb("--inspect", "--user", "mallory", filled).refused("mallory")
    assert digest(filled) == before


def test_export(filled, tmp_path):
    before = digest(filled)
    folder = tmp_path / "eml"
    mkusb("--inspect", "--export", folder, filled).ok()
    for uid, (_, _, body) in enumerate(MESSAGES, 1):
        path = folder / "alice" / "Inbox" / f"{uid:08}.eml"
        assert path.read_bytes() == body
        assert int(path.stat().st_mtime) == 1700000000
    assert (folder / "alice" / "Sent%2F2026" / "00000001.eml").exists()
    assert (folder / "bob" / "Inbox" / "00000001.eml").read_bytes() == b"b\r\n"
    assert sum(len(files) for _, _, files in os.walk(folder)) == 6
    mkusb("--inspect", "--export", folder, filled).refused("not empty")
    only = tmp_path / "bob only"
    only.mkdir()
    mkusb("--inspect", "--user", "bob", "--export", only, filled).ok()
    assert os.listdir(only) == ["bob"]
    mkusb("--inspect", "--export", tmp_path / "no" / "x", filled).refused(
        "cannot be made")
    assert digest(filled) == before


def test_export_maildir(filled, tmp_path):
    folder = tmp_path / "maildirs"
    mkusb("--inspect", "--export", folder, "--format", "maildir", filled).ok()
    inbox = mailbox.Maildir(folder / "alice", create=False)
    bodies = sorted(inbox.get_bytes(key) for key in inbox.keys())
    assert bodies == sorted(body.replace(b"\r\n", b"\n")
                            for _, _, body in MESSAGES)
    sent = inbox.get_folder("Sent%2F2026")
    assert [message.get_flags() for message in sent] == ["FS"]
    assert all(message.get_flags() == "" for message in inbox)
    assert len(mailbox.Maildir(folder / "bob", create=False)) == 1


def damage(image, tmp_path, *statements):
    """What others' programs may have left in a store."""
    connection = fill(store_of(image, tmp_path / "filling"))
    for statement in statements:
        connection.execute(statement)
    put_back(image, tmp_path / "filling")
    connection.close()


@pytest.mark.parametrize("form", ["eml", "maildir"])
def test_export_of_a_damaged_store(image, tmp_path, form):
    """What can be read is written, and what cannot is told."""
    damage(image, tmp_path, f"DELETE FROM body WHERE BodyID={3 << 12 | 1}",
           f"DELETE FROM body WHERE BodyID={1 << 12}")
    folder = tmp_path / "rescued"
    done = mkusb("--inspect", "--export", folder, "--format", form, image)
    done.refused("message 1 cannot be read", "message 3 cannot be read",
                 "4 messages written", "damaged")
    assert sum(len(files) for _, _, files in os.walk(folder)) == 4


def test_rescue_of_a_store_that_cannot_start(image, tmp_path):
    """What only a server needs is damaged."""
    damage(image, tmp_path,
           "UPDATE setting SET Value='none' WHERE Key='mail_id_limit'")
    folder = tmp_path / "rescued"
    mkusb("--inspect", "--export", folder, image).ok()
    assert sum(len(files) for _, _, files in os.walk(folder)) == 6
    mkusb("--check", image).refused("damaged")


def test_rescue_where_a_list_is_damaged(image, tmp_path):
    """The mail is had although what else there is cannot be shown."""
    damage(image, tmp_path, "DROP TABLE login", "DROP TABLE queue")
    folder = tmp_path / "rescued"
    done = mkusb("--inspect", "--export", folder, image)
    done.refused("the queue cannot be read", "the list of logins cannot")
    assert "alice" in done.out
    assert sum(len(files) for _, _, files in os.walk(folder)) == 6
    only = tmp_path / "bob only"
    mkusb("--inspect", "--user", "bob", "--export", only, image).refused(
        "the list of logins cannot")
    assert os.listdir(only) == ["bob"]


def test_names_cannot_drive_the_terminal(image, tmp_path):
    damage(image, tmp_path,
           "UPDATE mailbox SET Name='Sent\x1b]0;x\x07\u009b2J'"
           " WHERE Name='Sent/2026'",
           "UPDATE user SET Name='b\x1b[2Jb' WHERE Name='bob'",
           "INSERT INTO log VALUES(1,1,NULL,'\x1b[2J','\x1b[2J')")
    for options in [[], ["--user", "alice"], ["--log"]]:
        done = mkusb("--inspect", *options, image).ok()
        assert "\x1b" not in done.out and "\u009b" not in done.out
        assert "?[2J" in done.out or "Sent?]0;x??2J" in done.out


def test_update_keeps_mail(filled, ao, tmp_path):
    offsets = {name: file_offset(filled, name)
               for name in ("mail.db", "mail.db-wal")}
    store_of(filled, tmp_path / "before")
    new = tmp_path / "new" / "new ao"
    new.parent.mkdir()
    (new.parent / "BOOTX64.EFI").write_bytes(b"MZ" + os.urandom(100000))
    header = struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)
    new.write_bytes(header + os.urandom(900000))
    tool("mdel", "-i", f"{filled}{PARTITION}", "::/README.TXT")
    put_at(filled, 0, bytes(440))
    mkusb("--check", filled).refused("--update")
    mkusb("--update", "--ao", new, filled).ok()
    check_file_system(filled, tmp_path)
    assert program_on(filled, "ao") == new.read_bytes()
    assert program_on(filled, "ao.old") == ao.read_bytes()
    store_of(filled, tmp_path / "after")
    for name, offset in offsets.items():
        assert file_offset(filled, name) == offset
        assert digest(tmp_path / "before" / name) == digest(
            tmp_path / "after" / name)
    (own,) = query(tmp_path / "after" / "mail.db",
                   "SELECT Value FROM setting WHERE Key='store_id'")
    assert f"mode=run store={own}\n" in tool(
        "mtype", "-i", f"{filled}{PARTITION}",
        "::/boot/syslinux/syslinux.cfg").out
    mkusb("--check", filled).ok()
    assert re.search(r"^alice +Inbox +4 ", mkusb("--inspect", filled).ok().out,
                     re.M)


def make_ao(folder, size):
    folder.mkdir()
    (folder / "BOOTX64.EFI").write_bytes(b"MZ" + os.urandom(1000))
    header = struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)
    (folder / "ao").write_bytes(header + os.urandom(size))
    return folder / "ao"


def test_update_of_the_program(users, ao, tmp_path):
    """Again, damaged, larger than its room, and larger than the stick's."""
    image = tmp_path / "stick.img"
    drive = f"{image}{PARTITION}"
    mkusb("--users", users, "--ao", ao, "--size", "128M", image).ok()
    first = make_ao(tmp_path / "first", 700_001)
    mkusb("--update", "--ao", first, image).ok()
    mkusb("--update", "--ao", first, image).ok()
    assert program_on(image, "ao.old") == ao.read_bytes()
    put_at(image, file_offset(image, "ao/ao") + 1000, os.urandom(512))
    mkusb("--check", image).refused("program", "ao/ao", "--update")
    mkusb("--update", "--ao", first, image).ok()
    assert program_on(image, "ao") == first.read_bytes()
    put_at(image, file_offset(image, "ao/ao.old") + 1000, os.urandom(512))
    mkusb("--check", image).refused("previous program", "--update")
    mkusb("--update", "--ao", first, image).ok()
    mkusb("--check", image).ok()
    check_file_system(image, tmp_path)
    second = make_ao(tmp_path / "second", 1_048_200)
    mkusb("--update", "--ao", second, image).ok()
    assert "previous program" in mkusb("--check", image).ok().out
    assert program_on(image, "ao") == second.read_bytes()
    check_file_system(image, tmp_path)
    third = make_ao(tmp_path / "third", 3_000_000)
    mkusb("--update", "--ao", third, image).ok()
    assert "no room for a second" in mkusb("--check", image).ok().out
    assert program_on(image, "ao") == third.read_bytes()
    assert "LABEL previous" not in tool(
        "mtype", "-i", drive, "::/boot/syslinux/syslinux.cfg").out
    check_file_system(image, tmp_path)
    mkusb("--update", "--ao", first, image).ok()
    assert program_on(image, "ao") == first.read_bytes()
    mkusb("--check", image).ok()
    check_file_system(image, tmp_path)


def test_update_of_what_is_no_stick(tmp_path, ao):
    target = tmp_path / "x.img"
    mkusb("--update", "--ao", ao, target).refused("there is no")
    with open(target, "wb") as file:
        file.truncate(64 * MIB)
    mkusb("--update", "--ao", ao, target).refused("not a Barepost stick")
    assert os.stat(target).st_blocks == 0


# ---- Damage -------------------------------------------------------------------------

def test_check_of_a_good_stick(filled):
    before = digest(filled)
    text = mkusb("--check", filled).ok().out
    assert "in order" in text and "5 messages" not in text
    assert "6 messages" in text
    assert digest(filled) == before


@pytest.mark.parametrize("mode", ["--check", "--inspect"])
def test_no_stick(tmp_path, mode):
    path = tmp_path / "x.img"
    mkusb(mode, path).refused("there is no")
    path.write_bytes(b"")
    mkusb(mode, path).refused(str(path))
    path.write_bytes(os.urandom(1 << 20))
    mkusb(mode, path).refused(str(path))
    mkusb(mode, "/dev/null").refused("character device")


@pytest.mark.parametrize("mode", ["--check", "--inspect"])
def test_stick_without_store(image, mode):
    tool("mdel", "-i", f"{image}{PARTITION}", "::/mail.db")
    mkusb(mode, image).refused("mail.db")


def test_missing_wal_is_no_damage(image):
    tool("mdel", "-i", f"{image}{PARTITION}", "::/mail.db-wal")
    before = digest(image)
    assert "not there" in mkusb("--check", image).ok().out
    mkusb("--inspect", image).ok()
    assert digest(image) == before


def test_store_of_another_version(image, ao, tmp_path):
    folder = tmp_path / "filling"
    database = store_of(image, folder)
    query(database, "PRAGMA user_version=99; PRAGMA wal_checkpoint(TRUNCATE)")
    put_at(image, file_offset(image, "mail.db"), database.read_bytes())
    put_at(image, file_offset(image, "mail.db-wal"), bytes(MIB))
    mkusb("--inspect", image).refused("another version")
    mkusb("--check", image).refused("another version")
    before = digest(image)
    mkusb("--update", "--ao", ao, image).refused("another version")
    assert digest(image) == before


def test_damaged_database(image, tmp_path):
    """Pages overwritten with noise behind the first."""
    offset = file_offset(image, "mail.db")
    put_at(image, file_offset(image, "mail.db-wal"), bytes(MIB))
    put_at(image, offset + 2 * 4096, os.urandom(20 * 4096))
    mkusb("--check", image).refused("damaged")


def test_message_without_body(image, tmp_path):
    folder = tmp_path / "filling"
    connection = fill(store_of(image, folder))
    connection.execute("DELETE FROM body WHERE BodyID=?", (3 << 12 | 1,))
    put_back(image, folder)
    connection.close()
    mkusb("--check", image).refused("damaged", "message 3")


def fat_of(image):
    with open(image, "rb") as file:
        file.seek(MIB)
        boot = file.read(512)
    reserved = struct.unpack_from("<H", boot, 14)[0]
    length = struct.unpack_from("<I", boot, 36)[0]
    return MIB + reserved * 512, length * 512


def first_cluster(image, name):
    shown = tool("mshowfat", "-i", f"{image}{PARTITION}", f"::/{name}").out
    return int(re.search(r"<(\d+)", shown)[1])


@pytest.mark.parametrize("kind, part", [
    ("copies", "copies"), ("outside", "leads out"), ("crossed", "two files"),
    ("pieces", "one piece")])
def test_damaged_fat(image, kind, part):
    start, length = fat_of(image)
    cluster = first_cluster(image, "mail.db")
    ao = first_cluster(image, "ao/ao")

    def entry(number, value, copies=(0, 1)):
        for copy in copies:
            put_at(image, start + copy * length + 4 * number,
                   struct.pack("<I", value))
    if kind == "copies":
        entry(cluster + 5, 0, copies=(1,))
    elif kind == "outside":
        entry(ao + 3, 0x0ABCDEF0)
    elif kind == "crossed":
        entry(ao + 3, cluster + 9)
    else:  # one cluster of mail.db is left out of its chain
        entry(cluster + 3, cluster + 5)
        entry(cluster + 4, 0)
    mkusb("--check", image).refused("damaged", part)


def test_image_that_was_cut_short(image):
    os.truncate(image, 40 * MIB)
    done = mkusb("--check", image)
    done.refused(str(image))


# ---- USB -------------------------------------------------------------------------------

def test_list():
    done = mkusb("--list").ok()
    assert "No USB storage" in done.out or "VENDOR" in done.out
