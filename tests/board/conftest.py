"""What the tests of `waspada flash` share: the application compiled once, a small image, a city with two stations."""

import json

import pytest

from tests.flash_desk import made_up_image
from tests.waspada.city_desk import enrolled, new_city
from waspada import cli, contents


@pytest.fixture(scope="module")
def built():
    return contents.App.built()


@pytest.fixture
def flash(built, monkeypatch, capsys):
    """The command in this process: (exit code, its JSON, all it printed). The application is compiled once."""
    monkeypatch.setattr(contents.App, "built", lambda: built)

    def run(*words):
        code = cli.main(["flash", *map(str, words), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]), out + err

    return run


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.bin"
    path.write_bytes(made_up_image())
    return path


@pytest.fixture
def city(tmp_path, small, capsys):
    folder = new_city(tmp_path / "city")
    for node in ("dr01", "dr02"):
        enrolled(folder, node, "--station", "river_gauge")
    assert cli.main(["flash", "--add-image", str(small), "--name", "small", "--city", str(folder)]) == 0
    capsys.readouterr()
    return folder
