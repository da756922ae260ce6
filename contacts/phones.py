"""Any text to an E.164 number. Pure: the `phonenumbers` library and nothing else.

`normalise` is total: it never raises, and it never guesses. What could be two numbers, or has lost digits in a
spreadsheet, is a `Problem`, because a message to a wrong person is worse than a row to correct.

Landlines are accepted (WhatsApp Business runs on them), toll-free and company-wide numbers too. Premium-rate,
shared-cost, pager and voicemail numbers are not: nobody has a WhatsApp account there, and some cost the caller money.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberFormat, PhoneNumberType, ValidationResult


class Problem(enum.Enum):
    """Why a text is no number that can be written to. Values are stable: they are stored with rejected rows."""

    EMPTY = "number_missing"
    NOT_A_NUMBER = "not_a_number"
    DIGITS_LOST = "digits_lost"
    SEVERAL = "several_numbers"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    UNKNOWN_COUNTRY = "unknown_country"
    INVALID = "no_such_number"
    UNREACHABLE = "unreachable_kind"


REFUSED_TYPES = frozenset(
    {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.PAGER, PhoneNumberType.VOICEMAIL}
)
E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)

_REGIONS: dict[int, tuple[str, ...]] = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
_CALLING_CODES = frozenset(str(code) for code in _REGIONS)
_MAX_DIGITS = 20  # E.164 has 15; a trunk prefix, a doubled country code and a typing error fit in the rest
_MAX_TEXT = 250  # the library's own bound
_DIALLED_ALIKE = {"FR": ("RE", "GP", "MQ", "GF", "YT")}
_BARE_INTERNATIONAL = 11  # digits without "+" that are read as international when they are no national number

_NOISE = str.maketrans("", "", " -().\u00a0\u202f\t")
_PLAIN = re.compile(r"(\+?)([0-9]{6,15})", re.ASCII)
_FLOAT_TAIL = re.compile(r"(\+?[0-9]{5,})[.,]0{1,2}", re.ASCII)
_SCIENTIFIC = re.compile(r"\+?([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})", re.ASCII)
_LABEL = re.compile(
    r"(?:t[eé]l(?:[eé]phone)?|phone|mobile?|portable|port|gsm|cell|whatsapp|wa|n°|no|num[eé]ro)[\s.:]*(?=[+(0-9])",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"(?:https?://)?(?:wa\.me/|api\.whatsapp\.com/send/?\?phone=)\+?([0-9]+)/?", re.IGNORECASE | re.ASCII
)
_WRITTEN = re.compile(r"[\s(\[]*(\+*)([-0-9\s().\[\]/~_·•,]*)", re.ASCII)
_BETWEEN_NUMBERS = re.compile(r"[/;,|&\s]+(?:(?:ou|or|et|and)\s+)?", re.IGNORECASE)


def normalise(text: str, region: str) -> str | Problem:
    """The E.164 number that `text` means to somebody in `region` (ISO 3166), or what is wrong with it.

    A number that begins with + or the international prefix keeps its own country. Idempotent, whatever the region.
    """
    plain = _PLAIN.fullmatch(text.translate(_NOISE))
    if plain and not ("." in text and _FLOAT_TAIL.search(text)):
        found = _quickly(plain[1], plain[2], region)
        if found:
            return found
    return normalise_by_library(text, region)


def normalise_by_library(text: str, region: str) -> str | Problem:
    """What `normalise` means, by the library alone; five times slower, and the judge of the fast path."""
    written = _repair(text)
    if isinstance(written, Problem):
        return written
    plus, digits = written
    first = _parse(plus, digits, region)
    if isinstance(first, str):
        return first
    for sign, other, where in _other_readings(plus, digits, region):
        found = _parse(sign, other, where)
        if isinstance(found, str):
            return found
    return Problem.SEVERAL if _several(text) else first


def country_code(number: str) -> str:
    """The calling code of an E.164 number with its plus sign ("+33"); empty when there is none such."""
    return _code_of_prefix(number[:4])


@functools.lru_cache(maxsize=2048)
def _code_of_prefix(prefix: str) -> str:
    for length in (1, 2, 3):
        if prefix[:1] == "+" and prefix[1 : 1 + length] in _CALLING_CODES:
            return prefix[: 1 + length]
    return ""


def region_of(number: str) -> str:
    """The region (ISO 3166) that an E.164 number belongs to; empty when unknown or in no country."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except NumberParseException:
        return ""
    return region if region and region.isalpha() else ""


def readable(number: str) -> str:
    """An E.164 number as people write it: +33 6 12 34 56 78."""
    try:
        return str(phonenumbers.format_number(phonenumbers.parse(number), PhoneNumberFormat.INTERNATIONAL))
    except NumberParseException:
        return number


def main_region(calling_code: str) -> str:
    """The first region of a calling code written in digits ("33", "1"); empty when there is none."""
    regions = _REGIONS.get(int(calling_code)) if calling_code in _CALLING_CODES else None
    return regions[0] if regions and regions[0].isalpha() else ""


def calling_code(region: str) -> str:
    """The calling code of a region with its plus sign; empty when the region is unknown."""
    code = phonenumbers.country_code_for_region(region)
    return f"+{code}" if code else ""


def regions() -> frozenset[str]:
    """Every region with a numbering plan."""
    return frozenset(phonenumbers.SUPPORTED_REGIONS)


# -- what people and spreadsheets do to numbers


def _repair(text: str) -> tuple[str, str] | Problem:
    """("+" or "", digits), once spreadsheets', browsers' and typists' additions are taken off."""
    if len(text) > _MAX_TEXT:
        return Problem.NOT_A_NUMBER
    text = _plain_characters(text).strip().lstrip("=").strip(" '\"`´’‘")
    if not text:
        return Problem.EMPTY
    if (link := _LINK.fullmatch(text)) is not None:
        return "+", link[1][: _MAX_DIGITS + 1]
    text = _LABEL.sub("", text, count=1) if _LABEL.match(text) else text
    if (damaged := _SCIENTIFIC.fullmatch(text)) is not None:
        return _undo_scientific(damaged[1], damaged[2] or "", int(damaged[3]))
    if (tail := _FLOAT_TAIL.fullmatch(text)) is not None:
        text = tail[1]
    return _written(text)


def _plain_characters(text: str) -> str:
    """ASCII digits, signs and spaces for their many twins; no invisible characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_plain_character(char) for char in unicodedata.normalize("NFKC", text))


def _plain_character(char: str) -> str:
    match unicodedata.category(char):
        case "Nd":
            return str(unicodedata.digit(char))
        case "Pd":
            return "-"
        case "Cf":
            return ""
        case "Zs" | "Zl" | "Zp" | "Cc":
            return " "
    return "-" if char == "\u2212" else char


def _undo_scientific(whole: str, fraction: str, exponent: int) -> tuple[str, str] | Problem:
    """3.3612345678E+10 is a number; 3.36123E+10 has lost its last digits for good."""
    fraction, rest = fraction[:exponent], fraction[exponent:]
    if len(fraction) < exponent:
        return Problem.DIGITS_LOST
    return Problem.NOT_A_NUMBER if rest.strip("0") else ("", whole + fraction)


def _written(text: str) -> tuple[str, str] | Problem:
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return Problem.SEVERAL if _several(text) else Problem.NOT_A_NUMBER
    digits = "".join(filter(str.isdigit, written[2]))
    if not digits:
        return Problem.NOT_A_NUMBER
    if len(digits) > _MAX_DIGITS:
        return Problem.SEVERAL if _several(text) else Problem.TOO_LONG
    return written[1][:1], digits


def _several(text: str) -> bool:
    parts = (part for part in _BETWEEN_NUMBERS.split(_plain_characters(text)))
    return sum(sum(map(str.isdigit, part)) >= 8 for part in parts) > 1 or _halves(text)


def _halves(text: str) -> bool:
    """Two spaced numbers around one sign: 06 12 34 56 78 / 07 98 76 54 32."""
    parts = re.split(r"[/;,|&:]|\bou\b|\bor\b|\bet\b|\band\b|\n", text, flags=re.IGNORECASE)
    return sum(sum(map(str.isdigit, part)) >= 8 for part in parts) > 1


def _other_readings(plus: str, digits: str, region: str) -> Iterator[tuple[str, str, str]]:
    """What else the digits are usually meant for: (sign, digits, region) to read, each unambiguous.

    - 0692 12 34 56 written in France is a number of Réunion: France and its overseas departments dial alike.
    - The plus sign was lost, or written 00 in a country that does not use 00.
    - Mexican mobile numbers had a 1 after the calling code until 2019, and WhatsApp still writes it.
    """
    if not plus and digits.startswith("0"):
        for overseas in _DIALLED_ALIKE.get(region.upper(), ()):
            yield "", digits, overseas
    if not plus and digits.startswith("00"):
        digits = digits[2:]
    elif not plus and (len(digits) < _BARE_INTERNATIONAL or digits[0] == "0"):
        return
    yield "+", digits, region
    if len(digits) == 13 and digits.startswith("521"):
        yield "+", "52" + digits[3:], region


def _parse(plus: str, digits: str, region: str) -> str | Problem:
    try:
        number = phonenumbers.parse(plus + digits, region.upper() or None)
    except NumberParseException as error:
        return _PARSE_PROBLEMS.get(error.error_type, Problem.NOT_A_NUMBER)
    if not phonenumbers.is_valid_number(number):
        return _what_is_wrong(number)
    if phonenumbers.number_type(number) in REFUSED_TYPES:
        return Problem.UNREACHABLE
    e164 = str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    if not E164.fullmatch(e164):
        return Problem.TOO_LONG if len(e164) > 16 else Problem.TOO_SHORT
    return e164


def _what_is_wrong(number: phonenumbers.PhoneNumber) -> Problem:
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == ValidationResult.IS_POSSIBLE and number.italian_leading_zero:
        # A digit too few: the library then takes the trunk 0 for a part of the number.
        number = phonenumbers.PhoneNumber(country_code=number.country_code, national_number=number.national_number)
        if phonenumbers.is_possible_number_with_reason(number) == ValidationResult.TOO_SHORT:
            return Problem.TOO_SHORT
    return _POSSIBLE_PROBLEMS.get(reason, Problem.INVALID)


_PARSE_PROBLEMS = {
    NumberParseException.INVALID_COUNTRY_CODE: Problem.UNKNOWN_COUNTRY,
    NumberParseException.TOO_SHORT_AFTER_IDD: Problem.TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: Problem.TOO_SHORT,
    NumberParseException.TOO_LONG: Problem.TOO_LONG,
}
_POSSIBLE_PROBLEMS = {
    ValidationResult.TOO_SHORT: Problem.TOO_SHORT,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: Problem.TOO_SHORT,
    ValidationResult.TOO_LONG: Problem.TOO_LONG,
}


# -- the fast path: what most rows of most files are, by one regular expression made from the library's metadata


@dataclass(frozen=True, slots=True)
class _Plan:
    """One country's ordinary numbers. What it does not match is not wrong, only the library's to judge."""

    code: str
    national: re.Pattern[str]  # a national number that the library would take as it stands
    lengths: frozenset[int]
    trunk: str  # "0" in France; empty when there is none, or it is not a plain one
    abroad: re.Pattern[str]  # the international prefix


def _quickly(plus: str, digits: str, region: str) -> str:
    """The E.164 number when it is an ordinary one; empty otherwise."""
    if not plus:
        plan = _plan_of_region(region)
        if plan is None or digits.startswith(plan.code):
            return ""
        if plan.abroad.match(digits) is None:
            if plan.trunk and digits.startswith(plan.trunk):
                digits = digits[len(plan.trunk) :]
            return _national(plan, digits)
        if not (plan.abroad.pattern == "00" and digits[2] != "0"):
            return ""
        digits = digits[2:]
    for length in (1, 2, 3):
        plan = _plan_of_code(digits[:length])
        if plan is not None:
            return _national(plan, digits[length:])
        if digits[:length] in _CALLING_CODES:
            return ""
    return ""


def _national(plan: _Plan, number: str) -> str:
    if len(number) in plan.lengths and plan.national.fullmatch(number):
        return f"+{plan.code}{number}"
    return ""


@functools.lru_cache(maxsize=1024)
def _plan_of_region(region: str) -> _Plan | None:
    """The plan of a region, if the library reads its calling code as this region first."""
    code = calling_code(region.upper())[1:]
    return _plan_of_code(code) if code and main_region(code) == region.upper() else None


@functools.cache
def _plan_of_code(code: str) -> _Plan | None:
    region = main_region(code)
    data = PhoneMetadata.metadata_for_region(region, None) if region else None
    if data is None or data.leading_digits is not None or data.general_desc is None:
        return None
    usual = [desc for desc in (data.mobile, data.fixed_line) if desc and desc.national_number_pattern]
    refused = [desc for desc in (data.premium_rate, data.shared_cost, data.pager, data.voicemail) if desc]
    lengths = frozenset(length for desc in usual for length in desc.possible_length)
    if not usual or not lengths <= frozenset(data.general_desc.possible_length):
        return None
    unlike = [desc.national_number_pattern for desc in refused if desc.national_number_pattern]
    pattern = "".join(
        [
            f"(?!{data.national_prefix_for_parsing})" if data.national_prefix_for_parsing else "",
            f"(?=(?:{data.general_desc.national_number_pattern})$)",
            *(f"(?!(?:{other})$)" for other in unlike),
            "(?:"
            + "|".join(_of_length(desc.national_number_pattern or "", desc.possible_length) for desc in usual)
            + ")",
        ]
    )
    trunk = data.national_prefix_for_parsing or ""
    plain_trunk = trunk if trunk == "0" and not data.national_prefix_transform_rule else ""
    abroad = re.compile(data.international_prefix or "(?!)")
    longest = frozenset(length for length in lengths if len(code) + length in range(7, 16))
    return _Plan(code, re.compile(pattern), longest, plain_trunk, abroad)


def _of_length(pattern: str, lengths: tuple[int, ...]) -> str:
    counts = "|".join(f"[0-9]{{{length}}}" for length in lengths if length > 0)
    return f"(?=(?:{counts})$)(?:{pattern})" if counts else "(?!)"
