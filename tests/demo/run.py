#!/usr/bin/python3
"""`make run`: the demo stick in a PC of QEMU, console in this terminal.

The stick is made once (build/demo.img, users of tests/demo/users.csv) and
keeps its mail from run to run; it gets the newly built AO each time. With
arguments, they are given to QEMU as well.
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

import qemu  # noqa: E402
import stick  # noqa: E402

IMAGE = os.path.join(ROOT, "build", "demo.img")
PORTS = {25: 2525, 110: 2110, 587: 2587, 80: 2080, 443: 2443}


def prepare():
    if os.path.exists(IMAGE):
        stick.run(stick.MKUSB, "--update", IMAGE)
        return
    unfinished = IMAGE + ".new"
    if os.path.exists(unfinished):
        os.unlink(unfinished)
    stick.make(unfinished, size="512M")
    os.rename(unfinished, IMAGE)


def main():
    prepare()
    accelerator = qemu.accelerator()
    forward = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}"
                      for there, here in PORTS.items())
    print(f"Barepost in QEMU ({accelerator}), stick {IMAGE}\n"
          "  SMTP 127.0.0.1:2525   POP3 127.0.0.1:2110\n"
          "  users anna / anna-demo and bert / bert-demo at "
          f"{stick.DOMAIN}\n"
          "  Ctrl-A X ends the machine like a power cut; Ctrl-A H helps\n",
          flush=True)
    command = [qemu.QEMU, "-accel", accelerator, "-cpu", qemu.CPU[accelerator], "-m", "64M",
               "-display", "none", "-nodefaults", "-no-user-config",
               "-vga", "std", "-serial", "mon:stdio",
               "-device", "qemu-xhci,id=usb",
               "-blockdev", f"driver=file,node-name=image,filename={IMAGE}",
               "-blockdev", "driver=raw,node-name=stick,file=image",
               "-device", "usb-storage,drive=stick,bus=usb.0,bootindex=0",
               "-netdev", "user,id=net" + forward,
               "-device", "e1000,netdev=net"]
    os.execvp(command[0], command + sys.argv[1:])


if __name__ == "__main__":
    main()
