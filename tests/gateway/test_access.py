"""Who may order: keys, what wrong tries cost, sessions that end."""

import pytest

from gateway.access import ADDRESSES_MOST, SESSION_MS, SESSIONS_MOST, Access, Denied, new_key

KEY, HASH = new_key()


@pytest.fixture
def access():
    return Access({"amina": HASH})


def test_a_key_is_long_random_and_kept_only_as_its_hash():
    other, hashed = new_key()
    assert len(other) == 32 and other != KEY and len(hashed) == 64 and other not in hashed


@pytest.mark.parametrize(
    ("name", "key"),
    [("amina", "wrong"), ("budi", KEY), ("", ""), ("amina", ""), ("amina", "\ud800")],
    ids=["wrong key", "another's key", "nothing", "no key", "no letter"],  # the key is another one in each process
)
def test_a_wrong_name_or_key_is_denied_in_the_same_words(access, name, key):
    with pytest.raises(Denied) as denied:
        access.person(name, key, "10.0.0.9", 0)
    assert str(denied.value) == "name or key is wrong"
    assert access.person("amina", KEY, "10.0.0.9", 0) == "amina"


def test_who_mistyped_and_then_got_it_right_begins_anew(access):
    for _ in range(10):
        for _ in range(2):
            with pytest.raises(Denied, match="name or key is wrong"):
                access.person("amina", "guess", "10.0.0.9", 0)
        assert access.person("amina", KEY, "10.0.0.9", 0) == "amina"


def test_the_wait_doubles_to_a_quarter_of_an_hour_and_holds_for_the_right_key_too(access):
    now, waits = 0, []
    for _ in range(15):
        with pytest.raises(Denied):
            access.person("amina", "guess", "10.0.0.9", now)
        try:
            access.person("amina", "guess again", "10.0.0.9", now)
        except Denied as denied:
            if denied.wait_s:
                with pytest.raises(Denied, match="too many"):
                    access.person("amina", KEY, "10.0.0.9", now)
                waits.append(denied.wait_s)
                now += denied.wait_s * 1000
    assert waits == sorted(waits) and waits[0] <= 4 and waits[-1] == 900
    assert access.person("amina", KEY, "10.0.0.8", now) == "amina", "elsewhere nobody waits"
    assert access.person("amina", KEY, "10.0.0.9", now) == "amina"


def test_addresses_and_sessions_are_bounded(access):
    for number in range(ADDRESSES_MOST + 50):
        with pytest.raises(Denied):
            access.person("amina", "guess", f"10.0.{number >> 8}.{number & 255}", 0)
    assert len(access._wrong) == ADDRESSES_MOST
    tokens = [access.sign_in("amina", 0) for _ in range(SESSIONS_MOST + 1)]
    assert access.session(tokens[0], 1) is None and access.session(tokens[-1], 1).person == "amina"


def test_a_session_ends_by_time_and_by_signing_out(access):
    token = access.sign_in("amina", 0)
    session = access.session(token, SESSION_MS - 1)
    assert access.is_own_form(session, session.form) and not access.is_own_form(session, "") and session.form != token
    assert access.session(token, SESSION_MS) is None
    token = access.sign_in("amina", 0)
    access.sign_out(token)
    assert access.session(token, 1) is None and access.session(None, 1) is None and access.session("", 1) is None
