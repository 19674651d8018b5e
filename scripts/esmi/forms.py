"""The forms that make a variable from other variables: bands, thresholds, and composites with Kleene's logic."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from esmi.variables import Variable


def passive(completed: pd.DataFrame, forms: dict[str, Variable]) -> pd.DataFrame:
    """The completed sets with further columns: variables derived anew from completed ones (passive imputation).

    `forms`: each variable as derived from columns of `completed` (`Codebook.passive`). A value that was observed is
    what its observed parts say, so that it comes out as in the cleaned data [van Buuren 2018, section 6.4].
    """
    derived = {
        name: typed(combined(name, variable, completed.__getitem__, []), variable) for name, variable in forms.items()
    }
    return completed.assign(**derived)


def combined(name: str, variable: Variable, operand: Callable[[str], pd.Series], log: list[tuple]) -> pd.Series:
    """A variable of a form that takes other variables as well as raw columns."""
    match variable.form:
        case "bands":
            starts, of = variable.bands.start, operand(variable.bands.of).astype("float64")
            log.append((name, "bands", "missing: below the first band", int((of < min(starts.values())).sum())))
            return pd.cut(of, [*starts.values(), np.inf], right=False, labels=list(starts)).astype(object)
        case "at_least":
            of = operand(variable.at_least.of).astype("float64")
            return yes_no(of >= variable.at_least.value, of.notna())
        case "in_range":
            of = operand(variable.in_range.of).astype("float64")
            return yes_no(of.between(variable.in_range.low, variable.in_range.high), of.notna())
        case "any_of":
            return _any_of(name, {part: operand(part) for part in variable.any_of}, log)
        case "all_of":
            return _all_of(name, {part: operand(part) for part in variable.all_of}, log)


def yes_no(is_yes: pd.Series, known: pd.Series) -> pd.Series:
    """Yes or no where it is known, None elsewhere."""
    return pd.Series(np.where(is_yes, "yes", "no"), index=is_yes.index, dtype=object).where(known, None)


def _any_of(name: str, parts: dict[str, pd.Series], log: list[tuple]) -> pd.Series:
    """Kleene's or: yes if any known part is yes; no only if every part is known and no; otherwise missing."""
    yes = pd.DataFrame({part: values == "yes" for part, values in parts.items()})
    known = pd.DataFrame({part: values.notna() for part, values in parts.items()})
    any_yes, all_known = yes.any(axis="columns"), known.all(axis="columns")
    for part in parts:
        others = yes.drop(columns=part).any(axis="columns")
        log.append((name, "any_of", f"yes, and {part} says so", int(yes[part].sum())))
        log.append((name, "any_of", f"yes by {part} alone", int((yes[part] & ~others).sum())))
    log.append((name, "any_of", "yes though a part is missing", int((any_yes & ~all_known).sum())))
    log.append((name, "any_of", "missing: no part says yes and a part is missing", int((~any_yes & ~all_known).sum())))
    return yes_no(any_yes, any_yes | all_known)


def _all_of(name: str, parts: dict[str, pd.Series], log: list[tuple]) -> pd.Series:
    """Kleene's and: no if any known part is no; yes only if every part is known and yes; otherwise missing."""
    no = pd.DataFrame({part: values == "no" for part, values in parts.items()})
    known = pd.DataFrame({part: values.notna() for part, values in parts.items()})
    any_no, all_known = no.any(axis="columns"), known.all(axis="columns")
    for part in parts:
        log.append((name, "all_of", f"no, and {part} says so", int(no[part].sum())))
    log.append((name, "all_of", "missing: no part says no and a part is missing", int((~any_no & ~all_known).sum())))
    return yes_no(~any_no, any_no | all_known)


def typed(values: pd.Series, variable: Variable) -> pd.Series:
    """Numbers as float64, categories with the levels of the codebook, reference first."""
    if variable.kind == "continuous":
        return values.astype("float64")
    return values.astype(pd.CategoricalDtype(list(variable.level_labels), ordered=True))
