"""What is written agrees with what is there."""

import json
import re

import jsonschema
import pytest

from tests.house import sources
from waspada.cli import COMMANDS

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"`(?:\.venv/bin/)?waspada ([a-z]+)|^(?:\$ )?(?:\.venv/bin/)?waspada ([a-z]+)", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[str]:
    return [name for name in sources.files() if name.endswith(".md")]


def broken_links(name: str, source: str) -> list[str]:
    """Links of a page that lead to no file or heading."""
    found = []
    for groups in LINK.findall(FENCED.sub("", source)):
        target = groups[0] or groups[1]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        where = (sources.ROOT / name).parent / path
        if path and not where.exists():
            found.append(f"{name}: {target} leads nowhere")
        elif anchor and anchor not in headings(where.read_text(encoding="utf-8") if path else source):
            found.append(f"{name}: {target}: no such heading")
    return found


def headings(source: str) -> set[str]:
    """The anchors of a page, as the usual viewers make them."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", source), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands_named(source: str) -> set[str]:
    return {first or second for first, second in COMMAND.findall(source)}


def test_links_lead_to_what_exists() -> None:
    broken = [line for name in pages() for line in broken_links(name, sources.text(name))]
    assert not broken, "\n" + "\n".join(broken)


def test_a_dead_link_is_caught() -> None:
    assert broken_links("README.md", "see [this](docs/nothing.md)")
    assert broken_links("README.md", "![picture](docs/nothing.png)")
    assert broken_links("README.md", "# Here\n[there](#nowhere)")
    assert not broken_links(
        "README.md", "# Here it is\n[there](#here-it-is) [all](docs/wire.md) [afar](https://example.org)"
    )


def test_every_command_is_documented_and_exists() -> None:
    named = {command: name for name in pages() for command in commands_named(sources.text(name))}
    missing = [
        f"`waspada {command}` is in no page: README.md's table is the place"
        for command in COMMANDS
        if command not in named
    ]
    unknown = [
        f"{name} speaks of `waspada {command}`, which is no command"
        for command, name in named.items()
        if command not in COMMANDS
    ]
    assert not missing + unknown, "\n" + "\n".join(missing + unknown)


def test_a_command_in_a_page_is_found() -> None:
    assert commands_named("`waspada demo --headless`, then\n\n    x\nwaspada bench all\n") == {"demo", "bench"}
    assert commands_named("waspada is a word, `waspada` a program; see .venv/bin/waspada") <= {"is"}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_its_module(command: str) -> None:
    assert f"waspada/{command}.py" in sources.files()


@pytest.mark.parametrize("room", sources.ROOMS)
def test_each_room_says_what_it_is(room: str) -> None:
    assert f"{room}/README.md" in sources.files(), f"{room}/README.md: one paragraph on what is in here and what is not"


def test_each_room_is_in_the_readme() -> None:
    assert not [room for room in sources.ROOMS if f"`{room}/`" not in sources.text("README.md")]


def test_trace_schema_is_itself_valid() -> None:
    schema = json.loads(sources.text("docs/trace.schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.SchemaError):
        jsonschema.Draft202012Validator.check_schema({**schema, "type": "no such type"})


def test_trace_examples_fit_their_schema() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(sources.text("docs/trace.schema.json")))
    examples = re.findall(r'`(\{"t":.*?\})`', sources.text("docs/wire.md"))
    assert len(examples) >= 3
    for example in examples:
        line = json.loads(example.replace("<hex>", "00ff"))
        validator.validate(line)
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**line, "kind": "no such kind"})


def test_version_is_said_only_once() -> None:
    version = re.search(r'VERSION = "(.+)"', sources.text("firmware/node/version.py"))
    assert version
    said = [name for name in sources.python() if f'"{version.group(1)}"' in sources.text(name)]
    first = "firmware/node/version.py"
    assert [name for name in said if not name.startswith("tests/")] == [first], f"import VERSION from {first} instead"
    assert f"## [{version.group(1)}]" in sources.text("CHANGELOG.md"), "say in CHANGELOG.md what this version brings"
