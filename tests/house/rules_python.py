"""Searches of the house rules in Python's syntax tree."""

import ast
import builtins
import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

Found = Iterator[tuple[int, str]]

HAS_TYPE_ALIASES = sys.version_info >= (3, 12)
ABSENT_MODULES = set(
    """dataclasses enum typing abc functools contextlib itertools datetime types copy operator bisect weakref logging
    __future__ os.path pathlib threading subprocess decimal fractions inspect warnings traceback
    string textwrap calendar zlib""".split()
)
ABSENT_METHODS = set(
    """removeprefix removesuffix zfill ljust rjust swapcase casefold title capitalize expandtabs bit_length bit_count
    as_integer_ratio isprintable isidentifier format_map translate maketrans""".split()
)
_VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?)(_|$)|^_?(process|handle)_|[a-z](Utils?|Helper|Manager)$")
_PRIVATE_CONSTANT = re.compile(r"^_[A-Z][A-Z0-9_]*$")
_MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "array", "deque"}


def _parse(source: str, name: str = "<snippet>") -> ast.Module:
    return ast.parse(source, name)


def _walk(source: str) -> Iterator[ast.AST]:
    return ast.walk(_parse(source))


def _dotted(node: ast.AST) -> str:
    """`a.b.c` for a chain of names, else the empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module that is imported anywhere in the file; `from a import b` gives a.b, for b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{'.' * node.level}{node.module or ''}.{alias.name}"


def absent_imports(_name: str, source: str) -> Found:
    for line, module in imports(_parse(source)):
        if module.split(".")[0] in ABSENT_MODULES or module in ABSENT_MODULES:
            yield line, f"imports {module}"


def absent_syntax(_name: str, source: str) -> Found:
    lines = source.splitlines()
    for node in _walk(source):
        if isinstance(node, ast.Match):
            yield node.lineno, "match statement"
        elif isinstance(node, ast.arguments) and node.posonlyargs:
            yield node.posonlyargs[0].lineno, "positional-only parameters"
        elif isinstance(node, ast.With) and len(node.items) > 1 and re.match(r"\s*with\s*\(", lines[node.lineno - 1]):
            yield node.lineno, "parenthesised with of several items"
        elif isinstance(node, ast.TryStar):
            yield node.lineno, "except*"
        elif type(node).__name__ in ("TypeAlias", "TypeVar", "ParamSpec"):
            yield getattr(node, "lineno", 1), "type parameters"


def rich_annotations(_name: str, source: str) -> Found:
    tree = _parse(source)
    known = {module for _, module in imports(tree)} | set(dir(builtins))
    for node in ast.walk(tree):
        notes: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            notes = [node.returns]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            notes = [node.annotation]
        for note in notes:
            for part in ast.walk(note) if note is not None else ():
                if isinstance(part, ast.Name) and part.id not in known:
                    yield part.lineno, f"annotation {ast.unparse(part)}"
                elif isinstance(part, ast.Constant) and part.value is not None:
                    yield part.lineno, f"annotation {part.value!r}"


def absent_methods(_name: str, source: str) -> Found:
    for node in _walk(source):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ABSENT_METHODS:
            yield node.lineno, f".{node.func.attr}()"


def json_dumps(_name: str, source: str) -> Found:
    for node in _walk(source):
        if isinstance(node, ast.Attribute) and _dotted(node) in ("json.dump", "json.dumps"):
            yield node.lineno, _dotted(node)
        elif isinstance(node, ast.ImportFrom) and node.module == "json":
            for alias in node.names:
                if alias.name.startswith("dump"):
                    yield node.lineno, f"json.{alias.name}"


def dict_walks(_name: str, source: str) -> Found:
    lines = source.splitlines()
    for node in _walk(source):
        called = node.func if isinstance(node, ast.Call) and not node.args else None
        if isinstance(called, ast.Attribute) and called.attr in ("items", "keys", "values"):
            if "# any order: " not in lines[called.lineno - 1]:
                yield called.lineno, f".{called.attr}()"


def floats(_name: str, source: str) -> Found:
    for node in _walk(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"float {node.value}"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node.lineno, "true division"
        elif isinstance(node, ast.Call) and _dotted(node.func) == "float":
            yield node.lineno, "float()"


def module_state(_name: str, source: str) -> Found:
    module = _parse(source)
    for node in ast.walk(module):
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}"
    for statement in module.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        value = statement.value
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        made = isinstance(value, ast.Call) and _dotted(value.func).split(".")[-1] in _MUTABLE_CALLS
        grows = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
        for target in targets:
            constant = isinstance(target, ast.Name) and target.id.isupper()
            if made or (grows and not constant):
                yield statement.lineno, f"{ast.unparse(target)} can change"


def sleeps(_name: str, source: str) -> Found:
    for node in _walk(source):
        if isinstance(node, ast.Call):
            last = _dotted(node.func).split(".")[-1]
            gives_way = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
            if last in ("sleep", "sleep_ms", "sleep_us", "lightsleep", "deepsleep") and not gives_way:
                yield node.lineno, f"{last}()"
        elif isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio"):
            for alias in node.names:
                if alias.name.startswith("sleep"):
                    yield node.lineno, f"imports {node.module}.{alias.name}"


def awaits(_name: str, source: str) -> Found:
    for node in _walk(source):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node.lineno, type(node).__name__


def silent_excepts(_name: str, source: str) -> Found:
    broad = ("Exception", "BaseException")
    for node in _walk(source):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, "bare except"
            elif _dotted(node.type) in broad and all(
                isinstance(s, ast.Pass | ast.Continue | ast.Break) for s in node.body
            ):
                yield node.lineno, f"except {_dotted(node.type)} says nothing"
        elif isinstance(node, ast.Call) and _dotted(node.func).endswith("suppress"):
            if any(_dotted(argument) in broad for argument in node.args):
                yield node.lineno, "suppresses every exception"


def vague_names(name: str, source: str) -> Found:
    stem = PurePosixPath(name).stem
    if _VAGUE.search(stem):
        yield 1, f"file name {stem}"
    for node in _walk(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _VAGUE.search(node.name):
            yield node.lineno, node.name


def private_constants(_name: str, source: str) -> Found:
    for node in _walk(source):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if _PRIVATE_CONSTANT.match(alias.name):
                    yield node.lineno, alias.name
        elif isinstance(node, ast.Attribute) and _PRIVATE_CONSTANT.match(node.attr):
            if _dotted(node.value) not in ("self", "cls"):
                yield node.lineno, f"{ast.unparse(node)}"


def short_test_names(name: str, source: str) -> Found:
    if not PurePosixPath(name).name.startswith("test_"):
        return
    for node in _walk(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            if len([word for word in node.name.split("_")[1:] if word]) < 3:
                yield node.lineno, node.name


def unexplained_skips(_name: str, source: str) -> Found:
    called = set()
    for node in _walk(source):
        if isinstance(node, ast.Call):
            name = _dotted(node.func)
            called.add(id(node.func))
            reasons = [k.value for k in node.keywords if k.arg == "reason"]
            if name in ("pytest.skip", "pytest.xfail", "pytest.mark.skip") and node.args:
                reasons.append(node.args[0])
            watched = ("pytest.skip", "pytest.xfail", "pytest.importorskip")
            if name in watched or name.startswith(("pytest.mark.skip", "pytest.mark.xfail")):
                if not reasons or (isinstance(reasons[0], ast.Constant) and not reasons[0].value):
                    yield node.lineno, name
        elif isinstance(node, ast.Attribute) and _dotted(node) in ("pytest.mark.skip", "pytest.mark.xfail"):
            if id(node) not in called:
                yield node.lineno, _dotted(node)


def open_ports(_name: str, source: str) -> Found:
    """Whatever lets somebody else begin a conversation. A bus may listen, a socket may not."""
    tree = _parse(source)
    modules = {module.split(".")[0] for _, module in imports(tree)}
    for line, module in imports(tree):
        if module.split(".")[0] in ("webrepl", "bluetooth", "espnow", "aioble", "ftpd"):
            yield line, f"imports {module}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if (
                node.attr in ("bind", "accept", "AP_IF", "start_server")
                or node.attr == "listen"
                and "socket" in modules
            ):
                yield node.lineno, f".{node.attr}"
