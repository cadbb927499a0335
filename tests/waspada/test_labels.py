"""What is printed on a label: read back from the page and from the picture, the QR code by a reader of its own."""

import importlib.util

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import InputError
from tests.waspada.pictures import read_code, read_png
from waspada import labels
from waspada.labels import DPI, FLAP, FRONT, HEIGHT, QR, WIDTH, Label

LABEL = Label("kuching", "batu-kawa-02", "River gauge, ultrasonic", "5eed0001", "004917")
BORDER = 2  # modules of white around the code that belong to its square
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)


def words(pdf, page=0, box=None):
    """The text of a page, or of a part of it: (left, bottom, right, top) in millimetres."""
    document = pypdfium2.PdfDocument(pdf)
    text = document[page].get_textpage()
    if box is None:
        return text.get_text_range()
    left, bottom, right, top = (each * labels.MM for each in box)
    return text.get_text_bounded(left=left, bottom=bottom, right=right, top=top)


def seen(png, count):
    """The modules of the picture's code, each looked at in its middle."""
    rows = read_png(png)
    mm = DPI / 25.4
    side = QR / (count + 2 * BORDER)
    left, top = WIDTH - QR - 3, FRONT - QR - 3
    return [
        [rows[int((top + (y + BORDER + 0.5) * side) * mm)][int((left + (x + BORDER + 0.5) * side) * mm)] < 128
         for x in range(count)]
        for y in range(count)
    ]  # fmt: skip


def test_a_label_says_name_district_kind_and_life_above_and_the_pin_only_on_the_flap():
    pdf = labels.page(LABEL)
    above = words(pdf, box=(0, FLAP, WIDTH, HEIGHT))
    flap = words(pdf, box=(0, 0, WIDTH, FLAP))
    for text in ("batu-kawa-02", "kuching", "River gauge, ultrasonic", "5eed0001"):
        assert text in above, text
    assert "004 917" in flap
    assert "917" not in above
    assert "004917" not in LABEL.code and "004917" not in repr(LABEL)


def test_the_flap_covers_nothing_that_is_needed():
    """Folded up, the flap lies over the blank part: as high, and empty but for what says how to fold."""
    blank = words(labels.page(LABEL), box=(0, FLAP, WIDTH, 2 * FLAP))
    assert blank.strip() == "Fold the part below up along the dashed line, over this, and tape it shut."


# names -> the modules on a side of the smallest code that holds them
CODES = [
    ("kuching", "d", 25),
    ("kuching", "dr01", 29),
    ("kuching", "batu-kawa-bridge-02", 33),
    ("d" * 32, "n" * 32, 37),
]


@pytest.mark.parametrize(("district", "node", "count"), CODES)
def test_the_code_in_the_picture_says_the_stations_name_and_life(district, node, count):
    label = Label(district, node, "", "5eed0001", "123456")
    code = read_code(seen(labels.picture(labels.page(label)), count))
    assert code == label.code == f"waspada:{district}:{node}:5eed0001"


@settings(max_examples=25, deadline=None)
@given(NAMES, NAMES, st.text(min_size=0, max_size=60))
def test_any_name_and_any_kind_stays_within_its_label(district, node, about):
    pdf = labels.page(Label(district, node, about, "5eed0001", "123456"))
    picture = pypdfium2.PdfDocument(pdf)[0].render(scale=DPI / 72).to_numpy()
    code_left = round((WIDTH - QR - 3) * DPI / 25.4)
    above = round(FRONT * DPI / 25.4)
    assert picture[:above, code_left - 10 : code_left - 2].min() == 255, "the words run into the code"
    assert picture[:above, -8:].min() == 255


def test_a_sheet_has_every_label_once_eight_to_a_page():
    some = [
        Label("demo", f"st{number:02}", "Rain gauge", f"5eed00{number:02}", f"1000{number:02}") for number in range(19)
    ]
    counted = []
    pdf = labels.sheet(some, lambda: counted.append(1))
    assert len(counted) == 19
    assert len(pypdfium2.PdfDocument(pdf)) == 3
    text = "".join(words(pdf, page) for page in range(3))
    for label in some:
        assert text.count(label.node) == 1
        assert text.count(f"{label.pin[:3]} {label.pin[3:]}") == 1


def test_a_label_is_the_same_bytes_for_the_same_station():
    assert labels.page(LABEL) == labels.page(LABEL)


def test_a_missing_extra_is_one_sentence(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "reportlab" else real(name, *more)
    )
    with pytest.raises(InputError, match=r"reportlab is not installed: run .* -m pip install -e '\.\[flash\]'"):
        labels.need()
