"""The parametric engine against R mice 3.15.0 on one data set (tests/oracle/chained_mice.R)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.discrete.discrete_model import Logit

from esmi.imputation import chained

HERE = Path(__file__).parent
MICE = pd.read_csv(HERE / "chained_mice.csv", index_col="quantity")
M_MICE, M = 200, 60


@pytest.fixture(scope="module")
def ours():
    """Estimates over M imputations: the mean, the mean within variance, the between variance, as in the file."""
    data = pd.read_csv(HERE / "chained_mice_data.csv").astype({"age": "float64"})
    for name in ("smoker", "event"):
        codes = data[name].fillna(-1).astype(int)
        data[name] = pd.Categorical.from_codes(codes, ["no", "yes"], ordered=True)
    data["area"] = pd.Categorical(data["area"], ["city", "town", "village"], ordered=True)
    joint = data["score"].isna() & data["trauma"].isna()
    estimates, variances = [], []
    for imputation in range(1, M + 1):
        completed, _, _ = chained.impute(data, [], iterations=10, donors=5, seed=3, imputation=imputation)
        x = completed[["age", "score", "trauma"]].assign(smoker=completed["smoker"] == "yes")
        x = x.assign(**{area: completed["area"] == area for area in ("town", "village")})
        x.insert(0, "intercept", 1.0)
        fit = Logit((completed["event"] == "yes").astype(float), x.astype(float)).fit(disp=False)
        correlation = completed.loc[joint, ["score", "trauma"]].corr().iloc[0, 1]
        estimates.append([*fit.params, np.arctanh(correlation)])
        variances.append([*np.diag(fit.cov_params()), np.nan])
    columns = {
        "estimate": np.mean(estimates, axis=0),
        "ubar": np.mean(variances, axis=0),
        "b": np.var(estimates, axis=0, ddof=1),
    }
    return pd.DataFrame(columns, index=MICE.index)


def test_the_pooled_estimates_agree_within_monte_carlo_error(ours):
    z = (ours["estimate"] - MICE["estimate"]) / np.sqrt(ours["b"] / M + MICE["b"] / M_MICE)
    # Eight correlated differences: their mean square is 1 on average, and none is beyond 3.3 once in a hundred times.
    assert z.abs().max() < 3.3
    assert (z**2).mean() < 3


def test_the_variance_within_agrees(ours):
    assert (ours["ubar"] / MICE["ubar"] - 1).abs().max() < 0.03


def test_the_variance_between_agrees_within_monte_carlo_error(ours):
    # Standard error of a log variance: sqrt(2 / (M - 1)). The areas are left out, as polyreg draws no parameters.
    comparable = [name for name in MICE.index if not name.startswith("area")]
    ratio = np.log(ours["b"] / MICE["b"])[comparable]
    assert ratio.abs().max() < 3.3 * np.sqrt(2 / (M - 1) + 2 / (M_MICE - 1))
