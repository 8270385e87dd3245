"""Numbers as a reader compares them: `1,204` is 1204, `42 %` is 0.42, `1.2 km` is 1200 m.

A number of an answer holds when a number of its source means the same. What may be written in two
ways is read in both, since an accusation of what is true costs more trust than it saves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_POWER = re.compile(r"(?:10\s?\^\s?\{?|10(?=[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]))([-−+]?\d{1,3}|[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})\}?")
_NUMBER = re.compile(
    r"""(?<!\d)(?<!\d[.,'’\u2009\u202f])
    (?P<digits>\d+(?:[.,'’\u2009\u202f]\d+)*|(?<![\w.])\.\d+)
    (?P<exponent>[eE][-+]?\d{1,3}(?!\w))?
    (?P<power>\s?[×x*·]\s?10\s?\^?\s?\{?(?:[-−+]?\d{1,3}|[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})\}?)?
    (?P<gap>[\s\u00a0~-]?)
    (?P<unit>%|‰|°\s?[CFK]?\b|[A-Za-zµμΩ]+)?""",
    re.VERBOSE,
)
# The digits of `p53`, `H2O` and `SHA-256` belong to a name.
_NAME = re.compile(r"[^\W\d][-‐‑]?$|_$")
_GROUPED = re.compile(r"\d{1,3}(?:[,'’\u2009\u202f]\d{3})+(?:\.\d+)?")
_EUROPEAN = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_HEDGED = re.compile(
    r"(?:about|around|approximately|approx\.?|roughly|nearly|almost|over|under|some|circa|ca\."
    r"|more than|less than|at least|at most|up to|close to|[~≈<>≤≥])\s*$",
    re.IGNORECASE,
)

_PREFIXES = {"n": 1e-9, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "c": 1e-2, "k": 1e3, "M": 1e6,
             "G": 1e9, "T": 1e12, "P": 1e15, "": 1.0}  # fmt: skip
_SYMBOLS = ("m", "g", "s", "Hz", "Pa", "J", "W", "V", "A", "K", "L", "l", "N", "eV", "bar", "mol",
            "B", "b", "bit", "bps", "Ω", "M")  # fmt: skip
_WORDS = {
    "metre": (1.0, "m"), "meter": (1.0, "m"), "kilometre": (1e3, "m"), "kilometer": (1e3, "m"),
    "centimetre": (1e-2, "m"), "centimeter": (1e-2, "m"), "millimetre": (1e-3, "m"),
    "millimeter": (1e-3, "m"), "micrometre": (1e-6, "m"), "micrometer": (1e-6, "m"),
    "nanometre": (1e-9, "m"), "nanometer": (1e-9, "m"), "gram": (1.0, "g"), "kilogram": (1e3, "g"),
    "milligram": (1e-3, "g"), "tonne": (1e6, "g"), "second": (1.0, "s"), "sec": (1.0, "s"),
    "millisecond": (1e-3, "s"), "microsecond": (1e-6, "s"), "nanosecond": (1e-9, "s"),
    "minute": (60.0, "s"), "min": (60.0, "s"), "hour": (3600.0, "s"), "hr": (3600.0, "s"),
    "h": (3600.0, "s"), "day": (86400.0, "s"), "week": (604800.0, "s"), "month": (1.0, "month"),
    "year": (12.0, "month"), "hertz": (1.0, "Hz"), "kilohertz": (1e3, "Hz"),
    "megahertz": (1e6, "Hz"), "gigahertz": (1e9, "Hz"), "pascal": (1.0, "Pa"),
    "kilopascal": (1e3, "Pa"), "megapascal": (1e6, "Pa"), "joule": (1.0, "J"), "watt": (1.0, "W"),
    "volt": (1.0, "V"), "ampere": (1.0, "A"), "kelvin": (1.0, "K"), "litre": (1.0, "l"),
    "liter": (1.0, "l"), "newton": (1.0, "N"), "byte": (1.0, "B"), "kilobyte": (1e3, "B"),
    "megabyte": (1e6, "B"), "gigabyte": (1e9, "B"), "terabyte": (1e12, "B"),
    "kb": (1e3, "B"), "mb": (1e6, "B"), "gb": (1e9, "B"), "tb": (1e12, "B"),
    "percent": (0.01, "%"), "celsius": (1.0, "°C"), "fahrenheit": (1.0, "°F"),
}  # fmt: skip
_MULTIPLES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
_UPWARDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)  # fmt: skip
_SMALL = {
    **{word: float(value) for value, word in enumerate(_UPWARDS)},
    "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "seventy": 70.0, "eighty": 80.0,
    "ninety": 90.0, "hundred": 100.0, "thousand": 1000.0, "million": 1e6, "billion": 1e9,
    "half": 0.5, "once": 1.0, "twice": 2.0, "thrice": 3.0, "double": 2.0, "triple": 3.0,
    "first": 1.0, "second": 2.0, "third": 3.0, "fourth": 4.0, "fifth": 5.0, "sixth": 6.0,
    "seventh": 7.0, "eighth": 8.0, "ninth": 9.0, "tenth": 10.0,
}  # fmt: skip
_SPELT = re.compile(
    r"\b(" + "|".join(sorted(_SMALL, key=len, reverse=True)) + r")\b(?:[- ]("
    + "|".join(sorted(_SMALL, key=len, reverse=True)) + r")\b)?",
    re.IGNORECASE,
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{3,}")
_BEHIND = re.compile(r"[\s-]{1,2}([^\W\d_]{3,})")
# How far around a number what it counts may stand: "hours of rest: 6" as well as "6 hours".
_AROUND = 60
_LITTLE = frozenset(
    """and the for are was were with from that this than then per not but all has had have its our
    respectively percent cent times million billion thousand""".split()  # noqa: SIM905
)
# Things of a text that are known by a number: "Figure 3" is not borne out by "Table 3".
_LABEL = re.compile(
    r"\b(fig|figure|table|section|sec|theorem|lemma|eq|equation|chapter|step|appendix|algorithm|"
    r"definition|conjecture|proposition|corollary|example|specification|property|phase|stage|rule|"
    r"line|version)s?\.?\s*(?:\d+(?:\.\d+)*(?:\([a-z]\))?\s*(?:,|and|or|to|–|-)\s*)*\(?$",
    re.IGNORECASE,
)
_ORDINALS = ("st", "nd", "rd", "th", "s", "x", "fold")
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text: where it stands, the values it can mean, its unit in base units.

    `unit` is empty where none follows. `named` says that it is a part of a name, as in `SHA-256`.
    """

    start: int
    end: int
    values: tuple[float, ...]
    unit: str = ""
    scale: float = 1.0
    named: bool = False
    hedged: bool = False
    digits: int = 0


def find(text: str) -> list[Number]:
    """Every number of `text` that is written in digits, in order."""
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        found += _read(text, match)
    return found


class Known:
    """The numbers of a source, ready to be asked whether one of an answer is among them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._numbers: list[Number] = []
        self._counted: dict[str, list[Number]] = {}
        self._near: dict[str, list[Number]] = {}
        self._labelled: dict[str, list[Number]] = {}
        for text in texts:
            found = [*find(text), *_powers(text), *_spelt(text)]
            self._numbers += found
            for number in found:
                if word := counted(text, number):
                    self._counted.setdefault(word, []).append(number)
                if label := labelled(text, number):
                    self._labelled.setdefault(label, []).append(number)
                around = text[max(0, number.start - _AROUND) : number.end + _AROUND]
                for near in {_stem(match) for match in _WORD.findall(around)}:
                    self._near.setdefault(near, []).append(number)

    def holds(self, number: Number, what: str = "", label: str = "") -> bool:
        """Whether a number of the source means the same; a unit that is missing fits any.

        `what` is what the number counts. Where the source counts that too, but never so many, a
        number that stands there for something else does not bear the statement out; `label` is
        the word before it, e.g. that of a figure.
        """
        if not any(_same(number, other) for other in self._numbers):
            return False
        if label in self._labelled:
            return any(_same(number, other) for other in self._labelled[label])
        if not what or what not in self._counted:
            return True
        return any(_same(number, other) for other in self._near.get(what, ()))


def counted(text: str, number: Number) -> str:
    """The stem of the word a number counts: the one behind it, e.g. `hour` for "6 hours"."""
    match = _BEHIND.match(text, number.end)
    return _stem(match[1]) if match and match[1].lower() not in _LITTLE else ""


def labelled(text: str, number: Number) -> str:
    """The kind of thing a number names, e.g. `fig` for "Figure 3" and "Figs. 1 and 3"."""
    match = _LABEL.search(text[max(0, number.start - _AROUND) : number.start])
    return _stem(match[1])[:3] if match else ""


def _stem(word: str) -> str:
    return word.lower().rstrip("s")


def _same(asked: Number, known: Number) -> bool:
    units = {asked.unit, known.unit}
    if "" in units or asked.unit == known.unit:
        for value in asked.values:
            for other in known.values:
                if _near(value, other) or _near(value * asked.scale, other * known.scale):
                    return True
                if asked.hedged and _rounds(other, value, asked.digits):
                    return True
        # Something told as a share of one is often retold in percent, and the other way round.
        if "%" in units and "" in units:
            ratio = 100.0 if asked.unit == "%" else 0.01
            return any(_near(v, o * ratio) for v in asked.values for o in known.values)
    return False


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-15)


def _rounds(exact: float, told: float, digits: int) -> bool:
    """Whether `told` is `exact` rounded to the digits it is told with."""
    if not exact or not told:
        return False
    places = digits - 1 - math.floor(math.log10(abs(exact)))
    return _near(round(exact, places), told)


def _read(text: str, match: re.Match[str]) -> list[Number]:
    digits = match["digits"]
    values = _values(digits)
    scale_by = 1.0
    if match["exponent"]:
        scale_by = 10.0 ** int(match["exponent"][1:])
    elif match["power"]:
        scale_by = 10.0 ** _exponent(match["power"])
    start, end = match.start("digits"), match.end("digits")
    if scale_by != 1.0:
        end = match.end("power") if match["power"] else match.end("exponent")
    word = (match["unit"] or "").strip()
    unit, scale, named = "", 1.0, _NAME.search(text[max(0, start - 2) : start]) is not None
    multiple = _MULTIPLES.get(word.lower())
    if multiple is None and not match["gap"]:
        multiple = {"k": 1e3, "M": 1e6, "bn": 1e9, "B": 1e9}.get(word)
    decade = word == "s" and not match["gap"] and len(digits) == 4
    known = None if decade else _unit(word, attached=not match["gap"])
    if known is not None:
        scale, unit = known
        end = match.end("unit")
    elif multiple is not None:
        end = match.end("unit")
    elif word and not match["gap"] and word.lower() not in _ORDINALS:
        named = True
    readings = [value * scale_by for value in values]
    if multiple is not None:
        readings = [*(reading * multiple for reading in readings), *(readings if unit else ())]
    hedged = _HEDGED.search(text[max(0, start - 16) : start]) is not None
    significant = len(re.sub(r"\D", "", digits).lstrip("0").rstrip("0")) or 1
    return [Number(start, end, tuple(readings), unit, scale, named, hedged, significant)]


def _values(digits: str) -> list[float]:
    """What a written number can mean: `1,204` is 1204, or 1.204 where commas mark decimals."""
    if digits.startswith("."):
        return [float(f"0{digits}")]
    readings: list[float] = []
    if _GROUPED.fullmatch(digits):
        readings.append(float(re.sub(r"[^\d.]", "", digits)))
    if _EUROPEAN.fullmatch(digits):
        readings.append(float(digits.replace(".", "").replace(",", ".")))
    plain = digits.replace(",", ".") if digits.count(",") == 1 and "." not in digits else digits
    try:
        readings.append(float(plain))
    except ValueError:
        # A version, a date, a list without spaces: its parts are what can be compared.
        readings += [float(part) for part in re.split(r"\D", digits) if part]
    return list(dict.fromkeys(readings))


def _exponent(text: str) -> int:
    found = re.search(r"10\s?\^?\s?\{?([-−+]?\d{1,3}|[⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})", text)
    return int(found[1].translate(_SUPERSCRIPTS).replace("−", "-")) if found else 0


def _unit(word: str, *, attached: bool) -> tuple[float, str] | None:
    if not word:
        return None
    if word in {"%", "‰"}:
        return (0.01, "%") if word == "%" else (0.001, "%")
    if word.startswith("°"):
        name = word[1:].strip()
        return (1.0, "K" if name == "K" else f"°{name}")
    lower = word.lower()
    for name in (lower, lower.removesuffix("s"), lower.removesuffix("es")):
        if name in _WORDS and (len(name) > 1 or attached or word == "h"):
            return _WORDS[name]
    for symbol in _SYMBOLS:
        prefix = word.removesuffix(symbol)
        if word.endswith(symbol) and prefix in _PREFIXES:
            return _PREFIXES[prefix], "l" if symbol == "L" else symbol
    return None


def _powers(text: str) -> list[Number]:
    """Bare powers of ten, `10^6` or `10⁶`."""
    return [
        Number(m.start(), m.end(), (10.0 ** int(m[1].translate(_SUPERSCRIPTS).replace("−", "-")),))
        for m in _POWER.finditer(text)
    ]


def _spelt(text: str) -> list[Number]:
    """Numbers written in words; two words are read together and apart."""
    found = []
    for match in _SPELT.finditer(text):
        first = _SMALL[match[1].lower()]
        values = [first]
        if match[2]:
            second = _SMALL[match[2].lower()]
            values += [second, first * second if second >= 100 else first + second]
        found.append(Number(match.start(), match.end(), tuple(values)))
    return found
