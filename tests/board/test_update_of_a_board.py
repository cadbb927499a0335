"""A whole update with nothing in between but real parts: a flashed board (the VM, reset for reset), mosquitto, `waspada gateway`, `waspada update`."""

import json
import queue
import time

import pytest

from node.version import VERSION
from tests.board.station import SIREN, describe, environment, pins
from tests.board.test_main_in_vm import subscribe
from tests.broker import mosquitto
from tests.gateway.running import Gateway
from tests.pty_board import PtyBoard
from waspada import cli, packing

pytestmark = [pytest.mark.vm, pytest.mark.broker, pytest.mark.once]  # it takes more than a minute

NEW = "9.9.9"


def release(folder):
    """This firmware under another version, signed with a key of the test's own."""
    entries = packing.application()
    version = folder / "version.py"
    version.write_text(f'VERSION = "{NEW}"\n')
    entries["node/version.mpy"] = packing.compiled(version, "node/version.py")
    files = {"node.pack": packing.pack(entries)}
    files["manifest"] = packing.manifest(files, NEW)
    made = folder / "release"
    made.mkdir()
    for name, data in files.items():
        (made / name).write_bytes(data)
    assert cli.main(["update", "keygen", str(folder / "key")]) == 0
    assert cli.main(["update", "sign", str(made), "--key", str(folder / "key.pem")]) == 0
    return made


def until(messages, confirmed, within_s):
    """Topics and payloads up to the one that is waited for."""
    heard = []
    deadline = time.monotonic() + within_s
    while not heard or not confirmed(*heard[-1]):
        try:
            topic, payload = messages.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError([topic for topic, _ in heard[-20:]]) from None
        heard.append((topic.rsplit("/", 1)[1], payload))
    return heard


def events(heard):
    packs = [json.loads(payload) for name, payload in heard if name == "event"]
    return [(pack[0]["vs"], pack[1]["vs"]) for pack in packs if pack[0]["n"] == "update"]


def test_a_board_takes_a_release_tries_it_and_calls_it_good(tmp_path):
    board_folder = tmp_path / "board"
    board_folder.mkdir()
    packing.board(board_folder)
    made = release(tmp_path)
    (board_folder / "update.key").write_text((tmp_path / "key.pub").read_text())
    with mosquitto(tmp_path) as port:
        describe(board_folder, port, {"report.interval": 5})
        (board_folder / "world" / "range_mm").write_text("4400")
        gateway = Gateway(tmp_path, port, more='[updates]\nfolder = "releases"\n').start()
        client, messages = subscribe(port)
        try:
            words = [
                "--to",
                str(tmp_path / "releases"),
                "--district",
                "demo",
                "--node",
                "dr01",
                "--broker",
                f"127.0.0.1:{port}",
            ]
            assert cli.main(["update", "publish", str(made), *words]) == 0
            with PtyBoard(board_folder, environment(None)) as board:
                heard = until(messages, lambda name, payload: name == "event" and b'"confirmed"' in payload, 200)
                starts = board.starts
        finally:
            client.disconnect()
            client.loop_stop()
            gateway.stop()
    assert events(heard) == [("offered", NEW), ("fetched", NEW), ("trying", NEW), ("confirmed", NEW)]
    versions = [
        point["vs"]
        for name, payload in heard
        if name == "status"
        for point in json.loads(payload)
        if point["n"] == "version"
    ]
    assert versions == [VERSION, NEW]
    assert starts == 2
    assert (SIREN, 1) not in pins(board_folder)
