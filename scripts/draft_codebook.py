"""Draft a starter codebook from the metadata of raw files: python draft_codebook.py a.sav b.dta > variables.yaml.

Reads .sav, .dta or .csv files; prints names, labels, value labels, user-missing codes, coarse observed ranges and
counts. Never prints a row of the data.
"""

import sys
from pathlib import Path

from esmi import drafting, extract
from esmi.errors import ResearchError

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit('Name the raw files: make codebook EXTRACT="a.sav b.dta"')
    try:
        raws = {Path(name).stem.lower(): extract.read_raw(Path(name)) for name in sys.argv[1:]}
        print(drafting.draft_codebook(raws), end="")
    except ResearchError as error:
        sys.exit(str(error))
