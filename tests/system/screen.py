"""A terminal as far as the serial console needs one.

The AO mirrors its screen on the serial line: it moves the cursor and writes
only what has changed, so words arrive in pieces and in any order. Terminal
takes the bytes and keeps the 80 x 25 characters that a person would see.
Colours are dropped. Not supported: scroll regions, tabs stops, wide characters.
"""
import re

ROWS, COLUMNS = 25, 80
CSI = re.compile(r"\x1b\[([0-9;?]*)([@-~])")
OTHER = re.compile(r"\x1b[()][A-Za-z0-9]|\x1b[=>78cDEHM]")


class Terminal:
    def __init__(self):
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.pending = ""

    def feed(self, text):
        text, self.pending = self.pending + text, ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._put(text[at])
                at += 1
                continue
            csi = CSI.match(text, at)
            other = csi or OTHER.match(text, at)
            if csi:
                self._control(csi[1], csi[2])
            if other:
                at = other.end()
            elif len(text) - at < 16:  # the rest comes with the next bytes
                self.pending = text[at:]
                return
            else:
                at += 1

    def text(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)

    def _put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._line_feed()
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character >= " ":
            if self.column >= COLUMNS:
                self.column = 0
                self._line_feed()
            self.cells[self.row][self.column] = character
            self.column += 1

    def _line_feed(self):
        if self.row < ROWS - 1:
            self.row += 1
            return
        self.cells = self.cells[1:] + [[" "] * COLUMNS]

    def _control(self, arguments, final):
        numbers = [int(n) if n.isdigit() else 0 for n in arguments.split(";")]
        first = numbers[0]
        if final in "Hf":
            column = numbers[1] if len(numbers) > 1 else 1
            self.row = min(max(first, 1), ROWS) - 1
            self.column = min(max(column, 1), COLUMNS) - 1
        elif final == "A":
            self.row = max(0, self.row - max(first, 1))
        elif final == "B":
            self.row = min(ROWS - 1, self.row + max(first, 1))
        elif final == "C":
            self.column = min(COLUMNS - 1, self.column + max(first, 1))
        elif final == "D":
            self.column = max(0, self.column - max(first, 1))
        elif final == "G":
            self.column = min(max(first, 1), COLUMNS) - 1
        elif final == "d":
            self.row = min(max(first, 1), ROWS) - 1
        elif final in "JK":
            self._erase(final, first)

    def _erase(self, final, how):
        here = self.row * COLUMNS + min(self.column, COLUMNS - 1)
        line = self.row * COLUMNS
        low, high = (0, ROWS * COLUMNS) if final == "J" \
            else (line, line + COLUMNS)
        if how == 0:
            low = here
        elif how == 1:
            high = here + 1
        for cell in range(low, high):
            self.cells[cell // COLUMNS][cell % COLUMNS] = " "
