"""What the data mean: raw columns, instruments and the analysis variables that are derived from them.

A codebook is a folder: `variables.yaml` (the files with their columns, and the variables) and `instruments/*.yaml`.
Variables come from raw columns or from other variables by small declared forms; nothing in it is evaluated as code.
"""

import graphlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from esmi import instruments
from esmi.documents import Closed, Name, nearest, parse, read_yaml, shown
from esmi.errors import ResearchError, listed
from esmi.instruments import Instrument
from esmi.variables import NO_YES, AtLeast, Code, Column, RawFile, Score, Variable, Words

# The columns that the workflow's own tables have beside the variables.
RESERVED = ("id", "imputation", "pattern", "n", "percent", "missing_variables")


def _by_code(values: dict[Code, str]) -> dict[Code, str]:
    return dict(sorted(values.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _sorted(column: Column) -> Column:
    return column.model_copy(update={"codes": _by_code(column.codes), "missing": _by_code(column.missing)})


def _untitled(column: Column) -> Column:
    return column.model_copy(update={"label": "", "missing": dict.fromkeys(column.missing, "")})


def _blank(column: Column) -> Column:
    return column.model_copy(
        update={"label": "", "codes": dict.fromkeys(column.codes, ""), "missing": dict.fromkeys(column.missing, "")}
    )


def _without_words(variable: Variable) -> Variable:
    """The variable less its words; its levels in their order, all else sorted where the order has no meaning."""
    recode, choose = variable.recode, variable.choose
    return variable.model_copy(
        update={
            "label": "",
            "unit": "",
            "levels": dict.fromkeys(variable.level_labels, ""),
            "reference": None,
            "recode": recode and recode.model_copy(update={"to": dict(sorted(recode.to.items()))}),
            "choose": choose and choose.model_copy(update={"columns": _by_code(choose.columns)}),
        }
    )


class _Variables(Closed):
    files: dict[Name, RawFile]
    variables: dict[Name, Variable]


class Codebook(Closed):
    """The files, instruments and variables of one study, cross-checked."""

    files: dict[str, RawFile]
    instruments: dict[str, Instrument]
    variables: dict[str, Variable]

    def columns(self, file: str) -> dict[str, Column]:
        """Every declared column of a raw file: its own and the items of the instruments given in it."""
        return self.files[file].columns | dict(self.items(file))

    def items(self, file: str) -> list[tuple[str, Column]]:
        """The columns of a raw file that hold items of instruments, by name; two of one name are a fault."""
        return [
            (
                given.items.format(item),
                Column(label=f"{instrument.title}, item {item}", range=instrument.range, missing=instrument.missing),
            )
            for instrument in self.instruments.values()
            for given in instrument.administrations.values()
            if given.file == file
            for item in instrument.items
        ]

    def column(self, operand: str) -> Column:
        """The declared column that an operand `file.column` names."""
        file, _, name = operand.partition(".")
        return self.columns(file)[name]

    def raw_part(self) -> "Codebook":
        """What is said of the raw files, labels and all, sorted; no variables, so that theirs change nothing raw."""
        return Codebook(
            files={
                name: file.model_copy(update={"columns": {c: _sorted(col) for c, col in sorted(file.columns.items())}})
                for name, file in sorted(self.files.items())
            },
            instruments=dict(sorted(self.instruments.items())),
            variables={},
        )

    def checked_part(self) -> "Codebook":
        """What the raw files are held against, sorted: of all words only the labels of codes, which files carry too."""
        raw = self.raw_part()
        return Codebook(
            files={
                name: file.model_copy(update={"columns": {c: _untitled(column) for c, column in file.columns.items()}})
                for name, file in raw.files.items()
            },
            instruments={name: instruments.without_words(i) for name, i in raw.instruments.items()},
            variables={},
        )

    def without_words(self) -> "Codebook":
        """The codebook less its labels, titles, units and sources, sorted: what decides values, and nothing more."""
        raw = self.raw_part()
        return Codebook(
            files={
                name: file.model_copy(update={"columns": {c: _blank(column) for c, column in file.columns.items()}})
                for name, file in raw.files.items()
            },
            instruments={name: instruments.without_words(i) for name, i in raw.instruments.items()},
            variables={name: _without_words(variable) for name, variable in sorted(self.variables.items())},
        )

    def terms(self, variable: str) -> list[str]:
        """The names of a variable's terms in a model: itself for a number, else `variable[level]` but for the first."""
        levels = list(self.variables[variable].level_labels)
        return [f"{variable}[{level}]" for level in levels[1:]] or [variable]

    def parts(self, variable: str) -> list[str]:
        """The analysis variables that decide a variable by themselves; none where it is made from raw columns.

        A score with a cut-off is made from the variable that holds the score.
        """
        declared = self.variables[variable]
        if declared.score and declared.score.cut_off is not None:
            whole = declared.score.model_copy(update={"cut_off": None})
            return [name for name, other in sorted(self.variables.items()) if other.score == whole][:1]
        return declared.operands if all("." not in operand for operand in declared.operands) else []

    def passive(self, variable: str) -> Variable:
        """A variable as derived from its `parts`, less its words: a cut-off of a score as the number it stands for."""
        declared = _without_words(self.variables[variable])
        if not declared.score:
            return declared
        lowest = instruments.cut_offs(self.instruments[declared.score.instrument], declared.score.scale)[
            declared.score.cut_off
        ]
        form = {"score": None, "at_least": AtLeast(of=self.parts(variable)[0], value=lowest)}
        return declared.model_copy(update=form)

    def range(self, variable: str) -> tuple[float | None, float | None]:
        """The lowest and the highest value that a number can have: of its score, or of its raw columns; else None."""
        declared = self.variables[variable]
        if declared.score and declared.score.cut_off is None:
            return instruments.possible_range(self.instruments[declared.score.instrument], declared.score.scale)
        columns = [declared.from_column] if declared.from_column else []
        columns += declared.choose.columns.values() if declared.choose else []
        ranges = [self.columns(file)[name].range for file, name in (column.split(".", 1) for column in columns)]
        if not ranges or None in ranges:
            return None, None
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def words(self, variable: str) -> Words:
        """What tables and figures print of a variable."""
        declared = self.variables[variable]
        return Words(label=declared.label, unit=declared.unit, kind=declared.kind, levels=declared.level_labels)

    def order(self) -> list[str]:
        """The variables, each after those it is made from; ties by name, so that the file's order is no matter."""
        sorter = graphlib.TopologicalSorter(
            {name: sorted(o for o in v.operands if "." not in o) for name, v in sorted(self.variables.items())}
        )
        return list(sorter.static_order())

    def sources(self, variable: str) -> list[str]:
        """The raw columns `file.column` behind a variable, through everything it is made from."""
        found: dict[str, None] = {}
        definition = self.variables[variable]
        if definition.score:
            instrument = self.instruments[definition.score.instrument]
            given = instrument.administrations[definition.score.administration]
            items = instruments.scale_items(instrument, definition.score.scale)
            found.update({f"{given.file}.{given.items.format(item)}": None for item in items})
        for operand in definition.operands:
            found.update(dict.fromkeys([operand] if "." in operand else self.sources(operand)))
        return list(found)


def load(folder: Path) -> Codebook:
    """The codebook in a folder: variables.yaml and instruments/*.yaml.

    Raises one ResearchError with all faults within the files, and, where there are none, one with all between them.
    """
    path = folder / "variables.yaml"
    faults: list[str] = []
    known: dict[str, Instrument] = {}
    try:
        document = parse(_Variables, read_yaml(path), str(path))
    except ResearchError as error:
        faults.append(str(error))
    for file in sorted((folder / "instruments").glob("*.yaml")):
        try:
            known[file.stem] = instruments.parse(read_yaml(file), str(file))
        except ResearchError as error:
            faults.append(str(error))
    if faults:
        raise ResearchError("\n".join(faults))
    codebook = Codebook.model_construct(files=document.files, instruments=known, variables=document.variables)
    if faults := list(_cross_checks(codebook)):
        raise listed(str(folder), faults)
    return codebook


def _cross_checks(codebook: Codebook) -> Iterator[str]:
    for name, instrument in codebook.instruments.items():
        if instrument.name != name:
            yield f"instruments/{name}.yaml: name is '{instrument.name}', it must be the file's name, '{name}'"
        for given, administration in instrument.administrations.items():
            if administration.file not in codebook.files:
                yield (
                    f"instruments/{name}.yaml: administrations.{given}.file is '{administration.file}', which is not "
                    f"among files{nearest(administration.file, codebook.files)}"
                )
    for file in codebook.files:
        yield from _column_faults(codebook, file)
    columns = {f"{file}.{name}": column for file in codebook.files for name, column in codebook.columns(file).items()}
    for name, variable in codebook.variables.items():
        if name in RESERVED:
            yield f"variables.{name}: choose another name; {', '.join(RESERVED)} are columns of the workflow's own"
        faults = [fault for one in variable.operands for fault in _operand_faults(codebook, columns, variable, one)]
        faults += _form_faults(codebook, columns, variable)
        yield from (f"variables.{name}.{variable.form}: {fault}" for fault in faults)
    try:
        codebook.order()
    except graphlib.CycleError as error:
        yield f"variables: {' -> '.join(error.args[1])} are made from one another in a circle"


def _column_faults(codebook: Codebook, file: str) -> Iterator[str]:
    """Columns of a file that are described twice, or are its id."""
    described = [*codebook.files[file].columns, *(name for name, _ in codebook.items(file))]
    for column in sorted({c for c in described if described.count(c) > 1}):
        yield f"files.{file}: the column '{column}' is described twice, by columns or instruments"
    if (identifier := codebook.files[file].id) in described:
        yield f"files.{file}: the column '{identifier}' is the id, and is not described as anything else"


def _operand_faults(
    codebook: Codebook, columns: Mapping[str, Column], variable: Variable, operand: str
) -> Iterator[str]:
    """What keeps a variable from being made of an operand: there is none of that name, or it is of another kind."""
    needed = variable.needs(operand)
    if "." in operand or needed in ("codes", "text"):
        if operand not in columns:
            yield f"'{operand}' is not a column of the codebook (file.column){nearest(operand, columns)}"
        elif needed == "codes" and not columns[operand].codes:
            yield f"'{operand}' has no codes in the codebook, and '{variable.form}' needs them"
        elif needed == "text" and not columns[operand].text:
            yield f"'{operand}' is not a column of text in the codebook"
        elif needed == "number" and not columns[operand].is_number:
            yield f"'{operand}' is not a column of numbers in the codebook"
    elif operand not in codebook.variables:
        yield f"'{operand}' is not a variable of the codebook{nearest(operand, codebook.variables)}"
    elif needed == "number" and codebook.variables[operand].derived_levels is not None:
        yield f"'{operand}' is not a number"
    elif needed == "yes/no" and codebook.variables[operand].derived_levels != list(NO_YES):
        yield f"'{operand}' is not a yes/no variable"


def _form_faults(codebook: Codebook, columns: Mapping[str, Column], variable: Variable) -> Iterator[str]:
    if (recode := variable.recode) and recode.of in columns and (declared := list(columns[recode.of].codes)):
        used = [code for codes in [*recode.to.values(), recode.missing] for code in codes]
        if left := [code for code in declared if code not in used]:
            yield f"code {_listed(left)} of {recode.of} goes nowhere: add it to a level or to missing"
        if strange := [code for code in used if code not in declared]:
            yield f"code {_listed(strange)} is not a code of {recode.of}; its codes are {_listed(declared)}"
        if twice := list(dict.fromkeys(code for code in used if used.count(code) > 1)):
            yield f"code {_listed(twice)} goes to two places"
    if (choose := variable.choose) and choose.by in columns and (declared := columns[choose.by].codes):
        if left := [code for code in declared if code not in choose.columns]:
            yield f"code {_listed(left)} of {choose.by} has no column here"
        if strange := [code for code in choose.columns if code not in declared]:
            yield f"code {_listed(strange)} is not a code of {choose.by}; its codes are {_listed(declared)}"
    if variable.bands and any(low >= high for low, high in pairwise(variable.bands.start.values())):
        yield "the values at which the bands start must rise from one level to the next"
    if variable.in_range and variable.in_range.low > variable.in_range.high:
        yield f"low is {variable.in_range.low:g} and high is {variable.in_range.high:g}: no number lies between"
    if variable.form in ("icd10", "any_of", "all_of"):
        for operand in sorted({o for o in variable.operands if variable.operands.count(o) > 1}):
            yield f"'{operand}' stands there more than once"
    if variable.score:
        yield from _score_faults(codebook.instruments, variable.score)


def _listed(codes: Iterable[Code]) -> str:
    return ", ".join(shown(code) for code in codes)


def _score_faults(known: Mapping[str, Instrument], score: Score) -> Iterator[str]:
    if score.instrument not in known:
        yield f"there is no instruments/{score.instrument}.yaml{nearest(score.instrument, known)}"
        return
    instrument = known[score.instrument]
    if score.administration not in instrument.administrations:
        yield (
            f"{score.instrument} has no administration '{score.administration}'"
            f"{nearest(score.administration, instrument.administrations)}"
        )
    if score.scale not in instrument.scales:
        yield f"{score.instrument} has no scale '{score.scale}'{nearest(score.scale, instrument.scales)}"
    elif score.cut_off is not None and score.cut_off not in (bands := instruments.cut_offs(instrument, score.scale)):
        yield f"{score.instrument}.{score.scale} has no cut-off '{score.cut_off}'{nearest(score.cut_off, bands)}"
