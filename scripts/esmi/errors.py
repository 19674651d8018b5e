"""Faults that a researcher can mend, as opposed to defects of the program."""


class ResearchError(Exception):
    """A fault in the data, the codebook or the settings, said in words that its reader can act on.

    The message names the file, the variable, how many rows, what was found and what to do. It never
    holds a value together with an identifier.
    """


def listed(title: str, faults: list[str]) -> ResearchError:
    """One error for all faults found in one look, a line each, in the order in which they were found."""
    noun = "fault" if len(faults) == 1 else "faults"
    return ResearchError("\n".join([f"{title}: {len(faults)} {noun}", *(f"  - {fault}" for fault in faults)]))
