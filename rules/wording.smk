"""What is printed of variables, models and comparisons: it reaches tables and figures, and no estimate."""


def words_of(variables):
    """What is printed of variables: labels, units and levels, reference first."""
    return {name: CODEBOOK.words(name) for name in variables}


def columns_of_variable(variable, curves):
    """The columns that a variable has in a model, each with its label; `curves`: how many columns each spline has."""
    labels = list(CODEBOOK.words(variable).levels.values())[1:]
    if variable not in curves:
        return dict(zip(CODEBOOK.terms(variable), labels or [""], strict=True))
    return {variable + "'" * order: f"curve {order}" if order else "line" for order in range(curves[variable])}


def term_words(term, curves):
    """What is printed of a term of a model: label, unit, kind, levels, and its columns, each with its label."""
    names = [term] if isinstance(term, str) else term.variables
    words = [CODEBOOK.words(name).model_dump() for name in names]
    columns = [columns_of_variable(name, curves) for name in names]
    if len(names) == 1 and names[0] not in curves:
        return words[0] | {"columns": columns[0]}
    return {
        "label": " × ".join(each["label"] for each in words),
        "unit": "" if len(names) > 1 else words[0]["unit"],
        "kind": "interaction" if len(names) > 1 else "spline",
        "levels": {},
        "columns": {
            ":".join(pair): " × ".join(filter(None, map(dict.get, columns, pair))) for pair in product(*columns)
        },
    }


def model_words_of(wildcards):
    """What is printed of a model: its title, and the words of its terms in their order."""
    model = STUDY.models[wildcards.model]
    curves = model.curves
    words = [(settings.term_name(term), term_words(term, curves)) for term in model.terms]
    return in_order({"title": model.title, "terms": [name for name, _ in words], "words": dict(words)})


def comparison_words_of(wildcards):
    """What is printed of a comparison: its title, headings, and the words of its variables."""
    comparison = STUDY.comparisons[wildcards.comparison]
    sections = list(comparison.variables.items())
    return canonical(
        {
            "title": comparison.title,
            "by": comparison.by,
            "sections": sections,
            "words": words_of([comparison.by, *comparison.names]),
        }
    )


def grid_words_of(wildcards):
    """What is printed of a grid of departures from missing at random."""
    grid = STUDY.sensitivity.delta[wildcards.grid]
    titles = {name: model.title for name, model in STUDY.models.items()}
    return canonical({"title": grid.title, "models": titles, "words": words_of([grid.variable])})
