"""Many senders at once, and how little the wire and the stick are bothered."""
import load
import mail
import stick
from stick import DOMAIN

MESSAGES = 2000
SESSIONS = 100


def test_hundred_senders_lose_nothing(copy_stick, boot, figure):
    server = boot(copy_stick).run()
    before = server.machine.disk_figures()
    seconds, complaint = load.smtp_source(server.smtp, SESSIONS, MESSAGES,
                                          options=("-d",))
    after = server.machine.disk_figures()
    assert complaint == "", server.machine.serial.screen()
    grown = {key: (after[key] - before[key]) / MESSAGES
             for key in ("flush_operations", "wr_bytes", "wr_operations")}
    figure(f"{SESSIONS} senders: {MESSAGES / seconds:.0f} messages/s through "
           f"QEMU's user network, {grown['flush_operations']:.3f} flushes, "
           f"{grown['wr_bytes'] / 1024:.1f} KiB, "
           f"{grown['wr_operations']:.2f} writes per message")

    client = mail.Pop3(server.pop3, "anna", "anna-demo")
    assert client.stat()[0] == MESSAGES
    assert len(client.retrieve(MESSAGES)) >= 1024
    client.quit()
    server.machine.power_cut()
    database = server.store()
    stick.check_whole(database)
    assert stick.message_count(database) == MESSAGES
    assert grown["flush_operations"] <= 0.2
    assert grown["wr_bytes"] <= 12 * 1024


def test_segments_of_one_session(copy_stick, boot, figure):
    """One message of 1 KiB, every command by itself: the answer travels with
    the acknowledgement, 221 with FIN. By smtp-source and by our own client."""
    server = boot(copy_stick).run()
    assert load.smtp_source(server.smtp, 1, 1)[1] == ""
    body = b"Subject: one\r\n\r\n" + b"x" * 1006 + b"\r\n"
    assert len(body) == 1024
    assert mail.send_one(server.smtp, f"anna@{DOMAIN}", body)[0] == 250
    mail.fetch_all(server.pop3, "anna", "anna-demo")
    server.machine.power_cut()
    found = [one for one in mail.sessions(server.capture, 25)
             if b"354" in one.data]
    assert len(found) == 2 and all(one.finished for one in found)
    counts = [one.from_server for one in found]
    figure(f"segments from the server in an SMTP session: {counts}")
    assert max(counts) <= 9
