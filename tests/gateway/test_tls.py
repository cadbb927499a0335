"""The gateway proves itself to its broker, and the broker to it: with the folder that `waspada enrol` makes for it."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from gateway.config import ConfigError, Tls, Web, load
from gateway.ingest import Ingest
from gateway.intake import Intake
from gateway.store import SqliteStore
from gateway.tls import context
from tests.gateway.district import reading, topic
from tests.gateway.test_connection import running, until
from tests.waspada.city_desk import STATION, Caller, city_with, enrolled, new_city, of_node


@pytest.fixture
def at(tmp_path):
    with city_with(tmp_path, "dr01") as broker:
        yield broker


def config_of(at, **broker):
    made = load(str(at.city / "gateways" / "demo" / "gateway.toml"))
    changed = msgspec.structs.replace(made.broker, **broker)
    return msgspec.structs.replace(made, broker=changed, database=":memory:", web=Web(port=0))


@pytest.mark.broker
def test_a_reading_over_tls_is_kept_and_committed(at, tmp_path):
    config = config_of(at)
    assert config.district == "demo" and config.broker.tls is not None
    caller = Caller(of_node(at.city / "nodes" / "demo.dr01", tmp_path / "dr01"), at.port)
    caller.subscribe(topic("committed"))

    async def kept():
        store = SqliteStore(":memory:")
        intake = Intake(Ingest(store, config.district), config)
        async with running(intake):
            await until(lambda: intake.readings.up and intake.event.up)
            await asyncio.to_thread(caller.publish, topic("readings"), reading(1, 1))
            await until(lambda: intake.ingest.counts["records"] == 1)
            await asyncio.to_thread(caller._until, lambda: caller.heard)
        store.close()

    asyncio.run(kept())
    assert caller.heard[0][0] == topic("committed")
    caller.close()


# what is wrong -> (change of the configuration, words of the trouble)
WRONG = {
    "a broker of another name": ({"host": "localhost"}, "its certificate is not believed: Hostname mismatch"),
    "the stations' port": ({"port": "stations"}, "it refuses this gateway's certificate (another authority's)"),
    "the wrong authority": ({"tls": "wrong"}, "its certificate is not believed: "),
}


@pytest.mark.broker
@pytest.mark.parametrize("what", WRONG)
def test_whoever_is_not_believed_is_named(at, what):
    change, words = WRONG[what]
    home = at.city / "gateways" / "demo"
    wrong = Tls(str(at.city / "ca" / "demo.pem"), str(home / "gateway.pem"), str(home / "gateway-key.pem"))
    given = {
        key: {"stations": at.port, "wrong": wrong}.get(value, value) if isinstance(value, str) else value
        for key, value in change.items()
    }
    assert words in asyncio.run(trouble(config_of(at, **given), words))


@pytest.mark.broker
def test_a_gateway_whose_certificate_was_revoked_says_so(at):
    config = config_of(at)
    tls = {name: getattr(config.broker.tls, name) for name in ("authority", "certificate", "key")}
    old = at.city.parent / "old"
    old.mkdir()
    for name, path in tls.items():
        tls[name] = str(old / name)
        (old / name).write_bytes(Path(path).read_bytes())
    enrolled(at.city, "--gateway", "--replace")
    at.reload()
    words = "it refuses this gateway's certificate (revoked)"
    assert words in asyncio.run(trouble(config_of(at, tls=Tls(**tls)), words))


async def trouble(config, words):
    """What the intake says of its broker, as soon as it says these words."""
    store = SqliteStore(":memory:")
    intake = Intake(Ingest(store), config)
    said = []
    intake.on_change = lambda: said.append(intake.readings.trouble or "")
    async with running(intake):
        await until(lambda: any(words in each for each in said))
    store.close()
    return next(each for each in said if words in each)


# what is wrong with a file -> (which, its content, words)
FILES = {
    "no authority": ("authority", None, "broker.tls.authority, "),
    "an authority that is none": ("authority", b"rubbish", "can't be used: give PEM files"),
    "no key": ("key", None, "can't be read: No such file or directory"),
    "another's key": ("key", "server", "a key that is the certificate's own"),
    "a key with a password": ("key", "locked", "has no password"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_can_t_be_used_is_one_sentence(tmp_path, what):
    from cryptography.hazmat.primitives import serialization

    city = new_city(tmp_path / "city")
    enrolled(city, "dr01", "--station", STATION)
    home = city / "gateways" / "demo"
    which, content, words = FILES[what]
    path = home / {"authority": "ca.pem", "key": "gateway-key.pem"}[which]
    if content is None:
        path.unlink()
    elif content == "server":
        path.write_bytes((city / "broker" / "server-key.pem").read_bytes())
    elif content == "locked":
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        locked = serialization.BestAvailableEncryption(b"secret")
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        context(load(str(home / "gateway.toml")).broker.tls)
    assert words in str(raised.value) and "\n" not in str(raised.value)
