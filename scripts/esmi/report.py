"""The report: finished numbers gathered into one page that needs no other file and no network."""

import base64
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from esmi import analyses, pages, tables

PER_MODEL = ["checks", "odds_ratios", "pooled", "stability", "analyses", "performance"]


@dataclass(frozen=True)
class Numbers:
    """The tables that the report shows; per model, comparison, source of imputed sets or grid, by its name and in the
    order of the settings."""

    validation: pd.DataFrame
    cleaning: pd.DataFrame
    checks: dict[str, pd.DataFrame]
    odds_ratios: dict[str, pd.DataFrame]
    pooled: dict[str, pd.DataFrame]
    stability: dict[str, pd.DataFrame]
    analyses: dict[str, pd.DataFrame]
    performance: dict[str, pd.DataFrame]
    characteristics: dict[str, pd.DataFrame]
    contents: pd.DataFrame
    warnings: pd.DataFrame
    verdicts: dict[str, pd.DataFrame]
    tipping: dict[str, pd.DataFrame]


def flow_steps(flow: pd.DataFrame, checks: pd.DataFrame, titles: list[str]) -> pd.DataFrame:
    """The inclusion flow, and as its last step, a row per model, for how many its outcome is known.

    `flow`: step, label, n, excluded; `checks`: a row per model with n and n_outcome_missing.
    """
    known = pd.DataFrame(
        {
            "step": len(flow),
            "label": [f"Outcome known: {title}" for title in titles],
            "n": checks["n"],
            "excluded": checks["n_outcome_missing"],
        }
    )
    return pd.concat([flow, known], ignore_index=True)


def page(settings: dict, numbers: Numbers, figures: dict[str, Path], words: dict[str, dict], notice: str) -> str:
    """The report as one HTML page, figures within it.

    `settings`: study, models, comparisons, imputation and inference as in config.yaml; `figures`: name -> SVG file;
    `words`: label, unit, kind and levels of every variable; `notice` stands on top and in every table.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    body = environment.get_template("report.html.j2").render(
        settings=settings,
        notice=notice,
        figures={name: _embedded(path) for name, path in figures.items()},
        models=[_model(name, settings, numbers, notice) for name in numbers.odds_ratios],
        comparisons=[
            _comparison(name, table, settings, words, notice) for name, table in numbers.characteristics.items()
        ],
        validation=numbers.validation.to_dict("records"),
        cleaning=_cleaning(numbers.cleaning, words),
        contents=numbers.contents.to_dict("records"),
        warnings=numbers.warnings.to_dict("records"),
        verdicts={name: table.to_dict("records") for name, table in numbers.verdicts.items()},
        tipping=[(name, table.to_dict("records")) for name, table in numbers.tipping.items()],
        label_of={name: each["label"] for name, each in words.items()},
    )
    return pages.page(settings["study"]["title"], body, notice)


def _model(name: str, settings: dict, numbers: Numbers, notice: str) -> dict:
    model, check, pooled = settings["models"][name], numbers.checks[name].iloc[0], numbers.pooled[name]
    adjusted = pooled[(pooled["model_part"] == "adjusted") & pooled["estimate"].notna()]
    return {
        "title": model["title"],
        "role": model["role"],
        "check": check.to_dict(),
        "largest_fmi": f"{adjusted['fmi'].max():.2f}" if len(adjusted) else "",
        "m": settings["imputation"]["m"],
        "stability": numbers.stability[name].to_dict("records"),
        "performance": _performance(numbers.performance[name]),
        "analyses": Markup(
            analyses.side_by_side_html(
                numbers.analyses[name],
                f"{model['title']}: other ways to the same odds ratios",
                notice,
                settings["inference"]["level"],
            )
        ),
        "table": Markup(
            tables.odds_ratios_html(numbers.odds_ratios[name], model["title"], notice, settings["inference"]["level"])
        ),
    }


def _performance(table: pd.DataFrame) -> dict[str, str]:
    """The area under the curve with its interval and the expected shrinkage, in print; empty where not estimated."""
    single = table[table["group"] == 0].set_index("statistic")
    auc, shrinkage = single.loc["auc"], single.loc["shrinkage", "estimate"]
    if pd.isna(auc["estimate"]):
        return {"auc": "not estimated", "shrinkage": ""}
    return {
        "auc": f"{auc['estimate']:.2f} ({auc['conf_low']:.2f} to {auc['conf_high']:.2f})",
        "shrinkage": f"{shrinkage:.2f}",
    }


def _comparison(name: str, table: pd.DataFrame, settings: dict, words: dict[str, dict], notice: str) -> dict:
    comparison = settings["comparisons"][name]
    groups = {"all": "All", **words[comparison["by"]]["levels"]}
    return {
        "title": comparison["title"],
        "table": Markup(tables.characteristics_html(table, comparison["title"], groups, notice)),
    }


def _cleaning(log: pd.DataFrame, words: dict[str, dict]) -> list[dict]:
    """The cleaning log by variable, in its own order, each with its label where it is a variable of the codebook."""
    return [
        {"name": name, "label": words.get(name, {"label": ""})["label"], "rows": rows.to_dict("records")}
        for name, rows in log.groupby("variable", sort=False)
    ]


def _embedded(path: Path) -> str:
    """A figure as a data address: inline SVGs would share their inner names with each other."""
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
