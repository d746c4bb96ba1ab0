"""Polluted CSV files through `landfall init` and `landfall load`, scored as the Pollock benchmark does.

Pollock (Vitagliano et al., "Pollock: A Data Loading Benchmark", VLDB 2023) takes one clean table, pollutes it in one way at a time, and
compares what a system loads with what the file means. Table, polluters and scorer here are our own, after the paper and the published
catalogue: 13 files that differ as a whole, 9 in another dialect, and for each record one without a delimiter, one with a delimiter too
many and one with a quote too many in each column, and one with spaces for delimiters.

    pollock.py LANDFALL FOLDER STEP     prints a JSON document; of the files with one polluted record, every STEP-th stands for STEP files

The score of a file is at most 10: success, and precision, recall and F1 of header, records and cells. The weighted score counts each file
as often as its pollution was seen in the authors' survey of open data.
"""

import collections
import datetime
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import yaml

HEADER = ["DATE", "TIME", "Qty", "CODE", "Price", "Kind", "Text", "Link", "Notes"]
KINDS = ["Mooring rope, 20 m", "Anchor", "Lamp 12\"", "Captain's cap", "Chart of the bay", "Oar, ash wood", "Life vest"]
TEXTS = [
    "Holds in any weather, and floats.",
    "Made of steel; tested by the harbour's own crew.",
    "The 5\" model, with a spare bulb.",
    "Warm, light and cheap.",
    "All depths in metres, corrected every spring.",
]
RECORDS = 83


def source_table():
    """The clean records: 83 of nine cells, the last of them empty."""
    rows = []
    for at in range(RECORDS):
        day = datetime.date(2018, 1, 13) + datetime.timedelta(days=at)
        code = f"{'ABCDEFGH'[at % 8]}{'KLMN'[at % 4]}-{1000 + 37 * at}"
        price = f"${(at * 173) % 90}.{(at * 7) % 100:02}"
        kind, text = KINDS[at % len(KINDS)], f"{TEXTS[at % len(TEXTS)]} Lot {at * 31 % 97}."
        link = f"https://shop.example.com/item/{code}.html"
        rows.append([f"{day:%d/%m/%Y}", f"{at // 4:02}:{at % 4 * 15:02}", str(at * 5 % 17), code, price, kind, text, link, ""])
    return rows


class Line:
    """A record as it is written."""

    def __init__(self, cells, delimiter=",", quote='"', escape='"', end="\r\n", role="data"):
        self.cells, self.quote, self.escape, self.end, self.role = list(cells), quote, escape, end, role
        self.delimiters = [delimiter] * (len(self.cells) - 1)

    def written_cell(self, cell):
        return self.quote + cell.replace(self.quote, self.escape + self.quote) + self.quote

    def written(self):
        parts = [self.written_cell(cell) for cell in self.cells]
        between = self.delimiters + [self.end]
        return "".join(part + delimiter for part, delimiter in zip(parts, between))


class Plain(Line):
    """A record without quotes."""

    def written_cell(self, cell):
        return cell


class ExtraQuote(Line):
    """A record with an unescaped quote at the beginning of a cell."""

    def __init__(self, cells, column, **more):
        super().__init__(cells, **more)
        self.column = column

    def written(self):
        parts = [self.written_cell(cell) for cell in self.cells]
        parts[self.column] = '"' + parts[self.column]
        return ",".join(parts) + self.end


class ExtraDelimiter(Line):
    """A record with a delimiter too many before a column."""

    def __init__(self, cells, column, **more):
        super().__init__(cells, **more)
        self.column = column

    def written(self):
        parts = [self.written_cell(cell) for cell in self.cells]
        parts[self.column] = "," + parts[self.column]
        return ",".join(parts) + self.end


def table(**form):
    return [Line(HEADER, role="header", **form)] + [Line(row, **form) for row in source_table()]


def table_files():
    """The files that differ as a whole: name, weight and lines."""
    yield "source", 1, table()
    yield "file_no_payload", 15, []
    last = table()
    last[-1].end = ""
    yield "file_no_trailing_newline", 184, last
    last = table()
    last[-1].end = "\r\n\r\n"
    yield "file_double_trailing_newline", 5, last
    yield "file_no_header", 470, table()[1:]
    for rows in (2, 3):
        yield f"file_header_multirow_{rows}", 47, [Line(HEADER, role="header") for _ in range(rows - 1)] + table()
    preamble = [Plain(["PREAMBLE"] + [""] * 8, role="preamble"), Plain([""] * 9, role="preamble")]
    yield "file_preamble", 282, preamble + table()
    for name, width in (("less", 8), ("same", 9), ("more", 10)):
        second = [Line((line.cells + ["x"])[:width], role="other") for line in table()]
        yield f"file_multitable_{name}", 62.67, table() + second
    yield "file_header_only", 3, table()[:1]
    yield "file_one_data_row", 4, table()[:2]


def dialect_files():
    """The files in another dialect."""
    yield "file_record_delimiter_0xD", 7, table(end="\r")
    yield "file_record_delimiter_0xA", 1691, table(end="\n")
    for delimiter, weight in (("\t", 4), (";", 834), (" ", 4), (", ", 101)):
        yield "file_field_delimiter_" + "_".join(f"0x{ord(char):X}" for char in delimiter), weight, table(delimiter=delimiter)
    yield "file_quotation_char_0x27", 11, table(quote="'", escape="'")
    yield "file_escape_char_0x5C", 1, table(escape="\\")
    yield "file_escape_char_0x00", 7, table(escape="")


def record_files():
    """The files with one polluted record. Their weights are those of the four kinds, spread evenly."""
    for row in range(RECORDS + 1):
        for column in range(len(HEADER)):
            lines = table()
            lines[row] = ExtraDelimiter(lines[row].cells, column, role=lines[row].role)
            yield f"row_more_sep_row{row}_col{column}", 250 / 756, lines
            if column > 0:
                lines = table()
                lines[row].delimiters[column - 1] = ""
                yield f"row_less_sep_row{row}_col{column}", 250 / 672, lines
            lines = table()
            lines[row] = ExtraQuote(lines[row].cells, column, role=lines[row].role)
            yield f"row_extra_quote{row}_col{column}", 120 / 756, lines
        lines = table()
        lines[row].delimiters = [" "] * 8
        yield f"row_field_delimiter_{row}_0x20", 40 / 84, lines


def expected_rows(lines):
    """What a file means: its header, several lines of it joined, and its records. A second table is not what it means."""
    headers = [line.cells for line in lines if line.role == "header"]
    rows = [[" ".join(cells) for cells in zip(*headers)]] if headers else []
    for line in lines:
        if line.role == "data":
            cells = list(line.cells)
            if isinstance(line, ExtraQuote):
                cells[line.column] = '"' + cells[line.column]
            rows.append(cells)
    if headers and isinstance(lines[0], ExtraQuote):
        rows[0][lines[0].column] = '"' + rows[0][lines[0].column]
    return rows


def shown_value(value, field):
    """A value of the database as text in the form that the field declares."""
    if value is None:
        return ""
    form = field.get("format", "default")
    if form.startswith("%") and field["type"] in ("date", "time", "datetime"):
        parsed = {"date": datetime.date, "time": datetime.time, "datetime": datetime.datetime}[field["type"]]
        return parsed.fromisoformat(str(value).replace("Z", "")).strftime(form)
    return str(value)


def load_file(landfall, folder, data):
    """The rows that come out of `init` and `load`, with the header before them where the file has one; none where it was refused."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "t.csv").write_bytes(data)
    run = subprocess.run([landfall, "init", "-q"], cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        # An empty file was read: there is nothing in it.
        return [] if not data else None
    run = subprocess.run([landfall, "load", "-q"], cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        return None
    resource = yaml.safe_load((folder / "datapackage.yaml").read_text())["resources"][0]
    fields, dialect = resource["schema"]["fields"], resource.get("dialect", {})
    with sqlite3.connect(folder / "landfall.db") as database:
        stored = database.execute(f'SELECT * FROM "{resource["name"]}" ORDER BY rowid').fetchall()
    rows = [[shown_value(value, field) for value, field in zip(row, fields)] for row in stored]
    has_header = dialect.get("header", True) or dialect.get("commentRows")
    header = [[field.get("title", field["name"]) for field in fields]] if has_header else []
    return header + rows


def normalize(cell):
    """A cell as the benchmark compares it in headers and records."""
    for read in (int, float):
        try:
            return str(read(cell))
        except ValueError:
            pass
    return cell.lower()


def measures(expected, loaded):
    """Precision, recall and F1 of two multisets, as the benchmark names them."""
    expected, loaded = collections.Counter(expected), collections.Counter(loaded)
    common = sum((expected & loaded).values())
    if not expected:
        return 3.0
    if not common:
        return 0.0
    precision, recall = common / sum(expected.values()), common / sum(loaded.values())
    return precision + recall + 2 * precision * recall / (precision + recall)


def score(expected, loaded):
    """The score of a file."""
    if loaded is None:
        return 0.0
    if not expected:
        return 10.0
    header = measures(map(normalize, expected[0]), map(normalize, loaded[0] if loaded else []))
    joined = lambda rows: ["".join(map(normalize, row)) for row in rows[1:]]
    cells = lambda rows: [cell for row in rows for cell in row]
    return 1 + header + measures(joined(expected), joined(loaded)) + measures(cells(expected), cells(loaded))


def altered(expected, loaded):
    """Cells that were loaded and stand nowhere in the file's meaning."""
    known = {cell for row in expected for cell in row}
    return [cell for row in (loaded or [])[1:] for cell in row if cell not in known]


def is_header_polluted(lines):
    """Whether the polluted record of a file is its header."""
    return lines[0].written() != Line(HEADER).written()


def main():
    landfall, folder, step = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    singles = [(1, *file) for files in (table_files(), dialect_files()) for file in files]
    # A polluted header is another matter than a polluted record: each is tried.
    polluted = list(record_files())
    headers = [(1, *file) for file in polluted if is_header_polluted(file[2])]
    records = [(step, *file) for file in [file for file in polluted if not is_header_polluted(file[2])][::step]]
    total, weights, simple, count = 0.0, 0.0, 0.0, 0
    files = []
    for times, name, weight, lines in singles + headers + records:
        data = "".join(line.written() for line in lines).encode()
        expected, loaded = expected_rows(lines), load_file(landfall, folder / "project", data)
        points = score(expected, loaded)
        files.append({"file": name, "score": round(points, 4), "altered": altered(expected, loaded)[:3]})
        simple, count = simple + points * times, count + times
        total, weights = total + points * weight * times, weights + weight * times
    json.dump({"simple": simple / count, "weighted": total / weights, "files": files}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
