"""An invented extract in the shape of the study's raw files, from declared assumptions and with known true effects.

Nothing here knows how the files are cleaned or scored: the true values are computed from what was simulated, so that
they can be held against what the workflow makes of the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from esmi.documents import nearest, parse
from esmi.errors import ResearchError
from esmi.synthetic.assumptions import (
    Absence,
    Assumptions,
    DiagnosisCodes,
    Effects,
    Gaps,
    Group,
    Indicator,
    Measure,
    correlation_matrix,
)

ID = "dyad_id"
BLANK = "blank"
NO_YES = ("no", "yes")


@dataclass(frozen=True)
class Simulated:
    """An invented extract and what is true of it.

    files: {name of the file: raw table}; whole numbers (nullable), text, and object where Stata's ".a" to ".z" occur.
    truth: planted log-odds, intercepts, numbers of events and summaries of the complete data; nothing of one person.
    complete: the complete data before anything went missing, one row per dyad, sorted by id: numbers, and ordered
        categoricals with the reference first. To be kept where rows of persons are kept.
    """

    files: dict[str, pd.DataFrame] = field(repr=False)
    truth: dict[str, Any]
    complete: pd.DataFrame = field(repr=False)


def simulate(assumptions: Mapping[str, Any], seed: int, n: int | None = None) -> Simulated:
    """An extract of n dyads (default: the assumed number) from the assumptions, a parsed synthetic.yaml.

    Outcomes are latent-logistic: the dyads with the highest linear predictor plus logistic noise have the outcome, so
    many as assumed (in proportion, where n is another number); minus the limit is the intercept. Complete data,
    missingness and the order of rows each have their own random stream: assuming less missing changes no value.

    Raises ResearchError for assumptions that do not fit their schema and for effects of unknown terms.
    """
    assumed = parse(Assumptions, assumptions, "assumptions of the synthetic extract")
    n = n or assumed.dyads.n
    streams = np.random.SeedSequence(seed).spawn(4)
    people, answers, gaps, order = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)

    traits = _traits(assumed, n, people)
    items, scored = _items(assumed, traits, answers)
    raw, complete = _index(assumed, traits, people)
    _add_scores(complete, assumed, scored)
    _add_composites(raw, complete, assumed, traits, scored, people)
    models = _add_outcomes(raw, complete, assumed, people)
    identifiers = _identifiers(n, people)

    _lose_single_values(raw, assumed, gaps)
    _lose_answers(items, complete, assumed, gaps)
    present = {
        "index": np.ones(n, dtype=bool),
        "interview": ~_absent(complete, assumed.missing.not_interviewed, "missing.not_interviewed", gaps),
        "followup": ~_absent(complete, assumed.missing.attrition, "missing.attrition", gaps),
    }
    files = {}
    for name, rows in present.items():
        table = pd.DataFrame({ID: identifiers, **raw[name], **items.get(name, {})})
        files[name] = table.iloc[order.permutation(np.flatnonzero(rows))].reset_index(drop=True)
    complete.insert(0, ID, identifiers)
    complete = complete.sort_values(ID, ignore_index=True)
    return Simulated(files, _truth(complete, models, seed), complete)


def _traits(assumed: Assumptions, n: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    values = random.standard_normal((n, len(assumed.traits))) @ np.linalg.cholesky(correlation_matrix(assumed)).T
    return dict(zip(assumed.traits, values.T, strict=True))


def _identifiers(n: int, random: np.random.Generator) -> np.ndarray:
    digits = max(4, len(str(2 * n)))
    numbers = random.choice(10**digits, size=n, replace=False)
    return np.array([f"D{number:0{digits}d}" for number in numbers.tolist()], dtype=object)


# Items


Tables = dict[str, dict[str, Any]]


def _items(
    assumed: Assumptions, traits: dict[str, np.ndarray], random: np.random.Generator
) -> tuple[Tables, dict[str, dict[int, np.ndarray]]]:
    """Raw item columns by file, and the scored items of each `file.instrument` by number (int8)."""
    raw: Tables = {}
    scored: dict[str, dict[int, np.ndarray]] = {}
    for name, instrument in assumed.instruments.items():
        low, high = instrument.range
        for file, pattern in instrument.columns.items():
            values = {}
            for group in instrument.groups:
                values |= _group_items(group, low, traits[group.trait], random)
            scored[f"{file}.{name}"] = values
            raw.setdefault(file, {})
            for item in instrument.items:
                stored = low + high - values[item] if item in instrument.reversed else values[item]
                raw[file][pattern.format(item)] = _whole_numbers(stored)
    return raw, scored


def _group_items(group: Group, low: int, trait: np.ndarray, random: np.random.Generator) -> dict[int, np.ndarray]:
    """Graded answers: cut points of a standard normal at the cumulated shares (normal-ogive graded response)."""
    n = len(trait)
    common = group.loading * trait + group.group_loading * random.standard_normal(n)
    noise = np.sqrt(1 - group.loading**2 - group.group_loading**2)
    cuts = ndtri(np.clip(np.cumsum(group.shares)[:-1], 0, 1))
    return {
        item: (low + np.searchsorted(cuts, common + noise * random.standard_normal(n))).astype(np.int8)
        for item in sorted(group.items)
    }


def _whole_numbers(values: np.ndarray) -> pd.arrays.IntegerArray:
    """Nullable whole numbers of one byte each: a million rows of 180 columns stay below half a gigabyte."""
    return pd.arrays.IntegerArray(values.astype(np.int8), np.zeros(len(values), dtype=bool))


def _add_scores(complete: pd.DataFrame, assumed: Assumptions, scored: dict[str, dict[int, np.ndarray]]) -> None:
    for name, instrument in assumed.instruments.items():
        for file in instrument.columns:
            values = scored[f"{file}.{name}"]
            label = instrument.score.name + ("_12m" if file == "followup" else "")
            total = np.zeros(len(complete))
            for group in instrument.groups:
                for item in group.items if group.scored else ():
                    counting = instrument.score.counting
                    total += values[item] if counting is None else values[item] == counting
            complete[label] = total


# The admission record


def _index(
    assumed: Assumptions, traits: dict[str, np.ndarray], random: np.random.Generator
) -> tuple[Tables, pd.DataFrame]:
    """Raw columns by file without diagnoses and outcomes, and the same as variables of the analysis."""
    n = len(traits["age"])
    nation = _category(random.standard_normal(n), assumed.nation)
    trust = np.zeros(n, dtype=np.int64)
    for code, (first, last) in assumed.trusts.items():
        trust[nation == code] = random.integers(first, last + 1, size=int((nation == code).sum()))
    service = _exact(assumed.service, n, random)
    age = _measure(traits["age"], assumed.age)
    ethnic_group = _category(traits["ethnicity"], assumed.ethnic_group)
    relationship = _category(traits["single"], assumed.relationship)
    decile = _category(traits["deprivation"], assumed.deprivation_decile)
    previous = _among(traits["history"], service, assumed.previous_admission)
    admissions = np.where(previous, _category(random.standard_normal(n), assumed.admissions), 0)
    detained = _among(traits["severity"], service, assumed.detained)
    index = {
        "nation": _whole_numbers(nation),
        "trust": _whole_numbers(trust),
        "age_years": _whole_numbers(age),
        "ethnic_group": _whole_numbers(ethnic_group),
        "relationship": _whole_numbers(relationship),
        # The codebook has an index of deprivation of each nation: 1 England, 2 Wales.
        "imd_decile": _blanked(_whole_numbers(decile), nation != 1),
        "wimd_decile": _blanked(_whole_numbers(decile), nation != 2),
        "service": _whole_numbers(service),
        **dict.fromkeys(("icd_1", "icd_2", "icd_3", "icd_4")),
        "admissions_2y": _whole_numbers(admissions),
        "mha": _whole_numbers(detained),
        **dict.fromkeys(("safeguarding", "other_children_csc")),
    }
    complete = pd.DataFrame(
        {
            "age": age.astype(float),
            "ethnicity": _levels(ethnic_group, assumed.levels["ethnicity"]),
            "relationship": _levels(relationship, assumed.levels["relationship"]),
            "deprivation": _levels(decile, assumed.levels["deprivation"]),
            "service": _levels(service, assumed.levels["service"]),
            "previous_admission": _no_yes(previous),
            "detained": _no_yes(detained),
            "personality_disorder": _no_yes(_among(traits["personality"], service, assumed.personality_disorder)),
            "schizophrenia": _no_yes(_among(traits["psychosis"], service, assumed.schizophrenia)),
        }
    )
    return {"index": index, "interview": {}, "followup": {}}, complete


def _add_composites(
    raw: Tables,
    complete: pd.DataFrame,
    assumed: Assumptions,
    traits: dict[str, np.ndarray],
    scored: dict[str, dict[int, np.ndarray]],
    random: np.random.Generator,
) -> None:
    """Substance misuse and learning difficulties with their parts, and the diagnoses."""
    substance_icd = _indicator(traits["substance"], assumed.substance.icd10, random)
    drug_history = _indicator(traits["substance"], assumed.substance.drug_history, random)
    learning_icd = _indicator(traits["learning"], assumed.learning.icd10, random)
    learning_reported = _indicator(traits["learning"], assumed.learning.reported, random)
    substance = substance_icd | drug_history
    for key, part in assumed.substance.items.items():
        for item in part.items:
            substance |= scored[key][item] >= part.at_least
    complete["substance_misuse"] = _no_yes(substance)
    complete["learning_difficulties"] = _no_yes(learning_icd | learning_reported)
    raw["interview"] |= {
        "drug_history": _whole_numbers(drug_history),
        "learning_difficulties": _whole_numbers(learning_reported),
    }
    present = {
        "personality_disorder": _is_yes(complete, "personality_disorder"),
        "schizophrenia": _is_yes(complete, "schizophrenia"),
        "substance": substance_icd,
        "learning": learning_icd,
    }
    recorded = _diagnoses(present, assumed.diagnoses, random)
    raw["index"] |= {f"icd_{place + 1}": recorded[:, place] for place in range(recorded.shape[1])}


def _diagnoses(present: dict[str, np.ndarray], codes: DiagnosisCodes, random: np.random.Generator) -> np.ndarray:
    """Four columns of ICD-10 codes, the empty ones ("") last."""
    n = len(present["schizophrenia"])
    drawn = {
        kind: np.where(
            present.get(kind, np.ones(n, dtype=bool)), _category(random.standard_normal(n), getattr(codes, kind)), ""
        )
        for kind in ("schizophrenia", "personality_disorder", "substance", "learning", "other")
    }
    main = np.where(present["schizophrenia"], drawn["schizophrenia"], drawn["other"])
    personality = drawn["personality_disorder"]
    swapped = present["personality_disorder"] & (random.random(n) < codes.personality_first)
    slots = np.column_stack(
        [
            np.where(swapped, personality, main),
            np.where(swapped, main, personality),
            drawn["substance"],
            drawn["learning"],
        ]
    ).astype(object)
    slots = np.take_along_axis(slots, np.argsort(slots == "", axis=1, kind="stable"), axis=1)
    untidy = random.random(n) < codes.untidy
    slots[untidy] = np.char.lower(np.char.replace(slots[untidy].astype(str), ".", ""))
    return slots


# Outcomes


def _add_outcomes(
    raw: Tables, complete: pd.DataFrame, assumed: Assumptions, random: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Outcomes at T1, readmission, outcomes at T2 and all that follows from them; returns the true models."""
    n = len(complete)
    dyads = assumed.dyads
    n_known = round(dyads.t1_known * n / dyads.n)
    known = np.zeros(n, dtype=bool)
    known[random.permutation(n)[:n_known]] = True
    n_involved = round(dyads.t1_involved * n_known / dyads.t1_known)
    latent = _latent(complete, assumed.t1.effects, "t1.effects", random)
    limit_t1 = _limit(latent[known], n_involved)
    involved_t1 = latent > limit_t1
    category_t1 = _by(involved_t1, assumed.t1.categories, random)
    complete["csc_t1"] = _no_yes(involved_t1)
    raw["index"]["safeguarding"] = _whole_numbers(np.where(known, category_t1, dyads.unknown_code))
    raw["index"]["other_children_csc"] = _whole_numbers(_by(involved_t1, assumed.other_children_csc, random))

    latent = _latent(complete, assumed.readmission.effects, "readmission.effects", random)
    service = np.asarray(raw["index"]["service"])
    readmitted = np.zeros(n, dtype=bool)
    for code, share in assumed.readmission.share.items():
        here = service == code
        readmitted[here] = latent[here] > _limit(latent[here], round(share * int(here.sum())))
    complete["readmitted"] = _no_yes(readmitted)

    latent = _latent(complete, assumed.t2.effects, "t2.effects", random)
    limit_t2 = _limit(latent, round(assumed.t2.share * n))
    involved_t2 = latent > limit_t2
    category_t2 = _by(involved_t2, assumed.t2.categories, random)
    custody = np.full(n, assumed.custody.mother)
    for code, shares in assumed.custody.by_category.items():
        here = category_t2 == code
        custody[here] = _category(random.standard_normal(int(here.sum())), shares)
    plan = assumed.child_protection_plan
    plan_t2 = (category_t2 == plan.category) | (involved_t2 & (random.random(n) < plan.otherwise))
    complete["csc_t2"] = _no_yes(involved_t2)
    complete["custody_lost"] = _no_yes(np.isin(custody, assumed.custody.lost))
    complete["cpp_any"] = _no_yes((category_t1 == plan.category) | plan_t2)
    raw["followup"] |= {
        "safeguarding_12m": _whole_numbers(category_t2),
        "custody_12m": _whole_numbers(custody),
        "cpp_12m": _whole_numbers(plan_t2),
        "readmitted": _whole_numbers(readmitted),
        "satisfaction": _whole_numbers(_measure(random.standard_normal(n), assumed.satisfaction)),
    }
    return {
        "t1": {
            "outcome": "csc_t1",
            "log_odds": {"(Intercept)": -limit_t1, **assumed.t1.effects},
            "n_known": n_known,
            "events_known": n_involved,
        },
        "t2": {"outcome": "csc_t2", "log_odds": {"(Intercept)": -limit_t2, **assumed.t2.effects}},
    }


def _latent(complete: pd.DataFrame, effects: Effects, where: str, random: np.random.Generator) -> np.ndarray:
    """Linear predictor (log-odds without intercept) plus standard logistic noise."""
    return _linear_predictor(complete, effects, where) + random.logistic(size=len(complete))


def _linear_predictor(complete: pd.DataFrame, effects: Effects, where: str) -> np.ndarray:
    total = np.zeros(len(complete))
    for term, effect in effects.items():
        total += effect * _term_values(complete, term, where)
    return total


def _term_values(complete: pd.DataFrame, term: str, where: str) -> np.ndarray:
    name, _, level = term.removesuffix("]").partition("[")
    if name in complete and level in (_categories(complete[name]) or [""]):
        values = complete[name] == level if level else complete[name]
        return values.to_numpy(dtype=float)
    known = [
        term
        for column in complete
        for term in ([f"{column}[{a}]" for a in (_categories(complete[column]) or [])[1:]] or [column])
    ]
    raise ResearchError(f"assumptions of the synthetic extract, {where}: no term '{term}' here{nearest(term, known)}")


def _categories(values: pd.Series) -> list[str] | None:
    return list(values.cat.categories) if isinstance(values.dtype, pd.CategoricalDtype) else None


def _limit(latent: np.ndarray, count: int) -> float:
    """A limit that exactly `count` of the values exceed, halfway between the two next to it."""
    if count <= 0 or count >= len(latent):
        return np.inf if count <= 0 else -np.inf
    next_two = np.partition(latent, [len(latent) - count - 1, len(latent) - count])
    return float(next_two[len(latent) - count - 1 : len(latent) - count + 1].mean())


# Draws


def _category(trait: np.ndarray, shares: Mapping[Any, float]) -> np.ndarray:
    """The category of each standard normal value: the first of `shares` for the lowest values, and so on."""
    limits = np.cumsum(list(shares.values()))[:-1]
    return np.array(list(shares))[np.searchsorted(limits, ndtr(trait))]


def _by(involved: np.ndarray, shares: Mapping[str, Mapping[int, float]], random: np.random.Generator) -> np.ndarray:
    trait = random.standard_normal(len(involved))
    return np.where(involved, _category(trait, shares["yes"]), _category(trait, shares["no"]))


def _among(trait: np.ndarray, service: np.ndarray, share: Mapping[int, float]) -> np.ndarray:
    """Whether the trait is among the highest, as many as the share of the person's service."""
    limits = ndtri(1 - np.array([share[code] for code in sorted(share)]))
    return trait > limits[np.searchsorted(sorted(share), service)]


def _indicator(trait: np.ndarray, part: Indicator, random: np.random.Generator) -> np.ndarray:
    record = part.loading * trait + np.sqrt(1 - part.loading**2) * random.standard_normal(len(trait))
    return record > ndtri(1 - part.share)


def _measure(trait: np.ndarray, measure: Measure) -> np.ndarray:
    return np.clip(np.rint(measure.mean + measure.sd * trait), measure.lowest, measure.highest).astype(np.int64)


def _exact(weights: Mapping[int, float], n: int, random: np.random.Generator) -> np.ndarray:
    """Codes in exactly the proportions of the weights (largest remainders), in random order."""
    quotas = np.array(list(weights.values())) * n / sum(weights.values())
    counts = np.floor(quotas).astype(int)
    counts[np.argsort(counts - quotas, kind="stable")[: n - counts.sum()]] += 1
    return random.permutation(np.repeat(list(weights), counts))


def _levels(codes: np.ndarray, levels: Mapping[str, list[int]]) -> pd.Categorical:
    places = {code: place for place, members in enumerate(levels.values()) for code in members}
    if strange := sorted(set(np.unique(codes).tolist()) - set(places)):
        raise ResearchError(
            f"assumptions of the synthetic extract, levels: code {', '.join(map(str, strange))} belongs to none of "
            f"{', '.join(levels)}"
        )
    lookup = np.full(max(places) + 1, -1)
    lookup[list(places)] = list(places.values())
    return pd.Categorical.from_codes(lookup[codes], categories=list(levels), ordered=True)


def _no_yes(is_yes: np.ndarray) -> pd.Categorical:
    return pd.Categorical.from_codes(np.asarray(is_yes, dtype=np.int8), categories=list(NO_YES), ordered=True)


def _is_yes(complete: pd.DataFrame, name: str) -> np.ndarray:
    return (complete[name] == "yes").to_numpy()


# What is missing


def _blanked(values: pd.arrays.IntegerArray, rows: np.ndarray) -> pd.arrays.IntegerArray:
    values[rows] = pd.NA
    return values


def _absent(complete: pd.DataFrame, absence: Absence, where: str, random: np.random.Generator) -> np.ndarray:
    latent = _latent(complete, absence.effects, f"{where}.effects", random)
    return latent > _limit(latent, round(absence.share * len(complete)))


def _lose_single_values(raw: Tables, assumed: Assumptions, random: np.random.Generator) -> None:
    n = len(raw["index"]["nation"])
    for file, columns in assumed.missing.columns.items():
        for name, codes in columns.items():
            if name not in raw.get(file, {}):
                raise ResearchError(
                    f"assumptions of the synthetic extract, missing.columns.{file}: no column '{name}' here"
                    f"{nearest(name, raw.get(file, {}))}"
                )
            raw[file][name] = _with_codes(raw[file][name], codes, random.random(n))
    undiagnosed = random.random(n) < assumed.missing.no_diagnosis
    for name in ("icd_1", "icd_2", "icd_3", "icd_4"):
        raw["index"][name] = np.where(undiagnosed, "", raw["index"][name])


def _with_codes(
    values: pd.arrays.IntegerArray, codes: Mapping[int | str, float], uniform: np.ndarray
) -> pd.arrays.IntegerArray | np.ndarray:
    """The values with each code in its share of those that are there; object where a code is one of Stata's letters."""
    there = ~values.isna()
    if any(isinstance(code, str) and code != BLANK for code in codes):
        values = values.astype(object)
    lower = 0.0
    for code, share in codes.items():
        here = there & (uniform >= lower) & (uniform < lower + share)
        values[here] = pd.NA if code == BLANK else code
        lower += share
    return values


def _lose_answers(items: Tables, complete: pd.DataFrame, assumed: Assumptions, random: np.random.Generator) -> None:
    """Single answers, and then whole questionnaires, several of one person together."""
    not_returned = assumed.missing.not_returned
    linear = _linear_predictor(complete, not_returned.effects, "missing.not_returned.effects")
    n = len(complete)
    shared = np.sqrt(not_returned.correlation) * random.standard_normal(n)
    for name, instrument in assumed.instruments.items():
        for file, pattern in instrument.columns.items():
            key = f"{file}.{name}"
            columns = [pattern.format(item) for item in instrument.items]
            codes: Mapping[int | str, float] = {BLANK: 1.0}
            if gaps := assumed.missing.answers.get(key):
                codes = gaps.codes
                _leave_gaps(items[file], columns, gaps, n, random)
            own = np.sqrt(1 - not_returned.correlation) * random.standard_normal(n)
            # A normal score as a logistic one keeps the effects on the scale of log-odds.
            latent = linear + _logistic_score(shared + own)
            missing = latent > _limit(latent, round(not_returned.shares.get(key, 0) * n))
            blank = missing & (random.random(n) < not_returned.blank)
            code = next(iter(codes))
            for column in columns:
                items[file][column][missing] = pd.NA if code == BLANK else code
                items[file][column][blank] = pd.NA


def _leave_gaps(items: dict[str, Any], columns: list[str], gaps: Gaps, n: int, random: np.random.Generator) -> None:
    people = np.flatnonzero(random.random(n) < gaps.people)
    for column in columns:
        left_out = people[random.random(len(people)) < gaps.items]
        drawn = _category(
            random.standard_normal(len(left_out)), dict(zip(range(len(gaps.codes)), gaps.codes.values(), strict=True))
        )
        for place, code in enumerate(gaps.codes):
            items[column][left_out[drawn == place]] = pd.NA if code == BLANK else code


def _logistic_score(normal: np.ndarray) -> np.ndarray:
    probability = np.clip(ndtr(normal), 1e-12, 1 - 1e-12)
    return np.log(probability / (1 - probability))


# Truth


def _truth(complete: pd.DataFrame, models: dict[str, dict[str, Any]], seed: int) -> dict[str, Any]:
    described = {}
    for name in complete.columns.drop(ID):
        if _categories(complete[name]):
            shares = complete[name].value_counts(normalize=True, sort=False)
            described[name] = {"shares": {level: float(share) for level, share in shares.items()}}
        else:
            described[name] = {"mean": float(complete[name].mean()), "sd": float(complete[name].std())}
    for model in models.values():
        outcome = _is_yes(complete, model["outcome"])
        model |= {"n": len(complete), "events": int(outcome.sum()), "prevalence": float(outcome.mean())}
    return {"seed": seed, "n": len(complete), "models": models, "complete_data": described}
