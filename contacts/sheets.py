"""A spreadsheet on standard input to CSV (UTF-8) on standard output. Run as a program of its own, with bounds.

One line of CSV for each row of the first sheet that is not empty, so that line numbers are row numbers. Formulas are
not evaluated; no macro runs. Knows neither Django nor the rest of the project.
"""

from __future__ import annotations

import csv
import datetime
import io
import sys
from typing import Any

MEMORY = 1024 * 1024 * 1024  # of addresses; what is really used stays far below
SECONDS = 45
MOST_COLUMNS = 1_000


def limit() -> None:
    try:
        import resource
    except ImportError:  # Windows has none; the parent still limits the time
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def cell(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime.datetime() if value.time() == datetime.time():
            return value.date().isoformat()
        case datetime.datetime():
            return value.isoformat(" ", "seconds")
        case _:
            return " ".join(str(value).split()) if isinstance(value, str) else str(value)


def main() -> int:
    limit()
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    visible = [sheet.name for sheet in book.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
    for name in visible:
        sheet = book.get_sheet_by_name(name)
        if sheet.height and sheet.width:
            if sheet.end is not None and sheet.end[1] >= MOST_COLUMNS:
                return 3
            write(sheet)
            break
    return 0


def write(sheet: Any) -> None:
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", errors="replace", newline="", write_through=False)
    writer = csv.writer(out, lineterminator="\n")
    for row in sheet.iter_rows():
        cells = [cell(value) for value in row]
        if any(cells):
            writer.writerow(cells)
        else:
            out.write("\n")
    out.flush()


if __name__ == "__main__":
    try:
        code = main()
    except (MemoryError, Exception):  # whatever is wrong with a stranger's file, the parent says it in one sentence
        code = 2
    sys.exit(code)
