"""`make demo-flash`: the whole of it as a person starts it, and whether a secret that leaked would be seen."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from tests.board.station import ROOT
from waspada import demo_flash, demo_parts, demo_secrets

ENVIRONMENT = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, (ROOT, ROOT / "firmware"))))
WITHIN_S = 200
KEY = bytes(range(100, 132))


@pytest.mark.vm
@pytest.mark.broker
def test_the_demo_tells_its_story_and_no_secret_is_in_anything_it_leaves(tmp_path):
    command = [sys.executable, "-m", "waspada.demo_flash", "--json", "--logs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=WITHIN_S, check=False)  # fmt: skip
    said = json.loads(done.stdout)
    assert done.returncode == 0 and said["good"], (said, done.stderr)
    assert [one["number"] for one in said["steps"]] == list(range(1, 10)) and all(one["good"] for one in said["steps"])
    first, second = said["lives"]
    assert first != second and min(said["readings"][life] for life in said["lives"]) >= demo_flash.ENOUGH
    assert said["secrets"] >= 11  # two authorities, broker, gateway, three boards' keys and PINs, the Wi-Fi
    assert said["seconds"] < demo_flash.MOST_S
    broker = (tmp_path / "mosquitto.log").read_text()
    assert (
        re.search(r"Denied PUBLISH from serialNumber=\w+,CN=demo\.dr02,", broker)
        and "certificate verify failed" in broker
    )
    assert "found: none" in done.stderr
    print(said["seconds"], "s,", said["image"], "ESP32 image")


@pytest.mark.vm
@pytest.mark.broker
def test_a_demo_that_is_told_to_end_leaves_nothing_running(tmp_path):
    command = [sys.executable, "-m", "waspada.demo_flash"]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        try:
            for line in process.stdout:
                if "$ waspada flash dr01" in line:
                    break
            started = psutil.Process(process.pid).children(recursive=True)
            names = " ".join(" ".join(one.cmdline()) for one in started)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert all(word in names for word in ("mosquitto", "waspada gateway", "bench_of_boards", "bootloader.py"))
    assert psutil.wait_procs(started, 20)[1] == []


def test_a_demo_that_is_not_so_ends_with_1_and_says_why(monkeypatch, capsys):
    def wrong(story):
        with story.step("a step"):
            story.found("the moon is square", False)

    monkeypatch.setattr(demo_flash, "tell", wrong)
    assert demo_flash.run(as_json=True) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["why"] == "not so: the moon is square" and "THE DEMO FAILED" in err
    assert json.loads(out)["steps"][0]["good"] is False


def test_a_demo_without_end_is_ended(monkeypatch, capsys):
    monkeypatch.setattr(demo_flash, "MOST_S", 0.2)
    monkeypatch.setattr(demo_flash, "tell", lambda story: demo_parts.until(lambda: False, 60, "the moon"))
    assert demo_flash.run(as_json=True) == 1
    assert "not done within 0.2 s" in json.loads(capsys.readouterr().out)["why"]


def test_without_what_it_needs_one_sentence_and_exit_2(monkeypatch, capsys):
    monkeypatch.setattr(demo_flash, "NEEDED", ("a_package_of_nobody",))
    monkeypatch.setattr(sys, "argv", ["demo-flash", "--json"])
    assert demo_flash.main() == 2
    assert "a_package_of_nobody" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    "text",
    [
        b"the PIN is 123456.",
        b"login 123456\r\n",
        b'{"pin":"123456"}',
        b"before" + KEY + b"after",
        KEY.hex().encode(),
        KEY.hex().upper().encode(),
        *(base64.b64encode(bytes(before) + KEY + b"more") for before in range(3)),
        base64.encodebytes(bytes(40) + KEY + bytes(40)),
        b"key=over the river",
    ],
)
def test_a_secret_that_leaked_would_be_found(text):
    secrets = {"pin": b"123456", "key": KEY, "wifi": b"over the river"}
    assert demo_secrets.leaks(secrets, [("a log", b"line\n" + text + b"\nline")])


@pytest.mark.parametrize("text", [b"", b"0x1234567", b"a123456b", b"9123456 bytes", KEY[:-1], b"over the bridge"])
def test_what_is_no_secret_is_not_called_one(text):
    assert not demo_secrets.leaks({"pin": b"123456", "key": KEY, "wifi": b"over the river"}, [("a log", text)])


def test_the_tap_keeps_every_byte_of_both_directions(tmp_path):
    """A planted secret on the line is seen by the demo's last step."""
    port = demo_parts.free_port()
    with (
        socket.create_server(("127.0.0.1", 0)) as far,
        demo_parts.Tap(port, far.getsockname()[1], tmp_path / "wire"),
        socket.create_connection(("127.0.0.1", port), timeout=10) as near,
    ):
        here, _ = far.accept()
        with here:
            near.sendall(b"pin 123456")
            assert here.recv(100) == b"pin 123456"
            here.sendall(b"welcome")
            assert near.recv(100) == b"welcome"
    kept = dict(demo_secrets.said_by((tmp_path / "wire").iterdir(), tmp_path))
    assert sorted(kept.values()) == [b"pin 123456", b"welcome"]
    assert demo_secrets.leaks({"pin": b"123456"}, kept.items()) == ["pin in wire/1-to-the-broker"]
