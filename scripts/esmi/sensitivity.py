"""Would the conclusion hold otherwise: departures from missing at random, and several sources side by side."""

import numpy as np
import pandas as pd

from esmi.errors import ResearchError, listed

MAIN = "main"

SHIFT_COLUMNS = [
    "model",
    "model_part",
    "term",
    "variable",
    "scale",
    "shift",
    "odds_ratio",
    "or_low",
    "or_high",
    "p_value",
    "conclusion",
    "changed",
]
TIPPING_COLUMNS = [
    "model",
    "model_part",
    "term",
    "variable",
    "scale",
    "conclusion",
    "lowest_shift",
    "highest_shift",
    "lower_holds",
    "lower_tips",
    "higher_holds",
    "higher_tips",
    "sentence",
]
SOURCE_COLUMNS = [
    "source",
    "model_part",
    "fit",
    "term",
    "odds_ratio",
    "or_low",
    "or_high",
    "difference_in_std_errors",
    "reason",
]

ABOVE, BELOW, NOT_CLEAR, NO_ESTIMATE = "above 1", "below 1", "not clear", "no estimate"

_IDENTITY = ["model", "model_part", "term", "variable", "scale"]


def shifts(main: pd.DataFrame, scenarios: pd.DataFrame, terms: list[str]) -> pd.DataFrame:
    """The adjusted results of `terms` at every shift of the imputed values, the main analysis being shift 0.

    `main`: pooled tables with a column model; `scenarios`: the same with further columns variable, scale ("score":
    units of the variable; "logit": log-odds of yes) and shift, the constant added to the imputed values of that
    variable. Returns a row per (model, term, variable, scale, shift), shifts ascending: odds_ratio, or_low,
    or_high, p_value; conclusion "above 1", "below 1" (the interval excludes 1), "not clear", or "no estimate";
    changed: whether it differs from the conclusion at shift 0 (False where either has no estimate).

    Raises ResearchError: a shift of 0 among the scenarios, a shift that is there twice, a term that is not in the
    main analysis.
    """
    adjusted = scenarios[(scenarios["model_part"] == "adjusted") & scenarios["term"].isin(terms)]
    reference = main[(main["model_part"] == "adjusted") & main["term"].isin(terms)]
    _check(adjusted, reference, terms)
    varied = adjusted[["model", "variable", "scale"]].drop_duplicates()
    table = pd.concat([reference.merge(varied, on="model").assign(shift=0.0), adjusted], ignore_index=True)
    table["conclusion"] = _conclusions(table)
    at_zero = table[table["shift"] == 0].set_index(_IDENTITY)["conclusion"]
    before = table.join(at_zero.rename("at_zero"), on=_IDENTITY)["at_zero"]
    known = (table["conclusion"] != NO_ESTIMATE) & (before != NO_ESTIMATE)
    table["changed"] = known & (table["conclusion"] != before)
    return _in_order(table, terms)[SHIFT_COLUMNS]


def tipping_points(table: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Where on the grid of `shifts` a conclusion changes: a row per (model, term, variable, scale).

    Going from 0 to lower shifts, `lower_tips` is the first one on the grid with another conclusion and `lower_holds`
    the last before it: the tipping point lies between the two. NaN in `lower_tips` where none on the grid changes it,
    `lower_holds` being then the last with an estimate. `higher_*` are the same for higher shifts. `sentence` says it
    in words; `labels`: what variables and terms are called in it.
    """
    rows = [
        _tipping_row(dict(zip(_IDENTITY, key, strict=True)), group, labels)
        for key, group in table.groupby(_IDENTITY, sort=False)
    ]
    return pd.DataFrame(rows, columns=TIPPING_COLUMNS)


def compare_sources(pooled: dict[str, pd.DataFrame], others: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One model's odds ratios by several sources: a row per (term, source), terms in the order of the main analysis.

    `pooled`: the pooled table of each collection of imputed sets, "main" among them; `others`: tables that are not
    pooled over imputations or estimated in another way, such as complete cases and Firth's penalised likelihood.
    difference_in_std_errors: log-odds minus that of the main analysis, in units of the standard error of the main
    analysis. A term that a source does not have has an empty row, with a reason.

    Raises ResearchError without a main analysis, or when a name is in both.
    """
    twice = sorted(pooled.keys() & others.keys())
    if MAIN not in pooled or twice:
        found = f"named twice: {', '.join(twice)}" if twice else f"no source is called {MAIN}"
        raise ResearchError(f"Sources cannot be compared: {found}. Give each source one name, {MAIN} among them.")
    keys = ["model_part", "fit", "term"]
    main = pooled[MAIN][[*keys, "estimate", "std_error"]].rename(
        columns={"estimate": "main_estimate", "std_error": "main_std_error"}
    )
    tables = []
    for source, table in {**pooled, **others}.items():
        side = main.merge(table[[*keys, "estimate", "odds_ratio", "or_low", "or_high", "reason"]], on=keys, how="left")
        side["reason"] = side["reason"].fillna("not in this source")
        side["difference_in_std_errors"] = (side["estimate"] - side["main_estimate"]) / side["main_std_error"]
        tables.append(side.assign(source=source, place=range(len(side))))
    stacked = pd.concat(tables, ignore_index=True).sort_values("place", kind="stable", ignore_index=True)
    return stacked[SOURCE_COLUMNS]


def _check(scenarios: pd.DataFrame, main: pd.DataFrame, terms: list[str]) -> None:
    present = set(main["term"])
    faults = [f"{term}: is not among the adjusted terms of the main analysis" for term in terms if term not in present]
    if (scenarios["shift"] == 0).any():
        faults.append("a scenario has shift 0, which is the main analysis: take it off the grid")
    repeated = scenarios[scenarios.duplicated([*_IDENTITY, "shift"])]
    faults += [f"{name}: shift {shift:g} is there more than once" for name, shift in _distinct(repeated)]
    if faults:
        raise listed("The tipping points cannot be found", faults)


def _distinct(rows: pd.DataFrame) -> list[tuple[str, float]]:
    return list(rows[["variable", "shift"]].drop_duplicates().itertuples(index=False, name=None))


def _conclusions(table: pd.DataFrame) -> np.ndarray:
    low, high = table["or_low"], table["or_high"]
    return np.select([low.isna() | high.isna(), low > 1, high < 1], [NO_ESTIMATE, ABOVE, BELOW], NOT_CLEAR)


def _in_order(table: pd.DataFrame, terms: list[str]) -> pd.DataFrame:
    """Models and variables as they come, terms as they are named, shifts ascending."""
    places = {
        name: pd.Categorical(table[name], list(terms) if name == "term" else table[name].unique()).codes
        for name in _IDENTITY
    }
    order = pd.DataFrame(places | {"shift": table["shift"].to_numpy()}).sort_values([*_IDENTITY, "shift"]).index
    return table.iloc[order].reset_index(drop=True)


def _tipping_row(identity: dict[str, str], group: pd.DataFrame, labels: dict[str, str]) -> dict:
    group = group.sort_values("shift")
    conclusion = group.loc[group["shift"] == 0, "conclusion"].iloc[0]
    lower = _first_change(group[group["shift"] <= 0].iloc[::-1])
    higher = _first_change(group[group["shift"] >= 0])
    row = identity | {
        "conclusion": conclusion,
        "lowest_shift": group["shift"].iloc[0],
        "highest_shift": group["shift"].iloc[-1],
        "lower_holds": lower[0],
        "lower_tips": lower[1],
        "higher_holds": higher[0],
        "higher_tips": higher[1],
    }
    return row | {"sentence": _sentence(row, group.set_index("shift")["conclusion"], labels)}


def _first_change(outwards: pd.DataFrame) -> tuple[float, float]:
    """The last shift before the conclusion changes and the first at which it has; shifts in the order away from 0."""
    changed = outwards["changed"].to_numpy()
    tips = int(changed.argmax()) if changed.any() else len(outwards)
    before = outwards.iloc[:tips]
    holds = before.loc[before["conclusion"] != NO_ESTIMATE, "shift"]
    return (
        float(holds.iloc[-1]) if len(holds) else np.nan,
        float(outwards["shift"].iloc[tips]) if tips < len(outwards) else np.nan,
    )


def _sentence(row: dict, conclusions: pd.Series, labels: dict[str, str]) -> str:
    variable, term = (labels.get(name, name) for name in (row["variable"], row["term"]))
    if row["conclusion"] == NO_ESTIMATE:
        return f"{term}: the main analysis has no estimate, so that there is no conclusion to change."
    tips = sorted((shift for shift in (row["lower_tips"], row["higher_tips"]) if not np.isnan(shift)), key=abs)
    parts = [
        f"If {_assumed(variable, row['scale'], _distance(shift, row['scale']))}, the association of {term} "
        f"{_would(row['conclusion'], conclusions[shift])} "
        f"(the change lies between shifts of {row['lower_holds' if shift < 0 else 'higher_holds']:g} and {shift:g})."
        for shift in tips
    ]
    if not tips:
        ends = [_distance(end, row["scale"]) for end in (row["lower_holds"], row["higher_holds"]) if end != 0]
        parts = [
            f"Even if {_assumed(variable, row['scale'], ' or '.join(f'up to {end}' for end in ends))}, the association "
            f"of {term} would still {'not ' if row['conclusion'] == NOT_CLEAR else ''}be clear."
        ]
    without = conclusions.index[conclusions == NO_ESTIMATE]
    if len(without):
        parts.append(f"At shifts of {', '.join(f'{shift:g}' for shift in without)} the model has no estimates.")
    return " ".join(parts)


def _assumed(variable: str, scale: str, distance: str) -> str:
    if scale == "score":
        return f"the unknown values of {variable} were on average {distance} than the imputation assumed"
    return f"the odds of yes among the unknown values of {variable} were {distance} than the imputation assumed"


def _distance(shift: float, scale: str) -> str:
    """How far from what the imputation assumed, in points or as a ratio of odds."""
    direction = "lower" if shift < 0 else "higher"
    return f"{abs(shift):g} points {direction}" if scale == "score" else f"{np.exp(abs(shift)):.3g} times {direction}"


def _would(before: str, after: str) -> str:
    if after == NOT_CLEAR:
        return "would no longer be clear"
    return "would become clear" if before == NOT_CLEAR else "would be clear in the opposite direction"
