"""Why a row or a file was refused: stable codes, and a sentence that says what to do about it."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from contacts.phones import Problem


class Reason(TextChoices):
    """Why a row became no contact. Values are stable: they are stored."""

    EMPTY_ROW = "empty_row", _("The row is empty.")
    NUMBER_MISSING = Problem.EMPTY.value, _("There is no phone number.")
    NOT_A_NUMBER = Problem.NOT_A_NUMBER.value, _("This is not a phone number.")
    DIGITS_LOST = (
        Problem.DIGITS_LOST.value,
        _("The spreadsheet has cut the number (3.36E+10): format the column as text and export again."),
    )
    SEVERAL_NUMBERS = Problem.SEVERAL.value, _("There are several numbers in one cell: keep one.")
    TOO_SHORT = Problem.TOO_SHORT.value, _("The number has too few digits.")
    TOO_LONG = Problem.TOO_LONG.value, _("The number has too many digits.")
    UNKNOWN_COUNTRY = Problem.UNKNOWN_COUNTRY.value, _("The country or its calling code is unknown.")
    NO_SUCH_NUMBER = Problem.INVALID.value, _("No such number exists in this country's numbering plan.")
    UNREACHABLE_KIND = (
        Problem.UNREACHABLE.value,
        _("Premium-rate, shared-cost and pager numbers cannot receive WhatsApp messages."),
    )
    QUOTES = "quotes", _("A quotation mark is opened and not closed, or stands in the wrong place.")
    TOO_MANY_CELLS = "too_many_cells", _("The row has more cells than the file has columns: is a separator too many?")
    CELL_TOO_LONG = "cell_too_long", _("A cell is too long (120 characters for a name, 1,000 for another column).")
    ROW_TOO_LONG = "row_too_long", _("The row is too long: more than 1 MB, or than 100 lines.")
    TOO_MANY_CATEGORIES = (
        "too_many_categories",
        _("The file names more than 200 new categories: is this really the column of categories?"),
    )


class FileReason(TextChoices):
    """Why a whole file cannot be imported. Values are stable: they are stored."""

    EMPTY = "empty_file", _("The file is empty.")
    TOO_BIG = "file_too_big", _("The file is too big: 100 MB for CSV, 20 MB for a spreadsheet. Cut it in parts.")
    NOT_TEXT = "not_text", _("This is neither a CSV file nor a spreadsheet: export your contacts as CSV or XLSX.")
    BAD_SHEET = "bad_sheet", _("The spreadsheet cannot be read: save it as CSV (UTF-8) and try again.")
    NO_ROWS = "no_rows", _("The file has no row of contacts.")
    NO_NUMBERS = "no_number_column", _("No column of phone numbers was found.")
    TOO_MANY_COLUMNS = "too_many_columns", _("The file has more than 200 columns.")
    INTERNAL = "internal", _("The import stopped several times at the same place. Nothing before it is lost.")


class FileError(Exception):
    """A file that cannot be imported; `reason` is for people, `str()` is its sentence in the active language."""

    def __init__(self, reason: FileReason) -> None:
        super().__init__(reason.value)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.reason.label)
