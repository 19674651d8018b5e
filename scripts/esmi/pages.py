"""What every printed page has in common: numbers as text, the look of tables, one self-contained HTML page."""

import math
from html import escape

import numpy as np

STYLE = """
body { font: 16px/1.45 "Helvetica Neue", Arial, sans-serif; color: #111; background: #fff; margin: 1rem auto;
  max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.35rem; }
.notice { border: 2px solid #111; padding: .4rem .7rem; font-weight: bold; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; border-top: 2px solid #111; border-bottom: 2px solid #111; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
caption .notice { display: block; width: fit-content; margin-top: .3rem; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top; font-weight: normal; }
thead th { font-weight: bold; vertical-align: bottom; }
thead tr:last-child th { border-bottom: 1px solid #111; }
thead th[colspan] { border-bottom: 1px solid #777; }
td { white-space: nowrap; }
.section th { font-weight: bold; padding-top: .7rem; }
.level { padding-left: 1.4rem; }
.wide { white-space: normal; min-width: 20rem; }
h2 { font-size: 1.2rem; margin-top: 2rem; border-top: 1px solid #111; padding-top: .6rem; }
h3 { font-size: 1rem; margin-bottom: .2rem; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; }
.notes { font-size: .85rem; max-width: 60rem; }
.notes p { margin: .2rem 0; }
.notes { margin-bottom: 1.6rem; }
@media (max-width: 40rem) { body { font-size: 15px; padding: 0 .5rem; } table { font-size: .8rem; } }
@media print { body { max-width: none; margin: 0; font-size: 10pt; } .scroll { overflow: visible; }
  tr { break-inside: avoid; } thead { display: table-header-group; } }
"""


def format_p(p: float) -> str:
    """A p-value with three decimals, "<0.001" below 0.001, "" when there is none."""
    if np.isnan(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def format_ratio(ratio: float, decimals: int) -> str:
    """A ratio above zero in `decimals` decimals; two significant digits below 0.1; whole numbers from 100.

    Beyond 0.0001 and a million in powers of ten; "" when there is none.
    """
    if np.isnan(ratio):
        return ""
    if np.isinf(ratio):
        return "\u221e"
    if ratio < 1e-4 or ratio >= 1e6:
        return f"{ratio:.2e}"
    if ratio < 0.1:
        decimals = 1 - math.floor(math.log10(ratio))
    return f"{ratio:.{0 if ratio >= 100 else decimals}f}"


def page(title: str, body: str, notice: str) -> str:
    """A self-contained HTML page around `body`, which is HTML already; nothing is fetched from anywhere."""
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{notice_html('p', notice)}{body}</body>\n</html>\n"
    )


def notice_html(tag: str, notice: str) -> str:
    """The notice in a box of its own, or nothing where there is none."""
    return f'<{tag} class="notice">{escape(notice)}</{tag}>\n' if notice else ""


def table_html(
    title: str, notice: str, head: str, bodies: list[list[str]], notes: list[str], reasons: dict[str, int]
) -> str:
    """A table with its caption and notes; `head`, `bodies` and `reasons` (footnote -> mark) as HTML and text.

    The notice is part of the caption too: a table copied out of its page keeps it.
    """
    caption = f"<caption>{escape(title)}{notice_html('span', notice).strip()}</caption>"
    notes = [escape(note) for note in notes] + [f"[{mark}] {escape(reason)}" for reason, mark in reasons.items()]
    return (
        f'<div class="scroll">\n<table>\n{caption}\n<thead>\n{head}\n</thead>\n'
        + "".join("<tbody>\n" + "\n".join(lines) + "\n</tbody>\n" for lines in bodies)
        + '</table>\n</div>\n<div class="notes">\n'
        + "".join(f"<p>{note}</p>\n" for note in notes)
        + "</div>\n"
    )


def row_html(heading: str, cells: list[str], indented: bool = False) -> str:
    """One row of a table: heading and cells are HTML already."""
    attributes = ' class="level"' if indented else ""
    return f'<tr><th scope="row"{attributes}>{heading}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def mark(reason: str, reasons: dict[str, int]) -> str:
    """The mark of a footnote; the same reason has the same mark wherever it occurs."""
    return f"<sup>[{reasons.setdefault(reason, len(reasons) + 1)}]</sup>" if reason else ""
