"""Instruments as the codebook declares them: items, reversals, scales, cut-offs, proration.

One file of codebook/instruments/ is one `Instrument`. The objects are closed (an unknown key is a fault) and hold
item numbers and scale names only, never the wording of an item.
"""

import re
from itertools import combinations, pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StrictStr

from esmi import documents
from esmi.documents import Closed, Name, shown
from esmi.errors import ResearchError, listed

_PARTS = re.compile(r"\s*\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*\s*")


def _item_numbers(value: Any) -> Any:
    """Item numbers of a compact string such as "1-9, 11", or the list as it is; a number given twice is a fault."""
    if isinstance(value, str):
        if not _PARTS.fullmatch(value):
            raise ValueError(f"{shown(value)} is no list of item numbers; write [1, 2, 5] or '1-28' or '1-9, 11'")
        numbers: list[int] = []
        for part in value.split(","):
            first, _, last = (end.strip() for end in part.partition("-"))
            if last and int(last) < int(first):
                raise ValueError(f"{shown(value)} holds the range {part.strip()}, which runs backwards")
            numbers.extend(range(int(first), int(last or first) + 1))
        value = numbers
    if isinstance(value, list) and all(isinstance(number, int) for number in value):
        repeated = sorted({number for number in value if value.count(number) > 1})
        if repeated:
            raise ValueError(f"item numbers given more than once: {_numbers(repeated)}")
    return value


def _item_pattern(text: str) -> str:
    if not re.fullmatch(r"[^{}]*\{(:0?[0-9]+d)?\}[^{}]*", text):
        raise ValueError(f"found {shown(text)}; allowed: a column name with a place for the number, 'ctq_{{:02d}}'")
    return text


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _numbers(numbers: list[int] | tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in numbers)


ItemNumbers = Annotated[tuple[Annotated[StrictInt, Field(ge=1)], ...], BeforeValidator(_item_numbers)]
NonEmptyItemNumbers = Annotated[ItemNumbers, Field(min_length=1)]
ItemPattern = Annotated[StrictStr, AfterValidator(_item_pattern)]
Bands = Annotated[dict[Name, float], Field(min_length=1)]


class Administration(Closed):
    """One occasion on which an instrument was given: the raw file and the pattern of its item columns."""

    file: Name
    items: ItemPattern


class Proration(Closed):
    """When a score may be prorated: the largest share of its scale's items that may be missing (0: never)."""

    max_missing_share: Annotated[float, Field(ge=0, lt=1)]


class Scale(Closed):
    """One score of an instrument.

    `items` (numbers) or `of_scales` (names of scales whose scores are added), never both. Methods: `sum` and `mean` of
    the items after reversal; `count` of items whose value after reversal is in `equals`; `any` is 1 where a known item
    is in `equals`, 0 where every item is known and none is, missing otherwise (Kleene logic). `printed_range` is the
    range that the instrument's form states, for comparison with the one that its items can give.
    """

    label: StrictStr
    method: Literal["sum", "mean", "count", "any"] = "sum"
    items: NonEmptyItemNumbers | None = None
    of_scales: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    equals: Annotated[tuple[StrictInt, ...], BeforeValidator(_as_list)] | None = None
    proration: Proration | None = None
    printed_range: tuple[StrictInt, StrictInt] | None = None


class CutOffSet(Closed):
    """The cut-offs of one source: per scale the bands, lowest first, and the value from which each begins.

    `below` is the band under the first cut-off.
    """

    source: StrictStr
    below: Name
    scales: Annotated[dict[Name, Bands], Field(min_length=1)]


class Instrument(Closed):
    """One instrument: what its items are and how its scores are made of them.

    `items` are the items that were given. Where a study used a shortened form, `published_items` holds the full list;
    scales and reversals keep the published numbers, and each scale uses those of its items that were given.
    """

    name: Name
    title: StrictStr
    administrations: Annotated[dict[Name, Administration], Field(min_length=1)]
    items: NonEmptyItemNumbers
    published_items: NonEmptyItemNumbers | None = None
    range: tuple[StrictInt, StrictInt]
    missing: dict[StrictInt, StrictStr] = {}
    reversed: ItemNumbers = ()
    proration: Proration
    scales: Annotated[dict[Name, Scale], Field(min_length=1)]
    cut_off_sets: dict[Name, CutOffSet] = {}
    default_cut_off_set: Name | None = None
    source: StrictStr
    confirm: tuple[StrictStr, ...] = ()


def parse(mapping: dict, where: str) -> Instrument:
    """The instrument that a codebook file declares; `where` names the file.

    Raises ResearchError with all faults at once: first those of the shape (unknown keys, wrong kinds of value), and,
    where the shape is sound, all those of the cross-checks.
    """
    instrument = documents.parse(Instrument, mapping, where)
    if faults := _cross_faults(instrument):
        raise listed(where, faults)
    return instrument


def column(instrument: Instrument, administration: str, number: int) -> str:
    """The name of an item's raw column at one administration.

    Raises ResearchError where there is no such administration.
    """
    if administration not in instrument.administrations:
        raise ResearchError(
            f"Instrument {instrument.name} has no administration {administration}; "
            f"declared are {', '.join(instrument.administrations)}."
        )
    return instrument.administrations[administration].items.format(number)


def scale_items(instrument: Instrument, scale: str) -> tuple[int, ...]:
    """The given items that a scale is made of: those it names, or those of the scales it adds."""
    declared = instrument.scales[scale]
    if declared.of_scales is not None:
        return tuple(number for part in declared.of_scales for number in scale_items(instrument, part))
    return tuple(number for number in declared.items if number in instrument.items)


def cut_offs(instrument: Instrument, scale: str) -> dict[str, float]:
    """The bands of a scale by the instrument's default cut-offs, and the score from which each begins; may be empty."""
    if instrument.default_cut_off_set is None:
        return {}
    return instrument.cut_off_sets[instrument.default_cut_off_set].scales.get(scale, {})


def without_words(instrument: Instrument) -> Instrument:
    """The instrument less its titles, labels and sources, sorted: all that decides a score, and nothing more."""
    return instrument.model_copy(
        update={
            "title": "",
            "source": "",
            "confirm": (),
            "administrations": dict(sorted(instrument.administrations.items())),
            "published_items": None,
            "missing": dict.fromkeys(sorted(instrument.missing), ""),
            "scales": {
                name: scale.model_copy(update={"label": "", "printed_range": None})
                for name, scale in sorted(instrument.scales.items())
            },
            "cut_off_sets": {
                name: declared.model_copy(update={"source": "", "scales": dict(sorted(declared.scales.items()))})
                for name, declared in sorted(instrument.cut_off_sets.items())
            },
        }
    )


def scale_proration(instrument: Instrument, scale: str) -> Proration:
    """The scale's own rule, else the instrument's; counts are never prorated unless the scale itself says so."""
    declared = instrument.scales[scale]
    if declared.proration is not None:
        return declared.proration
    return instrument.proration if declared.method in ("sum", "mean") else Proration(max_missing_share=0)


def possible_range(instrument: Instrument, scale: str) -> tuple[int, int]:
    """The lowest and the highest score that a scale's given items can make."""
    low, high = instrument.range
    n_items = len(scale_items(instrument, scale))
    match instrument.scales[scale].method:
        case "sum":
            return n_items * low, n_items * high
        case "mean":
            return low, high
        case "count":
            return 0, n_items
        case "any":
            return 0, 1


def mismatches(instrument: Instrument) -> list[str]:
    """What does not agree within an instrument and is to be reported, though it can be scored.

    Printed ranges that the items cannot give, and scales that lost items because a shortened form was used.
    """
    found = []
    for name, scale in instrument.scales.items():
        low, high = possible_range(instrument, name)
        n_items = len(scale_items(instrument, name))
        if scale.printed_range is not None and scale.printed_range != (low, high):
            found.append(
                f"{instrument.name}, scale {name}: the printed range is {scale.printed_range[0]} to "
                f"{scale.printed_range[1]}, but its {n_items} items of {instrument.range[0]} to {instrument.range[1]} "
                f"give {low} to {high}."
            )
        lost = [number for number in scale.items or () if number not in instrument.items]
        if lost:
            found.append(
                f"{instrument.name}, scale {name}: uses {n_items} of its {len(scale.items)} published items (without "
                f"{_numbers(lost)}); cut-offs set on the published items may not hold."
            )
    return found


def _cross_faults(instrument: Instrument) -> list[str]:
    faults = _item_faults(instrument) + _administration_faults(instrument)
    by_scale = {name: _scale_faults(instrument, name, scale) for name, scale in instrument.scales.items()}
    faults += [fault for found in by_scale.values() for fault in found]
    # Possible scores, which a cut-off must lie in, exist only for scales that are sound.
    low, high = instrument.range
    sound = {name for name, found in by_scale.items() if not found and low < high}
    return faults + _cut_off_faults(instrument, sound)


def _item_faults(instrument: Instrument) -> list[str]:
    low, high = instrument.range
    published = instrument.published_items or instrument.items
    faults = []
    if low >= high:
        faults.append(f"range: {low} to {high} is empty; give the lowest allowed value first")
    if inside := [code for code in instrument.missing if low <= code <= high]:
        faults.append(f"missing: {_numbers(inside)} is also an allowed value (range {low} to {high})")
    if outside := _not_in(instrument.items, published):
        faults.append(f"items: {_numbers(outside)} not in published_items")
    if outside := _not_in(instrument.reversed, published):
        faults.append(f"reversed: {_numbers(outside)} not among the items")
    return faults


def _administration_faults(instrument: Instrument) -> list[str]:
    return [
        f"administrations.{first} and administrations.{second}: the same columns of the same file"
        for (first, one), (second, other) in combinations(instrument.administrations.items(), 2)
        if one == other
    ]


def _scale_faults(instrument: Instrument, name: str, scale: Scale) -> list[str]:
    where = f"scales.{name}"
    low, high = instrument.range
    faults = []
    if (scale.items is None) == (scale.of_scales is None):
        faults.append(f"{where}: give either items or of_scales")
    elif scale.items is not None:
        published = instrument.published_items or instrument.items
        if outside := _not_in(scale.items, published):
            faults.append(f"{where}.items: {_numbers(outside)} not among the items of the instrument")
        if not scale_items(instrument, name):
            faults.append(f"{where}: none of its items was given; remove the scale or add its items to items")
    else:
        faults += _sum_of_scales_faults(instrument, name, scale)
    if (scale.equals is not None) != (scale.method in ("count", "any")):
        faults.append(f"{where}.equals: goes with the methods count and any, which need it; method is {scale.method}")
    if outside := [value for value in scale.equals or () if not low <= value <= high]:
        faults.append(f"{where}.equals: {_numbers(outside)} outside the range {low} to {high}")
    if scale.method == "any" and scale.proration is not None:
        faults.append(f"{where}.proration: the method any cannot be prorated")
    if scale.printed_range is not None and scale.printed_range[0] >= scale.printed_range[1]:
        faults.append(f"{where}.printed_range: give the lowest score first")
    return faults


def _sum_of_scales_faults(instrument: Instrument, name: str, scale: Scale) -> list[str]:
    where = f"scales.{name}.of_scales"
    faults = []
    if scale.method != "sum" or scale.proration is not None:
        faults.append(f"{where}: adds scores that are prorated already; it needs the method sum and no proration")
    parts = {part: instrument.scales.get(part) for part in scale.of_scales}
    if unknown := [part for part, declared in parts.items() if declared is None]:
        faults.append(f"{where}: no such scale: {', '.join(unknown)}; scales are {', '.join(instrument.scales)}")
    if unfit := [part for part, made in parts.items() if made and (made.items is None or made.method != "sum")]:
        faults.append(f"{where}: {', '.join(unfit)} is not itself a sum of items")
    numbers = [number for made in parts.values() if made for number in made.items or ()]
    if len(parts) < len(scale.of_scales) or len(set(numbers)) < len(numbers):
        faults.append(f"{where}: an item would be added more than once")
    return faults


def _cut_off_faults(instrument: Instrument, sound: set[str]) -> list[str]:
    default, sets = instrument.default_cut_off_set, instrument.cut_off_sets
    faults = []
    if (default is None) != (not sets) or (default is not None and default not in sets):
        known = ", ".join(sets) or "none"
        faults.append(f"default_cut_off_set: found {default}; must be one of the cut_off_sets ({known})")
    for set_name, cut_off_set in sets.items():
        for scale, bands in cut_off_set.scales.items():
            where = f"cut_off_sets.{set_name}.scales.{scale}"
            if scale not in instrument.scales:
                faults.append(f"{where}: no such scale; scales are {', '.join(instrument.scales)}")
            if cut_off_set.below in bands:
                faults.append(f"{where}: the band {cut_off_set.below} is also the one below the cut-offs")
            if any(first >= second for first, second in pairwise(bands.values())):
                faults.append(f"{where}: cut-offs must rise from band to band")
            if scale in sound:
                faults += _reach_faults(instrument, where, scale, bands)
    return faults


def _reach_faults(instrument: Instrument, where: str, scale: str, bands: dict[str, float]) -> list[str]:
    low, high = possible_range(instrument, scale)
    outside = [band for band, value in bands.items() if not low < value <= high]
    if not outside:
        return []
    return [f"{where}: {', '.join(outside)} begins outside the possible scores, which lie above {low} and up to {high}"]


def _not_in(numbers: tuple[int, ...], allowed: tuple[int, ...]) -> list[int]:
    return [number for number in numbers if number not in allowed]
