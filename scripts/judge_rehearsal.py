"""Stop where the rehearsal showed that the intervals of an engine cannot be trusted; else say that it passed."""

from pathlib import Path

from esmi import rehearsal
from esmi.job import read_csv, reporting

with reporting(snakemake.log[0]):
    passed = rehearsal.judge(read_csv(snakemake.input.verdict))
    Path(snakemake.output.passed).write_text(passed + "\n", encoding="utf-8")
    print(passed)
