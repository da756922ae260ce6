"""What a contacts file looks like and what its columns mean. Pure.

`sniff` guesses from the beginning of the file; a person may correct the guess before the import (`Layout.roles`).
"""

from __future__ import annotations

import contextlib
import csv
import re
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

from contacts import phones
from contacts.reasons import FileError, FileReason
from contacts.records import Records, read_bytes

NUMBER, OTHER_NUMBER = "number", "other_number"
FIRST_NAME, LAST_NAME, FULL_NAME = "first_name", "last_name", "full_name"
COUNTRY, CATEGORIES, IGNORE = "country", "categories", "ignore"
ATTRIBUTE = "attributes."  # followed by the key

ENCODINGS = ("utf-8", "cp1252", "mac_roman", "cp1250", "cp1251", "cp1253", "cp1254", "cp1256")
DELIMITERS = (";", ",", "\t", "|")
MOST_COLUMNS = 200
SAMPLE_BYTES = 256 * 1024
SAMPLE_ROWS = 100
TITLES = 10  # lines that may stand above the header
KEY_LENGTH = 60


@dataclass(frozen=True)
class Layout:
    """How to read a file: where its rows begin, and a role for each column."""

    encoding: str
    delimiter: str
    start: int  # offset of the first row of contacts
    line: int  # and its line
    names: list[str]  # as the header has them; empty without a header
    roles: list[str]

    @property
    def width(self) -> int:
        return len(self.roles)

    @property
    def has_header(self) -> bool:
        return any(self.names)

    @property
    def numbers(self) -> list[int]:
        """The columns of phone numbers, the best one first."""
        return [i for i, role in enumerate(self.roles) if role == NUMBER] + [
            i for i, role in enumerate(self.roles) if role == OTHER_NUMBER
        ]

    def column(self, role: str) -> int | None:
        return self.roles.index(role) if role in self.roles else None

    def attributes(self) -> list[tuple[int, str]]:
        """(column, key) of everything that is kept beside the name. A second number is kept too."""
        keys = [
            (i, role.removeprefix(ATTRIBUTE) if role.startswith(ATTRIBUTE) else key_of(self.names, i))
            for i, role in enumerate(self.roles)
            if role.startswith(ATTRIBUTE) or role == OTHER_NUMBER
        ]
        return [(i, key) for i, key in keys if key]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})

    def with_roles(self, roles: list[str]) -> Layout:
        return replace(self, roles=roles)


def sniff(
    content: bytes, region: str, encoding: str = "", delimiter: str = "", has_header: bool | None = None
) -> Layout:
    """The layout of a file of text; what a person knows need not be guessed.

    Raises FileError when it has no row or no column of numbers.
    """
    mark = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    encoding = encoding or _encoding(content)
    sample = content[:SAMPLE_BYTES]
    start, line, told = _told_separator(sample, mark, encoding)
    delimiter = delimiter or told or _delimiter(sample[start:], encoding)
    reader = Records(read_bytes(content), encoding, delimiter, start, line)
    rows, ends = [], []
    for record in reader:
        if record.cells:
            rows.append(record.cells)
            ends.append((reader.position, reader.line))
        if len(rows) > SAMPLE_ROWS:
            break
    if not rows:
        raise FileError(FileReason.NO_ROWS)
    if max(map(len, rows)) > MOST_COLUMNS:
        raise FileError(FileReason.TOO_MANY_COLUMNS)
    header = (0 if has_header else None) if has_header is not None else _header(rows, region)
    names = rows[header] if header is not None else []
    if header is not None:
        start, line = ends[header]
        rows = rows[header + 1 :]
    if not rows:
        raise FileError(FileReason.NO_ROWS)
    names = _padded(names, rows)
    return Layout(encoding, delimiter, start, line, names, _roles(names, rows, region))


# -- bytes


def _encoding(content: bytes) -> str:
    """UTF-8 if it is so but for a stray byte; else by which 8-bit letters stand in it."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    wrong = content.decode("utf-8", "replace").count("\ufffd") - content.count(b"\xef\xbf\xbd")
    right = len(re.findall(rb"[\xc3-\xf4][\x80-\xbf]+", content))
    if right > 4 * wrong:
        return "utf-8"
    high = Counter(byte for byte in content if byte > 0x7F)
    mac = sum(count for byte, count in high.items() if 0x80 <= byte <= 0x9F and byte not in _CP1252_SIGNS)
    windows = sum(count for byte, count in high.items() if byte >= 0xC0)
    return "mac_roman" if mac > windows else "cp1252"


_CP1252_SIGNS = frozenset(b"\x80\x85\x8c\x91\x92\x93\x94\x96\x97\x9c")  # €…Œ‘’“”–—œ


def _told_separator(sample: bytes, start: int, encoding: str) -> tuple[int, int, str]:
    """Excel's first line `sep=;`: (where the file goes on, its line, the separator)."""
    told = re.match(rb'"?sep=([;,|\t])"?[;,\t]*(?:\r\n|\n|\r)', sample[start:], re.IGNORECASE)
    return (start + told.end(), 2, told[1].decode()) if told else (start, 1, "")


def _delimiter(sample: bytes, encoding: str) -> str:
    """The separator that cuts most rows into the same number of cells."""
    lines = [line for line in sample.decode(encoding, "replace").replace("\0", "").splitlines() if line.strip()]
    scores = {delimiter: _evenness(lines[:SAMPLE_ROWS], delimiter) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda delimiter: scores[delimiter])


def _evenness(lines: list[str], delimiter: str) -> float:
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # a cell beyond the module's bound: the rows before it tell enough
        rows.extend(row for row in csv.reader(lines, delimiter=delimiter) if row)
    counts = Counter(len(row) for row in rows if len(row) > 1)
    if not counts:
        return 0.0
    width, even = counts.most_common(1)[0]
    known = any(_role(cell) for row in rows[:TITLES] for cell in row)
    return even / len(lines) * min(width, 5) + known


# -- header and columns


def _header(rows: list[list[str]], region: str) -> int | None:
    """Which row names the columns. A row that may be a contact is never taken for a header, nor one below it."""
    for i, row in enumerate(rows[:TITLES]):
        if any(isinstance(phones.normalise(cell, region), str) for cell in row):
            break
        if any(_role(cell) == NUMBER for cell in row):
            return i
    return 0 if _names_columns(rows[0], rows[1:], region) else None


def _names_columns(first: list[str], body: list[list[str]], region: str) -> bool:
    if any(isinstance(phones.normalise(cell, region), str) for cell in first):
        return False
    if any(_role(cell) for cell in first):
        return True
    column = _number_column(body, region)
    cell = first[column].strip() if column is not None and column < len(first) else ""
    return bool(cell) and not any(map(str.isdigit, cell))


def _padded(header: list[str], body: list[list[str]]) -> list[str]:
    """A name for each column; empty for those that have none, or that the header forgot and most rows have."""
    width, rows = Counter(map(len, body)).most_common(1)[0]
    if not header:
        width = max(map(len, body))
    elif rows * 2 <= len(body):
        width = 0
    names = [" ".join(name.split()) for name in header]
    return names + [""] * (width - len(names))


def _roles(names: list[str], body: list[list[str]], region: str) -> list[str]:
    roles = [_role(name) for name in names]
    numbers = [i for i, role in enumerate(roles) if role == NUMBER]
    numbers.sort(key=lambda i: (-_likeness(body, i, region) // 0.25, -_rank(names[i]), i))
    if not numbers or not _likeness(body, numbers[0], region):
        by_content = _number_column(body, region)
        numbers = [by_content] if by_content is not None else numbers
    if not numbers:
        raise FileError(FileReason.NO_NUMBERS)
    roles = ["" if role == NUMBER else role for role in roles]
    for i in numbers:
        roles[i] = NUMBER if i == numbers[0] else OTHER_NUMBER
    return _settled(names, roles)


def _settled(names: list[str], roles: list[str]) -> list[str]:
    """One column for each role; what has none becomes an attribute."""
    if FIRST_NAME in roles or LAST_NAME in roles:
        roles = ["" if role == FULL_NAME else role for role in roles]
    seen: set[str] = set()
    settled = []
    for i, role in enumerate(roles):
        if role not in (IGNORE, OTHER_NUMBER) and (not role or role in seen):
            role = ATTRIBUTE + key_of(names, i)
        seen.add(role)
        settled.append(role)
    return settled


def key_of(names: list[str], column: int) -> str:
    """The attribute key of a column: its name in small letters without accents; unique in the file."""
    keys = [slug(name) or f"column_{i + 1}" for i, name in enumerate(names)]
    earlier = keys[:column].count(keys[column])
    return keys[column] if not earlier else f"{keys[column]}_{earlier + 1}"


def slug(name: str) -> str:
    """Date d'achat → date_d_achat."""
    return "_".join(_words(name))[:KEY_LENGTH].strip("_")


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return re.findall(r"[^\W_]+", "".join(char for char in decomposed if not unicodedata.combining(char)))


def _number_column(body: list[list[str]], region: str) -> int | None:
    width = max(map(len, body), default=0)
    likeness = [(_likeness(body, i, region), -i) for i in range(width)]
    best, column = max(likeness, default=(0.0, 0))
    return -column if best >= 0.25 else None


def _likeness(body: list[list[str]], column: int, region: str) -> float:
    """How far a column is one of phone numbers, 0 to 1; empty cells do not count."""
    cells = [row[column] for row in body if column < len(row) and row[column].strip()]
    return sum(_cell_likeness(cell, region) for cell in cells) / len(cells) if cells else 0.0


def _cell_likeness(cell: str, region: str) -> float:
    found = phones.normalise(cell, region)
    if isinstance(found, str):
        return 1.0
    if found is phones.Problem.NOT_A_NUMBER or found is phones.Problem.EMPTY:
        return 0.0
    # Numbers of another country, or damaged ones: long enough, and no date or amount.
    return 0.5 if 8 <= sum(map(str.isdigit, cell)) <= 17 and not re.search(r"[-/.]\d{2,4}$", cell.strip()) else 0.0


def _role(name: str) -> str:
    """The role that a header's name stands for; empty when it is not one we know."""
    words = _words(name)
    key = " ".join(words)
    if key in _BY_NAME:
        return _BY_NAME[key]
    if _rank(name) > 0:
        return NUMBER
    return COUNTRY if _COUNTRY_WORDS & set(words) and not _OTHER_COUNTRIES & set(words) else ""


def _rank(name: str) -> int:
    """How good a column of numbers is for WhatsApp by its name; 0 when it is none."""
    words = set(_words(name))
    if words & _NOT_NUMBERS:
        return 0
    rank = next((rank for rank, group in _NUMBER_WORDS if words & group), 0)
    if not rank and " ".join(_words(name)) in _NUMBER_NAMES:
        rank = 3
    return rank - 1 if rank and words & _FIXED_LINES else rank


def _set(words: str) -> frozenset[str]:
    return frozenset(word.strip() for word in words.split(","))


_NUMBER_WORDS = (
    (5, _set("whatsapp, msisdn, e164")),
    (4, _set("mobile, mobiles, portable, gsm, cell, cellphone, cellulaire, celular, movil, handy, handynummer, mob")),
    (3, _set("telephone, telephones, tel, phone, phones, telefono, telefon, telefonnummer, telefone, rufnummer")),
)
_NUMBER_NAMES = _set("numero, number, numeros, full number, contact number, num, phonenumber")
_NOT_NUMBERS = _set("type, label, fax, date, opt, optin, optout, consent, modele, marque, operateur, carrier, country")
_FIXED_LINES = _set("fixe, home, domicile, bureau, work, business, pro, professionnel, standard, landline, 2, 3, 4")
_COUNTRY_WORDS = _set("pays, country")
_OTHER_COUNTRIES = _set("naissance, birth, origine, origin, destination, nationalite, nationality, prefere, preferred")
_NAMES = {
    FIRST_NAME: "prenom, prenoms, first name, firstname, given name, forename, vorname, nombre, primeiro nome",
    LAST_NAME: "nom, last name, lastname, surname, family name, nom de famille, nachname, apellido, apellidos, cognome",
    FULL_NAME: "name, nom complet, full name, fullname, nom et prenom, nom prenom, prenom nom, prenom et nom, "
    "display name, contact, contact name, nom du contact, client, customer",
    COUNTRY: "pays, country, country code, countrycode, indicatif, indicatif pays, code pays, country region, "
    "pays region, calling code, dial code, indicatif telephonique, land, pais, paese",
    CATEGORIES: "categorie, categories, category, liste, listes, list, lists, groupe, groupes, group, groups",
    # Columns that our own download of rejected rows adds.
    IGNORE: "ligne du fichier, motif du rejet, line in the file, reason for rejection",
}
_BY_NAME = {name.strip(): role for role, names in _NAMES.items() for name in names.split(",")}
