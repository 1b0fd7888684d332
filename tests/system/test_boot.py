"""From power-on to the server's greeting."""
import qemu
import stick
from conftest import choose_run

# A hang, not a measure: the figures are printed, and judged by `make bench`.
HANG_S = 60


def test_menu_by_key(copy_stick, boot, figure):
    """BIOS, boot sector and menu from the stick; Run by a key, in 64 MiB."""
    server = boot(copy_stick, memory="64M")
    choose_run(server.machine)
    chosen = qemu.time.monotonic()
    _, banner = server.machine.wait_banner(25, HANG_S)
    taken = qemu.time.monotonic() - chosen
    assert banner.startswith("220 " + stick.HOSTNAME)
    figure(f"220 came {taken:.2f} s after the key in the boot menu")


def test_run_starts_by_itself(copy_stick, boot, figure):
    """Nobody there: the menu waits 5 s and takes Run. Switched on again after
    a power cut, the server must come back alone."""
    server = boot(copy_stick)
    server.machine.expect_screen(r"Run")
    server.machine.expect_screen(r"Load")
    seconds, banner = server.machine.wait_banner(25, HANG_S)
    assert banner.startswith("220 ")
    assert seconds >= 5
    figure(f"220 came {seconds:.2f} s after power-on, of which the "
           "menu waits 5 s")
    _, banner = server.machine.wait_banner(110, HANG_S)
    assert banner.startswith("+OK")


def test_kernel_loader(copy_stick, boot, figure):
    """The same AO, loaded by QEMU itself, with the store on the stick."""
    server = boot(copy_stick, kernel=stick.AO, append="mode=run",
                  memory="64M")
    seconds, banner = server.machine.wait_banner(25, HANG_S)
    assert banner.startswith("220 " + stick.HOSTNAME)
    figure(f"220 came {seconds:.2f} s after power-on by -kernel")
