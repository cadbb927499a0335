"""The city's folder `broker`: what mosquitto needs to know whom to let in and what each may say. Derived: never edited, always made anew.

Two listeners: stations at one, where the MQTT client id is what the certificate says, so that none can put another off the line with its id; gateways at
the other, which keep two connections each. A user is a certificate's whole subject: a district's authority is held to its own organization.
"""

import datetime
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from simulator.errors import InputError
from waspada.authority import Authority, AuthorityError, Pair, serves
from waspada.city import City, Known, Network, write

FROM_NODE = ("readings", "event", "status", "settings", "reply", "want")
TO_NODE = ("committed", "resend", "command", "desired", "update", "part")
CITY = "city"  # the authority that vouches for the broker and for gateways
RENEW_DAYS = 365

CONF = """\
# Made by `waspada enrol`, which writes it anew: put `include_dir {folder}` or these lines' copy into mosquitto.conf, nothing in here.
allow_anonymous false
acl_file {folder}/acl
"""
LISTENER = """
# {whose}
listener {port}
cafile {folder}/{authority}
crlfile {folder}/crl.pem
certfile {folder}/server.pem
keyfile {folder}/server-key.pem
tls_version tlsv1.2
require_certificate true
use_subject_as_username true
"""
STATIONS_ONLY = "use_username_as_clientid true\n"


def authority(city: City, district: str | None, now: datetime.datetime, make: bool = True) -> Authority:
    """A district's (None: the city's own), made where there is none yet. One with half its files missing is damaged, and never made anew."""
    name = district or CITY
    paths = city.ca / f"{name}.pem", city.ca / f"{name}-key.pem"
    there = [path.exists() for path in paths]
    what = f"the authority of {name} ({paths[0]})"
    advice = "bring the folder `ca` back from your copy"
    if not any(there):
        used = any(
            (one.node is None) == (district is None) and district in (None, one.district)
            for one in city.known().values()
        )
        if used or not make:
            raise InputError(f"{what} is missing: {advice}")
        made = Authority.made(f"Waspada {name}", now, district)
        city.ca.mkdir(mode=0o700, exist_ok=True)
        # The key comes first under its name: a cut between them leaves a key that has signed nothing, and is seen below.
        write(paths[1], made.pair.key_pem, 0o600)
        write(paths[0], made.pair.pem)
        return made
    if not there[0] and not any(one.district == name or district is None for one in city.known().values()):
        os.unlink(paths[1])  # cut off while it was made: it has signed nothing
        return authority(city, district, now)
    if not all(there):
        raise InputError(f"{what} is damaged: {paths[there.index(False)].name} is missing; {advice}")
    if os.name == "posix" and paths[1].stat().st_mode & 0o077:
        raise InputError(f"{paths[1]} can be read by others: chmod 600 {paths[1]}, and think who may have read it")
    try:
        return Authority.read(paths[0].read_bytes(), paths[1].read_bytes(), now)
    except AuthorityError as error:
        raise InputError(f"{what} {error}; {advice}") from None


def write_all(
    city: City,
    network: Network,
    known: Iterable[Known],
    now: datetime.datetime,
    revokes: Iterable[tuple[str | None, str]] = (),
) -> list[str]:
    """Everything in `broker`, as it must be for these identities; names of the files that changed. `revokes`: (district, serial) beyond the registry's."""
    identities = list(known)
    own = authority(city, None, now)
    districts = sorted({one.district for one in identities if one.node is not None})
    authorities = {district: authority(city, district, now) for district in districts}
    more = list(revokes)
    lists = []
    for district, each in [(None, own), *authorities.items()]:
        path = city.ca / f"{district or CITY}-crl.pem"
        serials = [*city.revoked(district), *(serial for whose, serial in more if whose == district)]
        made = each.revocations(serials, path.read_bytes() if path.exists() else None)
        _write_if_other(path, made)
        lists.append(made)
    city.broker.mkdir(exist_ok=True)
    folder = network.broker_folder or str(city.broker.resolve())
    files = {
        "acl": acl(identities).encode(),
        "ca.pem": b"".join(each.pair.pem for each in authorities.values()) or own.pair.pem,
        "city.pem": own.pair.pem,
        "crl.pem": b"".join(lists),
        "waspada.conf": _conf(folder, network).encode(),
    }
    changed = [name for name, data in files.items() if _write_if_other(city.broker / name, data)]
    return changed + _server(city, network, own, now)


def _conf(folder: str, network: Network) -> str:
    stations = LISTENER.format(whose="stations", port=network.port, authority="ca.pem", folder=folder)
    gateways = LISTENER.format(whose="gateways", port=network.gateway_port, authority="city.pem", folder=folder)
    return CONF.format(folder=folder) + stations + STATIONS_ONLY + gateways


def acl(known: Iterable[Known]) -> str:
    """One user for each identity that is not revoked, and nothing for anybody else."""
    lines = []
    for one in sorted((one for one in known if not one.revoked), key=lambda one: one.name):
        writes, reads = (FROM_NODE, TO_NODE) if one.node is not None else (TO_NODE, FROM_NODE)
        root = f"waspada/v1/{one.district}/{one.node if one.node is not None else '+'}/"
        lines.append(f"user {user(one)}")
        lines += [f"topic write {root}{name}" for name in writes] + [f"topic read {root}{name}" for name in reads]
        lines.append("")
    return "\n".join(lines)


def user(one: Known) -> str:
    """What mosquitto makes of the certificate's subject: one certificate's alone, so one that was replaced has no rights left, connected or not."""
    return f"serialNumber={one.serial},CN={one.name},O={one.district}"


def _server(city: City, network: Network, own: Authority, now: datetime.datetime) -> list[str]:
    """The broker's own certificate: made anew when it is of another host, damaged, or soon over."""
    certificate, key = city.broker / "server.pem", city.broker / "server-key.pem"
    with_key = certificate.exists() and key.exists()
    if with_key and serves(certificate.read_bytes(), network.host, own, RENEW_DAYS, now):
        return []
    made: Pair = own.server(network.host)
    write(key, made.key_pem, 0o600)
    write(certificate, made.pem)
    return ["server.pem", "server-key.pem"]


def _write_if_other(path: Path, data: bytes) -> bool:
    if path.exists() and path.read_bytes() == data:
        return False
    write(path, data)
    return True


def pid_of(path: Path) -> int:
    """Of a running mosquitto, by its pid_file."""
    try:
        number = int(path.read_text(encoding="ascii", errors="replace"))
        if number < 2:
            raise ValueError
        return number
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); give mosquitto's pid_file") from None
    except ValueError:
        raise InputError(f"{path} holds no process id; give mosquitto's pid_file") from None


def reload(pid: int) -> str | None:
    """Tells mosquitto to read its files again; why it could not be told."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None:
        return "there is no such signal on this system"
    try:
        os.kill(pid, hang_up)
    except OSError as error:
        return f"process {pid}: {error.strerror}"
    return None
