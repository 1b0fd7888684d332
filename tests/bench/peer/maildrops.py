#!/usr/bin/python3
"""Makes the Maildirs of the peer's users: maildrops.py FOLDER USER...

Each holds MESSAGES messages of BYTES bytes in new/, named as Postfix's virtual
delivery agent names them; that of the user "inbox" is empty. bench.py brings
the same into Barepost's maildrops by SMTP.
"""
import os
import sys

MESSAGES = 500
BYTES = 10240
EMPTY = "inbox"


def message(user, number):
    head = (f"Return-Path: <sender@client.example>\nDelivered-To: {user}"
            f"@bench.example\nFrom: sender@client.example\nTo: {user}"
            f"@bench.example\nSubject: message {number}\n\n")
    lines = (BYTES - len(head)) // 72
    return (head + (71 * "x" + "\n") * lines).encode()


def main():
    folder, users = sys.argv[1], sys.argv[2:]
    for user in users:
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(folder, user, part), mode=0o700)
        for number in range(0 if user == EMPTY else MESSAGES):
            name = f"{1700000000 + number}.V802I{number:x}M{number}.bench"
            with open(os.path.join(folder, user, "new", name), "wb") as file:
                file.write(message(user, number))


if __name__ == "__main__":
    main()
