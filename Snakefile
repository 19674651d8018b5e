"""From a raw extract to pooled odds ratios, tables, figures and a report."""

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.23")


include: "rules/common.smk"
include: "rules/extract.smk"
include: "rules/clean.smk"
include: "rules/missingness.smk"
include: "rules/impute.smk"
include: "rules/model.smk"
include: "rules/pool.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/audit.smk"


localrules:
    all,


rule all:
    "Everything: tables, figures, report and graphs."
    default_target: True
    input:
        rules.write_report.output,
        rules.draw_graphs.output,


onstart:
    prepare_results()


onsuccess:
    print(summary())
