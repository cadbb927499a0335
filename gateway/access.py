"""Who may order: people with a key each, what a wrong try costs, and the sessions of those who signed in. Pure; time is an argument.

A key is 32 random letters made here, so its plain SHA-256 in the configuration tells nobody the key. Nothing of a key is ever said back.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping

SESSION_MS = 8 * 3_600_000
SESSIONS_MOST = 64
FREE_TRIES = 3
WAIT_MOST_S = 900
ADDRESSES_MOST = 1000
NOBODY = "0" * 64


class Denied(Exception):
    """One sentence; `wait_s`: not before so long, 0 if now."""

    def __init__(self, sentence: str, wait_s: int = 0) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


def new_key(random: Callable[[int], str] = secrets.token_urlsafe) -> tuple[str, str]:
    """A key for a person, and what stands for it in the configuration."""
    key = random(24)
    return key, hash_of(key)


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Session:
    """Someone signed in by a browser. `form` is in every form of theirs."""

    __slots__ = ("form", "person", "until_ms")

    def __init__(self, person: str, form: str, until_ms: int) -> None:
        self.person, self.form, self.until_ms = person, form, until_ms


class Access:
    """`people`: name -> hash of the key."""

    def __init__(self, people: Mapping[str, str], random: Callable[[int], str] = secrets.token_urlsafe) -> None:
        self._people = dict(people)
        self._random = random
        self._sessions: dict[str, Session] = {}
        self._wrong: dict[str, tuple[int, int]] = {}  # address -> wrong tries, no other before

    @property
    def anybody(self) -> bool:
        return bool(self._people)

    def person(self, name: str, key: str, address: str, now_ms: int) -> str:
        """Who this is. Denied: not known, or too many wrong tries from there."""
        wrong, before_ms = self._wrong.get(address, (0, 0))
        if now_ms < before_ms:
            wait_s = (before_ms - now_ms + 999) // 1000
            raise Denied(f"too many wrong tries: try again in {wait_s} s", wait_s)
        right = hmac.compare_digest(hash_of(key), self._people.get(name, NOBODY))
        if right and name in self._people:
            self._wrong.pop(address, None)
            return name
        wrong += 1
        wait_s = min(2 ** min(wrong - FREE_TRIES, 20), WAIT_MOST_S) if wrong >= FREE_TRIES else 0
        self._wrong.pop(address, None)
        self._wrong[address] = (wrong, now_ms + wait_s * 1000)
        while len(self._wrong) > ADDRESSES_MOST:
            self._wrong.pop(next(iter(self._wrong)))
        raise Denied("name or key is wrong")

    def sign_in(self, person: str, now_ms: int) -> str:
        """The token of a new session."""
        token = self._random(32)
        while len(self._sessions) >= SESSIONS_MOST:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[hash_of(token)] = Session(person, self._random(24), now_ms + SESSION_MS)
        return token

    def session(self, token: str | None, now_ms: int) -> Session | None:
        found = self._sessions.get(hash_of(token)) if token else None
        if found is not None and now_ms >= found.until_ms:
            self.sign_out(token)
            return None
        return found

    def sign_out(self, token: str | None) -> None:
        if token:
            self._sessions.pop(hash_of(token), None)

    @staticmethod
    def is_own_form(session: Session, said: str) -> bool:
        return hmac.compare_digest(hash_of(session.form), hash_of(said))
