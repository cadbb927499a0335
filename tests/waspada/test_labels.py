"""What is printed on a label: read back from the page and from the picture, the QR code module by module."""

import importlib.util
import io
import math

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

from simulator.errors import InputError
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


def expected(text):
    """The modules of the QR code, by the library's encoder alone: the smallest version that holds them."""
    for version in range(1, 41):
        code = QRCode(version, QRErrorCorrectLevel.M)
        code.addData(text)
        try:
            code.make()
        except Exception as error:
            if "overflow" not in str(error):
                raise
        else:
            return [[bool(cell) for cell in row] for row in code.modules]
    raise AssertionError("no version holds it")


def seen(png, count):
    """The modules of the picture's code, each looked at in its middle."""
    picture = Image.open(io.BytesIO(png)).convert("L")
    mm = DPI / 25.4
    side = QR / (count + 2 * BORDER)
    left, top = WIDTH - QR - 3, FRONT - QR - 3
    return [
        [
            picture.getpixel((
                math.floor((left + (x + BORDER + 0.5) * side) * mm),
                math.floor((top + (y + BORDER + 0.5) * side) * mm),
            )) < 128
            for x in range(count)
        ]
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


@pytest.mark.parametrize("node", ["dr01", "a" * 32])
def test_the_code_in_the_picture_is_the_stations_name_and_life(node):
    label = Label("kuching", node, "", "5eed0001", "123456")
    assert label.code == f"waspada:kuching:{node}:5eed0001"
    modules = expected(label.code)
    assert seen(labels.picture(labels.page(label)), len(modules)) == modules


def test_another_life_is_another_code():
    """What the test above catches."""
    modules = expected(LABEL.code)
    other = Label("kuching", "batu-kawa-02", "", "5eed0002", "123456")
    assert seen(labels.picture(labels.page(other)), len(modules)) != modules


@settings(max_examples=25, deadline=None)
@given(NAMES, NAMES, st.text(min_size=0, max_size=60))
def test_any_name_and_any_kind_stays_within_its_label(district, node, about):
    picture = Image.open(io.BytesIO(labels.picture(labels.page(Label(district, node, about, "5eed0001", "123456")))))
    wide, high = picture.size
    grey = picture.convert("L")
    code_left = round((WIDTH - QR - 3) * DPI / 25.4)
    gap = grey.crop((code_left - 10, 0, code_left - 2, round(FRONT * DPI / 25.4)))
    assert gap.getextrema() == (255, 255), "the words run into the code"
    assert grey.crop((wide - 8, 0, wide, round(2 * FLAP * DPI / 25.4))).getextrema() == (255, 255)


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
