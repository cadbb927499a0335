"""main.py in the real VM with certificates that can't be used: no network, and everything else as ever."""

import time

import pytest

from tests.board.station import SIREN, describe, pins
from tests.board.test_main_in_vm import Vm
from tests.gateway.running import wait_until
from tests.tls.authority import Authority, install

pytestmark = pytest.mark.vm

CODE = """
import main
real_idle = main.idle
seen = []
def idle(app, ports, *rest):
    reason = ports.link.reason
    if reason and not seen:
        seen.append(reason)
        print("link:", reason, ports.link.state())
    real_idle(app, ports, *rest)
main.idle = idle
print("ended", main.run(""))
"""


@pytest.mark.parametrize("content", [None, b"", bytes(700)])
def test_a_station_whose_certificates_are_gone_samples_and_sounds(tmp_path, content):
    describe(tmp_path, 9, broker={"host": "gateway.example", "port": 9, "tls": 1})
    if content is not None:
        authority = Authority()
        install(tmp_path, authority.root, authority.client("demo-dr01"))
        for path in (tmp_path / "certs").iterdir():
            path.write_bytes(content)
    (tmp_path / "world" / "range_mm").write_text("2900")
    began = time.monotonic()
    with Vm(tmp_path, CODE) as vm:
        vm.until(b"link: certificate 0")
        wait_until(lambda: (SIREN, 1) in pins(tmp_path), 20, "the siren")
        vm.type(b"\x03\x03\x03")
        vm.until(b"ended True")
    assert time.monotonic() - began < 30
    assert b"Traceback" not in vm.output
    assert (tmp_path / "data").is_dir() and any((tmp_path / "data").iterdir())  # and what it saw is kept
