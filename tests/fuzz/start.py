"""What the fuzzers share: atheris where it is installed, seeds in the corpus folder, and the loop."""

import contextlib
import importlib
import re
import sys
from pathlib import Path

try:
    atheris = importlib.import_module("atheris")  # by name: no dependency of the project, the checks need none
except ImportError:
    atheris = None


def instrumented(*packages: str):
    """Imports within are seen by the fuzzer."""
    return atheris.instrument_imports(include=list(packages)) if atheris else contextlib.nullcontext()


def fuzz(check, seeds) -> None:
    """`check(data)` for ever, or as the command line says; `seeds` are put into the corpus folder, the first argument, and their words beside it."""
    if atheris is None:
        sys.exit("pip install atheris")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds):
        (folder / f"seed{i:02d}").write_bytes(seed)
    words = {word for seed in seeds for word in re.findall(rb'"[\w.:-]+"|[\w.-]+|\S', seed)}
    dictionary = folder.with_suffix(".dict")
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in sorted(words))
    dictionary.write_text("".join(f'"{word}"\n' for word in quoted))
    atheris.Setup([*sys.argv, f"-dict={dictionary}"], check)
    atheris.Fuzz()
