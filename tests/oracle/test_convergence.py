"""R-hat and effective sample size against R's package posterior (convergence.R, which names its versions)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from esmi.imputation.diagnostics import basic_r_hat, bulk_ess, halves, r_hat

R = pd.read_csv(Path(__file__).parent / "convergence.csv", comment="#")


@pytest.mark.parametrize(
    "case", list(R.itertuples()), ids=lambda case: f"{case.m} chains of {case.n}, trend {case.trend}"
)
def test_as_r_has_it(case):
    j, i = np.meshgrid(np.arange(1, case.m + 1), np.arange(1, case.n + 1), indexing="ij")
    chains = np.sin(12.9898 * i + 78.233 * j) + case.trend * i * j
    assert r_hat(chains) == pytest.approx(case.r_hat, rel=1e-8)
    assert basic_r_hat(halves(chains)) == pytest.approx(case.split_r_hat, rel=1e-8)
    if case.n >= 12:
        assert bulk_ess(chains) == pytest.approx(case.ess, rel=1e-8)
    else:
        # posterior gives half of the draws, whatever they are, where it has seen no autocorrelation at all.
        assert np.isnan(bulk_ess(chains))
