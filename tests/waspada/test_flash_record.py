"""A commissioning record is the city's, to the byte, or it is not; and its page says the same."""

import json

import pypdfium2
import pytest

from simulator.errors import InputError
from tests.waspada.city_desk import enrolled, new_city
from waspada import cli, record
from waspada.city import City

FACTS = {
    "district": "demo", "node": "dr01", "life": "5eed0001", "certificate": "3f", "when": "2026-02-03T04:05:06Z", "who": "siti",
    "board": {"chip": "esp32", "mac": "24:0a:c4:00:00:01", "flash": 4 << 20}, "image": {"name": "MicroPython", "sha256": "ab" * 32},
    "application": {"version": "0.1.0", "sha256": "cd" * 32}, "settings": {"level.danger": 1500},
    "self_test": {"first_line": "waspada station dr01", "status": {"state": "normal", "level": "none no_answer q 9"}},
}  # fmt: skip


@pytest.fixture
def city(tmp_path):
    folder = new_city(tmp_path / "city")
    enrolled(folder, "dr01", "--station", "river_gauge")
    return City(folder)


def checked(capsys, city, path):
    code = cli.main(["flash", "--check-record", str(path), "--city", str(city.folder), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out.splitlines()[-1])


def test_a_record_is_the_citys_until_a_single_letter_of_it_is_another(city, capsys, tmp_path):
    made, path = record.keep(city, "demo", "dr01", FACTS)
    assert path == city.node("demo", "dr01") / "record.json"
    code, said = checked(capsys, city, path)
    assert code == 0 and said["valid"] and said["record"]["board"]["mac"] == FACTS["board"]["mac"]
    reordered = {"signature": made["signature"], "record": dict(reversed(made["record"].items()))}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(reordered))
    assert checked(capsys, city, other)[0] == 0
    changes = [
        ("record", "who", "somebody"),
        ("record", "life", "5eed0002"),
        ("record", "extra", 1),
        ("record", "settings", {"level.danger": 1501}),
        ("signature", "value", made["signature"]["value"][:-4] + "AAA="),
        ("signature", "value", "not base64"),
        ("signature", "value", ""),
        ("signature", "algorithm", "none"),
        ("signature", "district", "elsewhere"),
    ]
    for part, key, value in changes:
        other.write_text(json.dumps({**made, part: {**made[part], key: value}}))
        code, said = checked(capsys, city, other)
        assert (code, said["valid"]) == (1, False), (part, key)


def test_a_record_of_another_district_or_another_city_is_not_this_citys(city, capsys, tmp_path):
    enrolled(city.folder, "dr02", "--station", "river_gauge", district="north")
    forged = record.signed(city, "north", FACTS)
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(forged))
    assert checked(capsys, city, path)[0] == 1
    path.write_text(json.dumps({**forged, "signature": {**forged["signature"], "district": "demo"}}))
    assert checked(capsys, city, path)[0] == 1
    second = new_city(tmp_path / "second")
    enrolled(second, "dr01", "--station", "river_gauge")
    _, path = record.keep(City(second), "demo", "dr01", FACTS)
    code, said = checked(capsys, city, path)
    assert code == 1 and "signed by somebody else" in said["said"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"record":{},"signature":{}}', '{"record":' + "[" * 5000, "\0"]
)
def test_what_is_no_record_is_refused_in_one_sentence(city, tmp_path, capsys, text):
    path = tmp_path / "some.json"
    path.write_text(text)
    code, said = checked(capsys, city, path)
    assert code == 2 and "is no commissioning record" in said["error"]
    code, said = checked(capsys, city, tmp_path / "none.json")
    assert code == 2 and "can't be read" in said["error"]


def test_the_page_says_what_the_record_says(city):
    made, path = record.keep(city, "demo", "dr01", {**FACTS, "checks": {"siren heard": "yes", "names": "ไซเรน"}})
    document = pypdfium2.PdfDocument(path.with_suffix(".pdf").read_bytes())
    text = "".join(one.get_textpage().get_text_range() for one in document)
    document.close()
    for word in ("demo/dr01", "5eed0001", "24:0a:c4:00:00:01", "siti", "level.danger", "no_answer", "siren heard"):
        assert word in text
    assert made["signature"]["value"][:40] in text


def test_without_the_districts_key_nothing_is_signed(city):
    (city.ca / "demo-key.pem").unlink()
    with pytest.raises(InputError, match="authority of demo"):
        record.signed(city, "demo", FACTS)
