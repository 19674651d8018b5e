"""From a raw extract to pooled odds ratios, tables, figures and a report."""

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.23")


include: "rules/common.smk"
include: "rules/imputations.smk"
include: "rules/wording.smk"
include: "rules/extract.smk"
include: "rules/clean.smk"
include: "rules/missingness.smk"
include: "rules/impute.smk"
include: "rules/model.smk"
include: "rules/pool.smk"
include: "rules/sensitivity.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/audit.smk"
include: "rules/rehearsal.smk"


localrules:
    all,
    rehearsal,


rule all:
    "Everything: tables, figures, report and graphs."
    default_target: True
    input:
        rules.write_report.output,
        rules.draw_graphs.output,


rule rehearsal:
    "The rehearsal with its verdict, which fails where the intervals of an engine cannot be trusted."
    input:
        rules.judge_rehearsal.output,


onstart:
    prepare_results()


onsuccess:
    print(summary())
