"""Draw observed beside imputed values, also within the groups of the first outcome, and split R-hat."""

from pathlib import Path

from esmi import figures, figures_imputation
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    params, out = snakemake.params, snakemake.output
    words, name = from_canonical(params.words), snakemake.wildcards.imputation
    distributions, chains = read_csv(snakemake.input.distributions), read_csv(snakemake.input.r_hat)
    write_csv(distributions, out.distributions_csv)
    title = f"Observed beside imputed values ({name})"
    drawn = figures_imputation.observed_imputed(distributions, words, title, params.notice, params.outcome)
    figures.save(drawn, Path(out.distributions_png), Path(out.distributions_svg))
    write_csv(chains, out.r_hat_csv)
    agreement = figures_imputation.agreement(chains, words, f"Do the chains agree? ({name})", params.notice)
    figures.save(agreement, Path(out.r_hat_png), Path(out.r_hat_svg))
