"""A terminal: what is typed goes to the station as a person's lines, in the language it speaks. Commands and settings are learned from the station itself."""

import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.output import Output
from prompt_toolkit.shortcuts import CompleteStyle

from waspada.consoles.pin import hidden
from waspada.consoles.station import PROMPT, Station

NETWORK = ("wifi.ssid", "wifi.key", "broker.host", "broker.port")
_QUIET_S = 0.15
_AFTER_PROMPT_S = 0.05
_ANSWER_WITHIN_S = 3700.0  # a station measures once an hour at least
_SECRET = re.compile(r"(\s*(?:login|set\s+wifi\.key)\s)(.*)")


class Vocabulary:
    """What may be typed: command -> what may follow it."""

    def __init__(self, follows: Mapping[str, list[str]]) -> None:
        self.follows = dict(follows)

    @classmethod
    def of(cls, station: Station) -> "Vocabulary":
        """Asked of the station in machine mode."""
        keys = list(station.shown())
        follows: dict[str, list[str]] = {}
        for line in station.must("help"):
            words = line.partition(":")[0].removesuffix(" *").split()
            if words and words[0] != "*":
                follows[words[0]] = _choices(" ".join(words[1:]))
        for command in set(follows) & {"get", "set", "show"}:
            follows[command] = keys
        if "set" in follows:
            follows["set"] = [*keys, *NETWORK]
        if "help" in follows:
            follows["help"] = [*follows, *keys]
        return cls(follows)

    def offers(self, text: str) -> list[str]:
        """What may stand where the last of these words is begun."""
        words = text.lstrip().split(" ")
        if len(words) == 1:
            found = list(self.follows)
        elif len(words) == 2:
            found = self.follows.get(words[0], [])
        else:
            found = []
        return [each for each in found if each.startswith(words[-1])]


def _choices(arguments: str) -> list[str]:
    """`[1|2|3|off]` offers four words; names in capitals are for whoever types."""
    return [word for word in re.split(r"[\s|\[\]]+", arguments) if word and not word.isupper()]


class StationCompleter(Completer):
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        for word in self._vocabulary.offers(text):
            yield Completion(word + " ", -len(text.split(" ")[-1]), display=word)


class Masked(Processor):
    """A PIN or a key is shown as `*`: somebody may look on."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        text = "".join(each[1] for each in transformation_input.fragments)
        found = _SECRET.fullmatch(text)
        if not found:
            return Transformation(transformation_input.fragments)
        return Transformation([("", found[1] + "*" * len(found[2]))])


class Remembered(InMemoryHistory):
    """Lines without secrets in them."""

    def append_string(self, string: str) -> None:
        if hidden(string) == string:
            super().append_string(string)


class Talk:
    """Lines to a station that shows its prompt, and what it says to them."""

    def __init__(self, station: Station, show: Callable[[str], object]) -> None:
        self._station = station
        self._show = show

    def say(self, line: str) -> None:
        """Shows everything up to the next prompt. Ctrl-C ends a long answer."""
        self.listen()
        self._station.send(line)
        try:
            self._until_prompt(_ANSWER_WITHIN_S)
        except KeyboardInterrupt:
            self._station.write(b"\x15")
            self._until_prompt(2)

    def listen(self) -> None:
        """What came unasked: a boot, a log-out."""
        data = b""
        quiet_at = time.monotonic() + _AFTER_PROMPT_S
        while time.monotonic() < quiet_at:
            more = self._station.read()
            if more:
                data += more
                quiet_at = time.monotonic() + _QUIET_S
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        if text.strip("> \n"):
            self._show(text.removesuffix("> "))

    def _until_prompt(self, within_s: float) -> None:
        """Shows line after line, without the echo."""
        deadline = time.monotonic() + within_s
        data, echoed = b"", False
        while time.monotonic() < deadline:
            data += self._station.read()
            while b"\r\n" in data:
                line, _, data = data.partition(b"\r\n")
                if echoed:
                    self._show(line.decode("utf-8", "replace") + "\n")
                echoed = True
            if echoed and data == PROMPT:
                return
        self._show(data.decode("utf-8", "replace"))


def by_hand(
    station: Station,
    lines: Iterable[str] | None = None,
    input: Input | None = None,
    output: Output | None = None,
    show: Callable[[str], object] | None = None,
) -> None:
    """The dialogue: until Ctrl-D, or the end of `lines`."""

    def print_it(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    talk = Talk(station, show or print_it)
    vocabulary = None if lines is not None else Vocabulary.of(station)
    station.leave()
    if vocabulary is None:
        for line in lines or ():
            talk.say(line.rstrip("\r\n"))
        return
    print("Tab completes, Ctrl-C ends a long answer, Ctrl-D leaves.", file=sys.stderr)
    session: PromptSession[str] = PromptSession(
        "> ", completer=StationCompleter(vocabulary), complete_while_typing=False, complete_style=CompleteStyle.READLINE_LIKE, history=Remembered(),
        input_processors=[Masked()], input=input, output=output,
    )  # fmt: skip
    while True:
        try:
            line = session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            station.write(b"logout\r")  # nobody who comes later is let in by who was here
            return
        if line.strip():
            talk.say(line)
