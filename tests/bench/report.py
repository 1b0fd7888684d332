"""The figures of a benchmark: kept by row and column, printed as one table.

A row's figure is the median of what was measured for it. `better` says which
way is better, "more" or "less"; the last column then says how many times
better Barepost is than its peer ("0.5" is half as good).
"""
import collections
import json
import statistics
import sys

Row = collections.namedtuple("Row", "key title unit digits better")


class Report:
    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.values = collections.defaultdict(list)
        self.notes = []

    def add(self, key, column, value):
        assert any(row.key == key for row in self.rows), key
        self.values[key, column].append(value)

    def note(self, sentence):
        self.notes.append(sentence)

    def median(self, row, column):
        values = self.values.get((row.key, column))
        return statistics.median(values) if values else None

    def ratio(self, row):
        """How many times better the first column is than the second."""
        figures = [self.median(row, column) for column in self.columns]
        if len(figures) < 2 or None in figures or not all(figures):
            return None
        ratio = figures[0] / figures[1]
        return ratio if row.better == "more" else 1 / ratio

    def shown(self, row, column):
        """A figure as text, with the span of several."""
        values = self.values.get((row.key, column))
        if not values:
            return "-"
        text = f"{self.median(row, column):,.{row.digits}f}"
        if len(values) > 1:
            text += (f" ({min(values):,.{row.digits}f}.."
                     f"{max(values):,.{row.digits}f})")
        return text

    def measured(self):
        return [row for row in self.rows
                if any((row.key, column) in self.values
                       for column in self.columns)]

    def print(self, title):
        compared = len(self.columns) > 1
        head = ["", "unit", *self.columns, *(["times better"] * compared)]
        rows = []
        for row in self.measured():
            ratio = self.ratio(row)
            rows.append([row.title, row.unit, *(self.shown(row, column)
                                                for column in self.columns)]
                        + [f"{ratio:,.3g}" if ratio else "-"] * compared)
        table(title, head, rows)
        for sentence in self.notes:
            print("  " + sentence)
        sys.stdout.flush()

    def write_json(self, path, about):
        rows = [{"key": row.key, "title": row.title, "unit": row.unit,
                 "better": row.better, "times_better": self.ratio(row),
                 "values": {column: self.values.get((row.key, column), [])
                            for column in self.columns}}
                for row in self.measured()]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**about, "notes": self.notes, "rows": rows}, file,
                      indent=1)
            file.write("\n")


def table(title, head, rows):
    """Prints a table: words to the left, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in [head] + rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    words = [not any(row[at][:1].isdigit() for row in cells[1:])
             for at in range(len(head))]
    print(f"\n{title}")
    for number, row in enumerate(cells):
        print("  " + "  ".join(cell.ljust(width) if words[at]
                               else cell.rjust(width) for at, (cell, width)
                               in enumerate(zip(row, widths))).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    sys.stdout.flush()
