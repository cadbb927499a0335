"""A station's label: its name and a QR code for everybody, its PIN on a flap that is folded up over the blank part. As PDF and PNG, and on A4 sheets.

Needs the extra `flash` (reportlab, pypdfium2).
"""

import importlib
import importlib.util
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import InputError, are_not_installed, install_advice

MM = 72 / 25.4
WIDTH, FRONT, FLAP = 95, 35, 17  # millimetres: the front, then the blank part and the flap of the same height
HEIGHT = FRONT + 2 * FLAP
QR = 29
A4 = (210, 297)
COLUMNS, ROWS = 2, 4
DPI = 200


@dataclass(frozen=True)
class Label:
    """`about`: the station's kind. The PIN is not shown by repr."""

    district: str
    node: str
    about: str
    life: str
    pin: str = field(repr=False)

    @property
    def code(self) -> str:
        """What the QR code says: the station's base name on the wire, and this board's life. Nothing secret."""
        return f"waspada:{self.district}:{self.node}:{self.life}"


def need() -> None:
    """InputError where the extra is missing."""
    missing = [name for name in ("reportlab", "pypdfium2") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{are_not_installed(missing)}: {install_advice('flash')}")


def _part(name: str) -> Any:
    """Asked for by name, because only those who print labels need it."""
    return importlib.import_module(name)


def page(label: Label) -> bytes:
    """One label, a PDF of its size."""
    return _document((WIDTH, HEIGHT), f"{label.district}/{label.node}", [lambda canvas: draw(canvas, label)])


def sheet(labels: Sequence[Label], progress: Callable[[], object] = lambda: None) -> bytes:
    """All of them on A4, to be cut along the grey lines."""
    per_page = COLUMNS * ROWS
    pages = [labels[at : at + per_page] for at in range(0, len(labels), per_page)]
    left = (A4[0] - COLUMNS * WIDTH) / 2
    top = (A4[1] - ROWS * HEIGHT) / 2

    def drawn(some: Sequence[Label]) -> Callable[[Any], None]:
        def draw_page(canvas: Any) -> None:
            for number, label in enumerate(some):
                canvas.saveState()
                x = left + number % COLUMNS * WIDTH
                y = A4[1] - top - (number // COLUMNS + 1) * HEIGHT
                canvas.translate(x * MM, y * MM)
                _outline(canvas)
                draw(canvas, label)
                canvas.restoreState()
                progress()

        return draw_page

    return _document(A4, f"{len(labels)} labels", [drawn(some) for some in pages])


def picture(pdf: bytes) -> bytes:
    """The first page of a PDF as PNG."""
    document = _part("pypdfium2").PdfDocument(pdf)
    try:
        image = document[0].render(scale=DPI / 72).to_pil()
        out = io.BytesIO()
        image.save(out, "PNG", dpi=(DPI, DPI))
        return out.getvalue()
    finally:
        document.close()


def _document(size: tuple[float, float], title: str, pages: Iterable[Callable[[Any], None]]) -> bytes:
    out = io.BytesIO()
    canvas = _part("reportlab.pdfgen.canvas").Canvas(out, pagesize=(size[0] * MM, size[1] * MM), invariant=1)
    canvas.setTitle(title)
    canvas.setCreator("Waspada")
    for draw_page in pages:
        draw_page(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _outline(canvas: Any) -> None:
    canvas.setLineWidth(0.3)
    canvas.setStrokeGray(0.7)
    canvas.rect(0, 0, WIDTH * MM, HEIGHT * MM)


def draw(canvas: Any, label: Label) -> None:
    """One label, its lower left corner at the origin."""
    canvas.setFillGray(0)
    _draw_code(canvas, label.code, (WIDTH - QR - 3, 2 * FLAP + 3))
    left = 5
    room = WIDTH - QR - 3 - left - 2
    _line(canvas, label.node, "Helvetica-Bold", 26, (left, 2 * FLAP + 22), room)
    _line(canvas, label.district, "Helvetica", 13, (left, 2 * FLAP + 15), room)
    _line(canvas, _printable(label.about), "Helvetica", 10, (left, 2 * FLAP + 9.5), room)
    _line(canvas, f"Waspada  {label.life}", "Courier", 8, (left, 2 * FLAP + 4), room)
    canvas.setFillGray(0.45)
    canvas.setStrokeGray(0.45)
    canvas.setLineWidth(0.5)
    canvas.setDash(4, 3)
    canvas.line(0, FLAP * MM, WIDTH * MM, FLAP * MM)
    canvas.setDash()
    _line(canvas, "Fold the part below up along the dashed line, over this, and tape it shut.", "Helvetica", 7,
          (left, FLAP + 3), WIDTH - 2 * left)  # fmt: skip
    canvas.setFillGray(0)
    _line(canvas, "Technician's PIN", "Helvetica", 9, (left, 7), 40)
    _line(canvas, f"{label.pin[:3]} {label.pin[3:]}", "Courier-Bold", 24, (left + 34, 5.5), WIDTH - left - 39)


def _line(canvas: Any, text: str, font: str, size: float, at: tuple[float, float], room: float) -> None:
    """Smaller where it is too long for its room."""
    wide = _part("reportlab.pdfbase.pdfmetrics").stringWidth(text, font, size) / MM
    canvas.setFont(font, size * min(1, room / wide) if wide else size)
    canvas.drawString(at[0] * MM, at[1] * MM, text)


def _draw_code(canvas: Any, text: str, at: tuple[float, float]) -> None:
    side = QR * MM
    drawing = _part("reportlab.graphics.shapes").Drawing(side, side)
    widget = _part("reportlab.graphics.barcode.qr").QrCodeWidget
    drawing.add(widget(value=text, barWidth=side, barHeight=side, barBorder=2, barLevel="M"))
    _part("reportlab.graphics.renderPDF").draw(drawing, canvas, at[0] * MM, at[1] * MM)


def _printable(text: str) -> str:
    """The page's own letters are Western ones; a text with others is left out rather than shown as boxes."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return ""
    return text
