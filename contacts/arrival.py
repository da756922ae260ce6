"""What people upload, made into bytes of text: spreadsheets become CSV, UTF-16 becomes UTF-8. No database.

A spreadsheet is opened in a child process with bounds on memory and time: the file comes from a stranger.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from contacts.reasons import FileError, FileReason

MAX_TEXT = 100 * 1024 * 1024
MAX_SHEET = 20 * 1024 * 1024
MAX_UNPACKED = 200 * 1024 * 1024
MAX_ENTRIES = 1_000
MAX_RATIO = 100  # unpacked to packed, as Apache POI has it
SHEET_SECONDS = 60

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BINARY = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"PK\x05\x06", b"\x7fELF")
BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_LOOKED_AT = 64 * 1024
_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1a\x1b") + b"\x7f"


def to_text(content: bytes) -> bytes:
    """Bytes of text in an encoding in which a line ends with one byte. Raises FileError."""
    if not content.strip():
        raise FileError(FileReason.EMPTY)
    if content.startswith((ZIP, OLE)):
        return _sheet(content)
    if len(content) > MAX_TEXT:
        raise FileError(FileReason.TOO_BIG)
    if content.startswith(BINARY):
        raise FileError(FileReason.NOT_TEXT)
    text = _wide(content)
    start = text[:_LOOKED_AT]
    if len(start) - len(start.translate(None, _CONTROL)) > len(start) // 10:
        raise FileError(FileReason.NOT_TEXT)
    return text


def _wide(content: bytes) -> bytes:
    """UTF-16 and UTF-32, with or without their mark, as UTF-8; anything else as it is."""
    for mark, encoding in BOMS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace").encode()
    start = content[:_LOOKED_AT]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) * 10 > len(start) * 3 and min(even, odd) * 20 < len(start):
        return content.decode("utf-16-be" if even > odd else "utf-16-le", "replace").encode()
    return content


def _sheet(content: bytes) -> bytes:
    if len(content) > MAX_SHEET:
        raise FileError(FileReason.TOO_BIG)
    if content.startswith(ZIP):
        _refuse_bombs(content)
    child = [sys.executable, "-I", str(Path(__file__).with_name("sheets.py"))]
    try:
        done = subprocess.run(  # noqa: S603 -- our own interpreter and file
            child, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SHEET_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FileError(FileReason.BAD_SHEET) from error
    if done.returncode or len(done.stdout) > MAX_TEXT:
        raise FileError(FileReason.BAD_SHEET)
    if not done.stdout.strip():
        raise FileError(FileReason.NO_ROWS)
    return done.stdout


def _refuse_bombs(content: bytes) -> None:
    """By the directory of the archive, before anything is unpacked."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise FileError(FileReason.BAD_SHEET) from error
    if not any(entry.filename in ("[Content_Types].xml", "content.xml", "mimetype") for entry in entries):
        raise FileError(FileReason.NOT_TEXT)
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    unsafe = any(entry.filename.startswith("/") or ".." in entry.filename for entry in entries)
    inflated = unpacked > 1024 * 1024 and unpacked > MAX_RATIO * packed
    if unsafe or inflated or len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED:
        raise FileError(FileReason.BAD_SHEET)
