"""The made-up studies of the simulation: 279 people whose true coefficients are known, and what is missing of them.

Every number is made up. Scores are skewed whole numbers and correlated; what is missing depends on the outcome and on
covariates that are never missing (missing at random), which makes it unequal between events and non-events.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import gamma, norm

PEOPLE = 279
OUTCOME, SECOND_OUTCOME = "outcome", "second_outcome"
SCORES = ["cas_total", "ctq_total"]
PRODUCT = "pd[yes]:ctq_total"

# Coefficients of numbers are per this much of them, from this value on: a standard deviation of the scores, ten years.
UNITS = {"cas_total": (21.0, 23.0), "ctq_total": (46.0, 17.0), "age": (31.0, 10.0)}

TRUTH = {
    "(Intercept)": -1.73,
    "cas_total": 0.40,
    "ctq_total": 0.30,
    "pd[yes]": 0.80,
    "schizophrenia[yes]": 0.60,
    "ethnicity[black]": 0.50,
    "ethnicity[other]": -0.30,
    "deprivation[middle]": 0.30,
    "deprivation[most]": 0.60,
    "relationship[yes]": -0.50,
    "previous_admission[yes]": 0.60,
    "age": -0.25,
    "substance_misuse[yes]": 0.70,
}
# The eight coefficients of the covariates that are missing in some.
OF_INCOMPLETE = [
    "cas_total",
    "ctq_total",
    "pd[yes]",
    "ethnicity[black]",
    "ethnicity[other]",
    "deprivation[middle]",
    "deprivation[most]",
    "substance_misuse[yes]",
]
COVARIATES = list(dict.fromkeys(term.split("[")[0] for term in TRUTH if term != "(Intercept)"))
INTERACTION = 0.60
ORDINAL = ["deprivation"]

LEVELS = {
    "ethnicity": ["white", "black", "other"],
    "deprivation": ["least", "middle", "most"],
    "education": ["school", "college", "degree"],
}


@dataclass(frozen=True)
class Design:
    """A study: number (of its stream of chance), correlation (latent, of the two scores), terms and truth, outcome."""

    name: str
    number: int
    correlation: float = 0.52
    interaction: bool = False
    always_together: bool = False
    attrition: bool = False

    @property
    def truth(self) -> dict[str, float]:
        return {**TRUTH, PRODUCT: INTERACTION} if self.interaction else TRUTH

    @property
    def terms(self) -> list:
        return [*COVARIATES, {"interaction": ["pd", "ctq_total"]}] if self.interaction else COVARIATES

    @property
    def analysed(self) -> str:
        """The outcome of the analysis model."""
        return SECOND_OUTCOME if self.attrition else OUTCOME

    @property
    def of_incomplete(self) -> list[str]:
        return [*OF_INCOMPLETE, PRODUCT] if self.interaction else OF_INCOMPLETE


DESIGNS = {
    design.name: design
    for design in (
        Design("main", 1),
        Design("interaction", 2, interaction=True),
        Design("joint", 3, correlation=0.83, always_together=True),
        Design("attrition", 4, attrition=True),
    )
}


def drawn(design: Design, seed: int, replication: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The people of one replication, all values known, and the same with what is missing; from its number alone."""
    generator = np.random.default_rng([seed, design.number, replication])
    complete = _people(design, generator)
    return complete, complete.mask(_gaps(design, complete, generator))


def in_units(data: pd.DataFrame) -> pd.DataFrame:
    """The data with numbers in the units of the coefficients."""
    return data.assign(**{name: (data[name] - start) / unit for name, (start, unit) in UNITS.items()})


def _people(design: Design, generator: np.random.Generator, people: int = PEOPLE) -> pd.DataFrame:
    adversity = generator.standard_normal(people)

    def latent(loading: float) -> np.ndarray:
        return loading * adversity + np.sqrt(1 - loading**2) * generator.standard_normal(people)

    loading = np.sqrt(design.correlation)
    cas, ctq = latent(loading), latent(loading)
    age = np.clip(np.round(31 + 6.5 * latent(-0.10)), 18, 45)
    pd_ = _above(0.5 * ctq + np.sqrt(0.75) * latent(0.25), 0.24)
    schizophrenia = _above(latent(-0.20), 0.26)
    ethnicity = np.digitize(0.35 * schizophrenia + generator.standard_normal(people), [0.45, 1.15])
    deprivation = np.digitize(0.5 * (ethnicity == 1) + latent(0.30), norm.ppf([0.36, 0.68]))
    contacts = np.round(gamma.ppf(norm.cdf(0.4 * schizophrenia + 0.9 * latent(0.30)), 0.9, scale=6.0))
    columns = {
        "age": age,
        "cas_total": np.clip(np.round(gamma.ppf(norm.cdf(cas), 0.8, scale=27.0)), 0, 150),
        "ctq_total": np.clip(np.round(25 + gamma.ppf(norm.cdf(ctq), 1.5, scale=14.0)), 25, 125),
        "distress": np.clip(np.round(20 + 6 * (0.4 * cas + 0.9 * latent(0.35))), 0, 40),
        "contacts": contacts,
        "support": np.clip(np.round(50 - 10 * latent(0.45)), 10, 84),
        "pd": _yes(pd_),
        "schizophrenia": _yes(schizophrenia),
        "substance_misuse": _yes(_above(latent(0.45), 0.30)),
        "relationship": _yes(_above(latent(-0.30), 0.55)),
        "previous_admission": _yes(_above(0.35 * schizophrenia + latent(0.20), 0.50)),
        "housing_problem": _yes(_above(0.3 * deprivation + latent(0.30), 0.35)),
        "ethnicity": _levels("ethnicity", ethnicity),
        "deprivation": _levels("deprivation", deprivation),
        "education": _levels("education", np.digitize(-0.3 * deprivation + latent(-0.2), [-0.5, 0.5])),
    }
    people_ = pd.DataFrame(columns).astype({name: "float64" for name in ["age", *SCORES, "distress", "contacts"]})
    risk = expit(_log_odds(design, people_))
    first = generator.standard_normal(people)
    people_[OUTCOME] = _yes(norm.cdf(first) < risk)
    if design.attrition:
        # Both outcomes follow the model; given the covariates their latent scores are correlated.
        second = 0.7 * first + np.sqrt(1 - 0.7**2) * generator.standard_normal(people)
        people_[SECOND_OUTCOME] = _yes(norm.cdf(second) < risk)
    return people_


def _log_odds(design: Design, data: pd.DataFrame) -> np.ndarray:
    numbers, truth = in_units(data), design.truth
    total = np.full(len(data), truth["(Intercept)"])
    columns = {}
    for term in truth:
        name, _, level = term.partition("[")
        if ":" not in term and term != "(Intercept)":
            columns[term] = (data[name] == level[:-1]).to_numpy(float) if level else numbers[name].to_numpy()
            total += truth[term] * columns[term]
    if design.interaction:
        total += truth[PRODUCT] * columns["pd[yes]"] * columns["ctq_total"]
    return total


def _gaps(design: Design, data: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """What is missing, by the outcome and by covariates that are never missing."""
    event = (data[OUTCOME] == "yes").to_numpy(float) - 0.355
    admitted = (data["previous_admission"] == "yes").to_numpy(float) - 0.5
    ill = (data["schizophrenia"] == "yes").to_numpy(float) - 0.26
    single = (data["relationship"] == "no").to_numpy(float) - 0.45
    years = (data["age"].to_numpy() - 31) / 6.5
    gaps = pd.DataFrame(False, index=data.index, columns=data.columns)

    def gone(intercept: float, *slopes: float) -> np.ndarray:
        return intercept + np.column_stack([event, admitted, ill, single, years]) @ np.array(slopes)

    def missing(*arguments: float) -> np.ndarray:
        return generator.random(len(data)) < expit(gone(*arguments))

    if design.always_together:
        both = missing(-1.28, 0.9, 0.5, 0.6, 0.0, -0.2)
        gaps["cas_total"] = gaps["ctq_total"] = both
    else:
        # Of four patterns: both observed, CAS missing, CTQ missing, both missing.
        weights = np.exp(
            np.column_stack(
                [
                    np.zeros(len(data)),
                    gone(-1.60, 0.9, 0.6, 0.0, 0.4, 0.0),
                    gone(-1.78, 0.8, -0.4, 0.6, 0.0, -0.2),
                    gone(-2.03, 1.1, 0.4, 0.9, 0.0, -0.2),
                ]
            )
        )
        edges = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
        pattern = (generator.random((len(data), 1)) > edges).sum(axis=1)
        gaps["cas_total"], gaps["ctq_total"] = np.isin(pattern, [1, 3]), np.isin(pattern, [2, 3])
    gaps["pd"] = missing(-2.85, 0.8, -0.5, 0.5, 0.0, 0.0)
    gaps["ethnicity"] = missing(-3.6, 0.6, 0.0, 0.0, 0.5, 0.0)
    gaps["deprivation"] = missing(-2.5, -0.6, 0.4, 0.5, 0.0, 0.2)
    gaps["substance_misuse"] = missing(-3.1, 0.7, 0.6, 0.0, 0.5, 0.0)
    gaps["distress"] = missing(-2.3, 0.5, 0.0, 0.5, 0.0, 0.0)
    gaps["support"] = missing(-2.4, 0.3, 0.5, 0.0, 0.4, 0.0)
    gaps["contacts"] = missing(-2.9, 0.0, 0.5, 0.5, 0.0, 0.0)
    gaps["education"] = missing(-2.7, 0.4, 0.0, 0.5, 0.0, 0.0)
    gaps["housing_problem"] = missing(-2.2, 0.4, 0.3, 0.0, 0.5, 0.0)
    if design.attrition:
        gaps[SECOND_OUTCOME] = missing(-0.9, 1.2, -0.6, 0.6, 0.6, -0.3)
    return gaps


def _above(latent: np.ndarray, share: float) -> np.ndarray:
    return latent > norm.ppf(1 - share)


def _yes(values: np.ndarray) -> pd.Categorical:
    return pd.Categorical(np.where(values, "yes", "no"), ["no", "yes"], ordered=True)


def _levels(name: str, codes: np.ndarray) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, LEVELS[name], ordered=True)
