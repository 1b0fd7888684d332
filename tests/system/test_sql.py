"""SQL at the console: the prompt in the AO menu, by the serial line."""
import os
import re
import subprocess

import mail
import stick
from conftest import choose_load
from test_menu import MENU, keep_screen


def at_prompt(boot, image, **options):
    machine = boot(image, **options).machine
    choose_load(machine)
    machine.expect_screen(MENU)
    machine.expect_screen(r"store [0-9a-f]{8} on")
    machine.send("s")
    machine.expect_screen(r"sqlite>")
    return machine


def ask(machine, line, seen=r"^"):
    """Types a line and waits until its answer and the next prompt are there."""
    machine.send(line + "\r")
    machine.expect_screen(r"sqlite> " + re.escape(line[-60:].split("\r")[-1]) +
                          r"[\s\S]*" + seen + r"[\s\S]*sqlite> *$")


def data_of(image, folder):
    """data.db, copied out as a file manager would."""
    os.makedirs(folder, exist_ok=True)
    for name in ("data.db", "data.db-wal"):
        stick.run("mcopy", "-n", "-o", "-i", image + stick.PARTITION,
                  "::/" + name, os.path.join(folder, name))
    return os.path.join(folder, "data.db")


def test_prompt(copy_stick, boot, tmp_path):
    """Statements over lines, commands, editing, history, errors, the fence;
    and what was written is there after a power cut."""
    script = tmp_path / "t1.sql"
    script.write_text("CREATE TABLE mail (MailID varchar(4), Sender text,\n"
                      " Message text); -- the paper's\n.tables\n"
                      "insert into mail values('0001','bpc0002','Hello;');\n")
    stick.run("mcopy", "-i", copy_stick + stick.PARTITION, str(script),
              "::/t1.sql")
    machine = at_prompt(boot, copy_stick)
    ask(machine, "select 6*7 as answer, 'x' as y;", r"answer +y[\s\S]*42 +x")
    machine.send("create table t(a,\r")
    machine.expect_screen(r"   \.\.\.> *$")
    machine.send("b);\r")
    machine.expect_screen(r"Error: .*read-only")
    ask(machine, ".write on")
    ask(machine, ".read t1.sql", r"mail")
    ask(machine, "select * frm mail;", r"line 1, column 10: near .frm")
    # Up brings it back; the cursor goes to "frm" and puts the o in.
    machine.send("\x1b[A" + "\x1b[D" * 7 + "o\r")
    machine.expect_screen(r"0001 +bpc0002 +Hello;")
    ask(machine, "begin; insert into mail values(2,'x','y');")
    ask(machine, "rollback; select count(*) as rows_left from mail;",
        r"rows_left[\s\S]*1")
    ask(machine, ".mode csv")
    ask(machine, "select 'a,b' as c;", r'"a,b"')
    ask(machine, ".mode json\r.timer on\rselect 1 as one;",
        r'\[\{"one":1\}\][\s\S]*Run Time: real 0')
    ask(machine, ".mode csv\r.timer off")
    ask(machine, "create temp table j as select hex(zeroblob(50)) z;")
    ask(machine, "update j set z=replace(z,0,'[')||replace(z,0,']');")
    ask(machine, "select json_valid(z) from j;", r"^1 *$")
    ask(machine, "select '[7]' ->> 0, round(pow(2,sin(1)),4);",
        r"^7,1\.7919 *$")
    ask(machine, ".schema mail", r"CREATE TABLE mail")
    keep_screen(machine, "sql-prompt")
    ask(machine, ".use mail")
    ask(machine, ".mode list")
    ask(machine, "select Name, Password from user where Name='anna';",
        r"Name\|Password[\s\S]*anna\|\s")
    ask(machine, "delete from user;", r"mail.db can be read here, not written")
    ask(machine, "attach 'x' as y;", r"no other file can be reached")
    ask(machine, ".write on", r"mail.db can be read here, not written")
    machine.send(".quit\r")
    machine.expect_screen(MENU)
    machine.power_cut()
    rows = stick.query(data_of(copy_stick, str(tmp_path / "out")),
                       "SELECT * FROM mail; PRAGMA integrity_check")
    assert rows == [["0001", "bpc0002", "Hello;"], ["ok"]]


def test_pages_and_interrupt(copy_stick, boot):
    machine = at_prompt(boot, copy_stick)
    machine.send("with n(i) as (values(1) union all select i+1 from n limit 99)"
                 " select i as n from n;\r")
    machine.expect_screen(r"-- more --")
    machine.send(" ")
    machine.expect_screen(r"^36\b")
    machine.send("q")
    machine.expect_screen(r"sqlite> *$")
    machine.send("with n(i) as (values(1) union all select i+1 from n)"
                 " select count(*) from n;\r")
    machine.expect_screen("running")
    machine.send("\x03")
    machine.expect_screen("Error: interrupted")
    machine.send("\x1b")
    machine.expect_screen(MENU)


def test_mail_goes_on(copy_stick, boot, tmp_path):
    """A cross join runs at the prompt; messages arrive as before."""
    server = boot(copy_stick)
    server.run()
    machine = server.machine
    machine.send("m")
    machine.expect_screen(MENU)
    machine.send("s")
    machine.expect_screen(r"sqlite>")
    machine.send(".use mail\rselect count(*) from setting a, setting b,"
                 " setting c, setting d, setting e, setting f;\r")
    machine.expect_screen("running")
    for number in range(3):
        assert mail.send_one(server.smtp, "anna", b"Subject: %d\r\n\r\nx\r\n" % number)
    machine.expect_screen("running")
    machine.send("\x03")
    machine.expect_screen("Error: interrupted")


def test_old_stick(copy_stick, boot):
    """One without data.db works; SQL says what is missing."""
    stick.run("mdel", "-i", copy_stick + stick.PARTITION, "::/data.db",
              "::/data.db-wal")
    stick.change_store(copy_stick, copy_stick + ".d",
                       "DELETE FROM setting WHERE Key='data_bytes'")
    machine = at_prompt(boot, copy_stick)
    ask(machine, "select 1;", r"this stick has no data.db")
    ask(machine, ".use mail")
    ask(machine, "select 6*7;", r"42")


def test_data_made_again(copy_stick, boot, tmp_path):
    """A removed data.db is there again after the next start."""
    stick.run("mdel", "-i", copy_stick + stick.PARTITION, "::/data.db",
              "::/data.db-wal")
    machine = at_prompt(boot, copy_stick)
    ask(machine, ".write on")
    ask(machine, "create table t(a); insert into t values(7);")
    machine.power_cut()
    database = data_of(copy_stick, str(tmp_path / "out"))
    assert stick.query(database, "SELECT a FROM t") == [["7"]]
    done = subprocess.run([stick.MKUSB, "--check", copy_stick],
                          stdout=subprocess.PIPE, timeout=120, check=False)
    assert done.returncode == 0 and re.search(rb"data.db: \d+", done.stdout)


def test_pulled_stick(copy_stick, boot):
    """The query ends; with the stick back the prompt goes on."""
    machine = at_prompt(boot, copy_stick)
    ask(machine, ".use mail")
    machine.send("select count(*) from setting a, setting b, setting c,"
                 " setting d, setting e, setting f, setting g, setting h,"
                 " setting i, setting j;\r")
    machine.expect_screen("running")
    machine.pull_stick()
    machine.expect_screen("Error: ")
    machine.plug_stick()
    machine.send("\x1b")
    machine.expect_screen(r"store [0-9a-f]{8} on")
    machine.send("s")
    ask(machine, "select count(*) from user;", r"^2\b")


def test_size_of_data(tmp_path):
    """As a setting says; kept by --update, whatever it holds."""
    image = str(tmp_path / "stick.img")
    stick.make(image, "--set", "data_bytes=16M")
    listed = stick.run("mdir", "-i", image + stick.PARTITION, "::/")
    assert re.search(r"data +db +16777216 ", listed), listed
    with open(image, "r+b") as file:
        file.seek(stick.file_offset(image, "data.db") + 8192)
        file.write(b"kept by --update")
    stick.run(stick.MKUSB, "--update", image)
    with open(image, "rb") as file:
        file.seek(stick.file_offset(image, "data.db") + 8192)
        assert file.read(16) == b"kept by --update"
    stick.make(image, "--yes", "--set", "data_bytes=0")
    assert "data" not in stick.run("mdir", "-b", "-i",
                                   image + stick.PARTITION, "::/")
    for wrong in ("data_bytes=1K", "data_bytes=many", "data_access=all"):
        done = subprocess.run([stick.MKUSB, "--users", stick.USERS, "--set",
                               wrong, str(tmp_path / "x.img")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60, check=False)
        assert done.returncode != 0 and b"data_" in done.stdout
