"""A person who is asked: at a keyboard, or answers line by line from a file or a pipe (then each answer is shown behind its question)."""

import sys
from collections.abc import Callable
from typing import TextIO

from simulator.errors import InputError

YES, NO = ("y", "yes", "ya"), ("n", "no", "tidak")


class Person:
    def __init__(self, answers: TextIO | None = None, show: Callable[[str], object] | None = None) -> None:
        self._answers = sys.stdin if answers is None else answers
        self._show = show or self._print

    @staticmethod
    def _print(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def tell(self, text: str = "") -> None:
        self._show(text + "\n")

    def ask(self, question: str) -> str:
        self._show(question + " ")
        line = self._answers.readline()
        if not line:
            self._show("\n")
            raise InputError(f"nobody answers '{question}': the answers have ended; begin again")
        if not self._answers.isatty():
            self._show(line.rstrip("\r\n") + "\n")
        return line.strip()

    def agrees(self, question: str) -> bool:
        """Asks until it is yes or no: Enter is neither."""
        while True:
            answer = self.ask(f"{question} [y/n]").lower()
            if answer in (*YES, *NO):
                return answer in YES
            self.tell("y or n is meant")
