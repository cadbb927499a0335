"""Certificates and lists of revocations, judged by openssl's own program, which shares none of our code."""

import datetime
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from waspada.authority import DAY, EARLIER, NODE_DAYS, SECOND, Authority, AuthorityError, serves

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
NORTH = Authority.made("Waspada north", NOW, "north")
SOUTH = Authority.made("Waspada south", NOW, "south")
CITY = Authority.made("Waspada city", NOW)


def judged(folder, authorities, certificate, purpose, revoked=None):
    """openssl's words about a certificate, "OK" for a good one."""
    (folder / "ca.pem").write_bytes(b"".join(each.pair.pem for each in authorities))
    (folder / "its.pem").write_bytes(certificate.pem)
    words = ["-purpose", purpose, "-CAfile", "ca.pem"]
    if revoked is not None:
        (folder / "crl.pem").write_bytes(revoked)
        words += ["-crl_check", "-CRLfile", "crl.pem"]
    openssl = shutil.which("openssl")
    assert openssl, "openssl is not installed: apt-get install openssl"
    done = subprocess.run(
        [openssl, "verify", *words, "its.pem"], cwd=folder, capture_output=True, text=True, check=False
    )
    return "OK" if done.returncode == 0 else done.stderr


# what is verified -> (certificate, purpose, a word of openssl's verdict)
VERDICTS = {
    "a station": (NORTH.client("north.dr01", "north"), "sslclient", "OK"),
    "a station as a broker": (NORTH.client("north.dr01", "north"), "sslserver", "certificate purpose"),
    "another district's station of this name": (SOUTH.client("north.dr01", "north"), "sslclient", "permitted subtree"),
    "a station without a district": (SOUTH.client("north.dr01"), "sslclient", "permitted subtree"),
    "a gateway": (CITY.client("gateway.north", "north"), "sslclient", "OK"),
    "a broker by its name": (CITY.server("broker.example"), "sslserver", "OK"),
    "a broker as a station": (CITY.server("10.0.0.1"), "sslclient", "certificate purpose"),
    "somebody else's": (
        Authority.made("Waspada north", NOW, "north").client("north.dr01", "north"),
        "sslclient",
        "error",
    ),
}


@pytest.mark.parametrize("what", VERDICTS)
def test_openssl_agrees_who_may_be_whom(tmp_path, what):
    certificate, purpose, verdict = VERDICTS[what]
    assert verdict in judged(tmp_path, (NORTH, SOUTH, CITY), certificate, purpose)


def test_a_revoked_certificate_and_only_that_one_is_refused(tmp_path):
    good, bad = NORTH.client("north.dr01", "north"), NORTH.client("north.dr02", "north")
    revoked = NORTH.revocations([bad.serial])
    assert judged(tmp_path, [NORTH], good, "sslclient", revoked) == "OK"
    assert "certificate revoked" in judged(tmp_path, [NORTH], bad, "sslclient", revoked)


def test_a_list_keeps_what_it_has_and_is_always_newer():
    """Three revocations within one second; a broker that reads the file again believes the newest list it has."""
    first = NORTH.revocations(["a1"])
    second = NORTH.revocations(["b2"], first)
    third = NORTH.revocations([], second)
    lists = [x509.load_pem_x509_crl(each) for each in (first, second, third)]
    assert [sorted(entry.serial_number for entry in each) for each in lists] == [[0xA1], [0xA1, 0xB2], [0xA1, 0xB2]]
    assert third == second
    assert lists[1].last_update_utc - lists[0].last_update_utc == SECOND
    assert lists[1].next_update_utc == NORTH.pair.certificate.not_valid_after_utc, "an outdated list lets nobody in"


@pytest.mark.parametrize("before", [b"", b"rubbish", SOUTH.revocations(["c3"])])
def test_a_list_that_is_damaged_or_another_authoritys_is_made_anew(before):
    made = x509.load_pem_x509_crl(NORTH.revocations(["a1"], before))
    assert [entry.serial_number for entry in made] == [0xA1]
    assert made.is_signature_valid(NORTH.pair.key.public_key())


def test_a_station_that_does_not_know_the_time_believes_even_a_later_broker():
    """It judges as of the day before it was enrolled; the broker's certificate is made anew years later."""
    later = Authority(CITY.pair, NOW + 9 * 365 * DAY)
    judged_at = NOW - DAY
    for made in (NORTH.client("north.dr01", "north"), later.server("broker.example"), NORTH.pair, CITY.pair):
        assert made.certificate.not_valid_before_utc <= judged_at


def test_nothing_outlives_its_authority():
    late = Authority(NORTH.pair, NORTH.pair.certificate.not_valid_after_utc - 30 * DAY)
    assert (
        late.client("north.dr01", "north").certificate.not_valid_after_utc == NORTH.pair.certificate.not_valid_after_utc
    )
    assert NORTH.client("north.dr01", "north").certificate.not_valid_after_utc == NOW + NODE_DAYS * DAY
    assert NORTH.pair.certificate.not_valid_before_utc == NOW - EARLIER


def test_keys_are_on_p_256_and_serials_random():
    made = [NORTH.client("north.dr01", "north") for _ in range(50)]
    assert all(isinstance(each.key.curve, ec.SECP256R1) for each in made)
    assert len({each.serial for each in made}) == len({each.key_der for each in made}) == 50
    assert min(each.certificate.serial_number.bit_length() for each in made) > 64


def leaf():
    pair = NORTH.client("north.dr01", "north")
    return pair.pem, pair.key_pem


# what is wrong -> (certificate, key, now, words)
UNUSABLE = {
    "its certificate is cut": (NORTH.pair.pem[:200], NORTH.pair.key_pem, NOW, "certificate can't be read"),
    "its key is cut": (NORTH.pair.pem, NORTH.pair.key_pem[:80], NOW, "key can't be read"),
    "its key is empty": (NORTH.pair.pem, b"", NOW, "key can't be read"),
    "another's key": (NORTH.pair.pem, SOUTH.pair.key_pem, NOW, "do not belong together"),
    "a station's": (*leaf(), NOW, "is no authority"),
    "it has ended": (NORTH.pair.pem, NORTH.pair.key_pem, NOW + 30 * 365 * DAY, "ended on"),
    "it has not begun": (NORTH.pair.pem, NORTH.pair.key_pem, NOW - 10 * DAY, "clock right"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_an_authority_that_can_t_be_used_says_why(what):
    certificate, key, now, words = UNUSABLE[what]
    with pytest.raises(AuthorityError, match=words):
        Authority.read(certificate, key, now)


def test_an_authority_read_again_is_the_same(tmp_path):
    again = Authority.read(NORTH.pair.pem, NORTH.pair.key_pem, NOW)
    assert judged(tmp_path, [NORTH], again.client("north.dr09", "north"), "sslclient") == "OK"


# what the broker has -> whether it serves
SERVES = {
    "its own": (CITY.server("broker.example").pem, True),
    "another host's": (CITY.server("other.example").pem, False),
    "another authority's": (NORTH.server("broker.example").pem, False),
    "rubbish": (b"rubbish", False),
    "no hosts": (CITY.client("broker.example").pem, False),
    "nearly over": (Authority(CITY.pair, NOW - 9 * 365 * DAY - 30 * DAY).server("broker.example").pem, False),
}


@pytest.mark.parametrize("what", SERVES)
def test_the_brokers_certificate_is_made_anew_when_it_does_not_serve(what):
    pem, good = SERVES[what]
    assert serves(pem, "broker.example", CITY, 365, NOW) == good
