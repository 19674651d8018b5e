"""Find how far imputed values must depart from missing at random before a conclusion changes."""

from itertools import product

import pandas as pd

from esmi import sensitivity
from esmi.canonical import from_canonical
from esmi.job import read_csv, reporting, write_csv

with reporting(snakemake.log[0]):
    models, grid = snakemake.params.models, from_canonical(snakemake.params.grid)
    words = from_canonical(snakemake.params.words)["words"]
    variable = grid["variable"]
    main = [read_csv(path).assign(model=model) for model, path in zip(models, snakemake.input.main, strict=True)]
    places = zip(product(grid["shifts"].values(), models), snakemake.input.shifted, strict=True)
    shifted = [
        read_csv(path).assign(model=model, variable=variable, scale=grid["scale"], shift=float(shift))
        for (shift, model), path in places
    ]
    table = sensitivity.shifts(pd.concat(main), pd.concat(shifted), grid["terms"])
    labels = dict.fromkeys([variable, *grid["terms"]], words[variable]["label"])
    write_csv(table, snakemake.output.shifts)
    write_csv(sensitivity.tipping_points(table, labels), snakemake.output.tipping)
