"""What a person gave us and we cannot use."""

import sys
from pathlib import Path


class InputError(Exception):
    """One sentence: what is wrong, where (file, line, column) and what is allowed. The command line prints it and exits with 2."""


def install_advice(extra: str) -> str:
    """How to get the optional packages `extra` into the Python that runs this."""
    return f"run {sys.executable} -m pip install -e '.[{extra}]' in {Path(__file__).parents[1]}"


def are_not_installed(names: list[str]) -> str:
    """`a, b and c are not installed`."""
    said = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"{said} {'is' if len(names) == 1 else 'are'} not installed"
