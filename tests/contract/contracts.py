"""What docs/ports.md promises, as assertions: one function per port, run on either interpreter over the board's adapters and the simulator's.

`desk` is the world behind the port (tests/fakes/board/contract_desk, simulator_desk), `port` what it made. Nothing is imported that the chip has not.
"""

WRAP = 1 << 30
FRAME = b"\xff\x0b\xb8\xc2"  # what the ranger on the desk sends: 3000 mm
RX_MOST = 256 + len(FRAME)
PIN_UV = 2210526
TYPED = b"show\rset level.alert 0.5\r\x03\xff\x00"
DEBOUNCE_MS = 100
UNIX_MS = 1528063200500
KEY_NAME = "city1"
KEY = bytes(range(256)) + bytes(128)
IN_SLOT_A = {"manifest": b'{"version":"0.1.0"}', "node.pack": b"what runs"}


class Memory:
    """An I2C chip of 16 registers: the first byte written points to one."""

    def __init__(self):
        self.registers = bytearray(16)
        self.at = 0

    def write(self, data):
        self.at = data[0]
        for i in range(1, len(data)):
            self.registers[(self.at + i - 1) % 16] = data[i]

    def read(self, count):
        return bytes([self.registers[(self.at + i) % 16] for i in range(count)])


class Complement:
    """A 1-Wire chip that answers with what it heard, every bit turned."""

    def __init__(self):
        self.heard = 0

    def reset(self):
        return 1

    def write(self, byte):
        self.heard = byte

    def read(self):
        return self.heard ^ 0xFF


def fails(call, *arguments):
    """Whether it raises OSError."""
    try:
        call(*arguments)
    except OSError:
        return True
    return False


def gone(later, earlier):
    return (later - earlier) % WRAP


def clock(desk, port):
    before = port.ticks_ms()
    assert 0 <= before < WRAP
    assert port.unix_ms() is None
    seen = [before]
    for _ in range(8):
        desk.pass_ms(500)
        now = port.ticks_ms()
        assert 0 <= now < WRAP
        assert gone(now, seen[-1]) == 500
        seen.append(now)
    assert min(seen) < before, "the ticks wrap on this desk"
    desk.synchronise(port, UNIX_MS)
    assert port.unix_ms() == UNIX_MS
    desk.pass_ms(1500)
    assert port.unix_ms() == UNIX_MS + 1500
    assert (port.doubts(), port.doubted_s, port.source, port.vouched) == (0, 0, 0, False)
    port.hint(UNIX_MS // 1000 + 2)
    desk.pass_ms(500)
    assert port.unix_ms() == UNIX_MS + 2000, "the gateway speaks in whole seconds"
    assert port.vouched
    for ahead in (86400, 86420):  # two words of the gateway, 20 s apart
        assert port.unix_ms() // 1000 < UNIX_MS // 1000 + 60, "one word is not enough"
        port.hint(UNIX_MS // 1000 + 2 + ahead)
        desk.pass_ms(20000)
    assert port.unix_ms() // 1000 - UNIX_MS // 1000 in (86441, 86442, 86443)
    assert (port.doubts(), port.doubted_s, port.source) == (1, -86400, 1)
    port.floor(UNIX_MS // 1000 + 80000)
    assert port.doubts() == 1


def uart(desk, port):
    port.open()
    assert port.read_into(bytearray(8)) == 0
    desk.pass_ms(1000)
    heard = b""
    small = bytearray(3)
    while True:
        count = port.read_into(memoryview(small))
        assert 0 <= count <= 3
        if not count:
            break
        heard += bytes(small[:count])
    assert len(heard) >= 5 * len(FRAME)
    assert heard == FRAME * (len(heard) // len(FRAME))
    assert port.read_into(bytearray(64)) == 0
    desk.pass_ms(500)
    port.open()
    assert port.read_into(bytearray(64)) == 0, "what came before is gone"
    port.write(b"\x01\x03\x00\x00\x00\x01\x84\x0a")
    port.close()
    desk.pass_ms(1000)
    port.open()
    assert port.read_into(bytearray(64)) == 0
    desk.pass_ms(600000)
    large = bytearray(1024)
    assert 0 < port.read_into(large) <= RX_MOST


def adc(desk, port):
    found = port.read_uv()
    assert isinstance(found, int)
    assert -1000 <= found - PIN_UV <= 1000


def i2c(desk, port):
    one = bytearray(1)
    three = bytearray(3)
    port.write(0x40, b"\x02\x11\x22\x33")
    port.write(0x48, bytearray(b"\x02\x77"))
    port.write(0x40, b"\x02")
    port.read_into(0x40, three)
    assert bytes(three) == b"\x11\x22\x33"
    port.read_into(0x40, memoryview(three)[1:])
    assert bytes(three) == b"\x11\x11\x22"
    port.write(0x48, b"\x02")
    port.read_into(0x48, one)
    assert one[0] == 0x77
    for read, argument in ((port.read_into, one), (port.write, b"\x02")):
        assert fails(read, 0x41, argument), "nobody is there"
        desk.unplug(0x48)
        assert fails(read, 0x48, argument)
        assert not fails(read, 0x40, argument)
        desk.plug(0x48)
        assert not fails(read, 0x48, argument)
        for line in ("scl", "sda"):
            desk.hold(line)
            assert fails(read, 0x40, argument)
            assert fails(read, 0x48, argument)
            desk.let_go()
            assert not fails(read, 0x40, argument)
    port.write(0x40, b"\x02")
    port.read_into(0x40, three)
    assert bytes(three) == b"\x11\x22\x33"


def onewire(desk, port):
    for byte in (0x00, 0xCC, 0xFF):
        assert port.reset() == 1
        port.write(byte)
        assert port.read() == byte ^ 0xFF
    desk.unplug_wire()
    assert port.reset() == 0
    port.write(0x00)
    assert port.read() == 0xFF
    desk.plug_wire()
    assert port.reset() == 1


def pulses(desk, port):
    assert port.count() == 0
    tips = 0
    for bounces in (0, 3, 1, 0, 7):  # 2.5 s: the ticks wrap on this desk
        desk.pass_ms(400)
        desk.edge()
        for _ in range(bounces):
            desk.pass_ms(5)
            desk.edge()
        desk.pass_ms(DEBOUNCE_MS)
        tips += 1
        assert port.count() == tips
        counted_ms = port.counted_ms
        assert 0 <= counted_ms < WRAP
        desk.pass_ms(50)
        assert port.count() == tips
        assert gone(port.counted_ms, counted_ms) == 50


def switch(desk, port):
    for closed in (0, 1, 0, 1):
        desk.contact(closed)
        assert port.closed() == closed


def storage(desk, port):
    assert port.names() == []
    assert port.size("log") == 0
    assert port.read("log", 0, 9) == b""
    port.append("log", b"abc")
    port.append("log", bytearray(b"def"))
    port.append("log", memoryview(b"gh"))
    assert port.size("log") == 8
    assert port.read("log", 0, 100) == b"abcdefgh"
    assert port.read("log", 2, 3) == b"cde"
    assert port.read("log", 8, 3) == b""
    assert port.read("log", 90, 3) == b""
    assert isinstance(port.read("log", 0, 1), bytes)
    port.replace("log", b"new")
    assert port.read("log", 0, 9) == b"new"
    assert port.size("log") == 3
    port.replace("other", b"")
    assert sorted(port.names()) == ["log", "other"]
    assert port.size("other") == 0
    again = desk.again(port)  # after a power cut
    assert again.read("log", 0, 9) == b"new"
    assert sorted(again.names()) == ["log", "other"]
    port.remove("log")
    assert port.names() == ["other"]
    assert port.read("log", 0, 9) == b""
    assert fails(port.remove, "log")


def _until(desk, found):
    for _ in range(400):
        if found():
            return
        desk.turn()
    raise AssertionError("it does not come")


def _end(desk, port, buffer):
    """What a read says once it says anything."""
    for _ in range(400):
        found = port.recv_into(buffer)
        if found:
            return found
        desk.turn()
    raise AssertionError("it does not end")


def link(desk, port):
    buffer = bytearray(16)
    assert port.state() == 0
    assert port.reason == ""
    assert port.send(b"x") == 0
    for _ in range(2):  # and again after the other side has closed
        port.open()
        assert port.state() in (1, 2)
        _until(desk, lambda: port.state() == 2)
        port.secure()  # there is nothing to secure
        assert port.state() == 2
        assert port.recv_into(buffer) == 0
        assert port.send(b"hello") == 5
        heard = b""
        while len(heard) < 5:
            count = port.recv_into(memoryview(buffer)[:3])
            assert 0 <= count <= 3
            heard += bytes(buffer[:count])
            desk.turn()
        assert heard == b"hello"
        assert port.recv_into(buffer) == 0
        assert port.send(b"bye") == 3  # the desk's far end closes on it
        assert _end(desk, port, buffer) == -1
        assert port.state() == 0
        assert port.reason == "closed"
    port.open()
    _until(desk, lambda: port.state() == 2)
    port.close()
    assert port.state() == 0
    assert port.send(b"x") == 0
    desk.refuse()
    port.open()
    _until(desk, lambda: port.state() == 0)
    assert port.reason == "refused"


def console(desk, port):
    heard = b""
    small = bytearray(4)
    while len(heard) < len(TYPED):
        count = port.read_into(small)
        assert 0 < count <= 4
        heard += bytes(small[:count])
    assert heard == TYPED
    assert port.read_into(small) == 0
    port.write(b"> ")
    port.write(bytearray(b"ok\r\n"))
    assert desk.said(port) == b"> ok\r\n"


def outputs(desk, port):
    assert desk.level() == 0
    for on in (0, 1, 1, 0, 0, 1, 0):
        port.set(on)
        assert desk.level() == on
    assert desk.changes() == [1, 0, 1, 0]


def watchdog(desk, port):
    assert desk.fed(port) == 0
    for meals in range(1, 4):
        port.feed()
        assert desk.fed(port) == meals


def platform(desk, port):
    assert 0 < port.heap_low() <= 1 << 29
    free = port.heap_free()
    assert port.heap_low() <= free
    text = ""
    try:
        raise TypeError("planted")
    except TypeError as error:
        text = port.traceback(error)
    assert "Traceback" in text


def slots(desk, port):
    assert port.running == "a"
    assert not port.busy
    state = port.state()
    assert (state.good, state.mode, state.damaged) == ("a", "-", 0)
    runs = port.storage("a")
    before = [(name, runs.read(name, 0, 99)) for name in sorted(runs.names())]
    assert [name for name, _ in before] == ["manifest", "node.pack"]
    idle = port.storage("b")
    assert idle.names() == []
    idle.append("node.pack", b"half ")
    idle.append("node.pack", b"whole")
    idle.replace("manifest", b"{}")
    assert sorted(port.storage("b").names()) == ["manifest", "node.pack"]
    assert port.storage("b").read("node.pack", 0, 99) == b"half whole"
    port.storage("b").remove("manifest")
    assert idle.names() == ["node.pack"]
    assert [(name, runs.read(name, 0, 99)) for name in sorted(runs.names())] == before, "the other slot is as it was"
    state.begin()
    again = port.state()  # as the next boot finds it
    assert (again.good, again.mode, again.tries) == ("a", "t", state.tries)
    assert port.running == "a", "what runs is chosen by a boot"
    assert port.key(KEY_NAME) == KEY
    for name in ("nobody", "", KEY_NAME[:-1]):
        assert port.key(name) == b""


def power(desk, port):
    assert port.cause() == "power"
    assert port.memory() == b""
    for data in (b"state", bytes(range(256)) * 7 + b"\x00" * 108):  # 1900 bytes at most
        port.keep(data)
        assert port.memory() == data
        desk.pass_ms(4000)
        assert 3800 <= port.slept_ms() <= 4200
        port = desk.doze(port, 60000)
        assert port.cause() == "sleep"
        assert port.memory() == data
        slept = port.slept_ms()
        assert 64000 * 95 // 100 <= slept <= 66000 * 105 // 100, "since `keep`, the boot in it"
        desk.pass_ms(1000)
        assert 950 <= port.slept_ms() - slept <= 1050
    port = desk.cut(port)
    assert port.cause() == "power"
    assert port.memory() == b""


PORTS = {
    "clock": clock, "uart": uart, "adc": adc, "i2c": i2c, "onewire": onewire, "pulses": pulses, "switch": switch,
    "storage": storage, "link": link, "console": console, "outputs": outputs, "watchdog": watchdog, "platform": platform,
    "slots": slots, "power": power,
}  # fmt: skip


def run(desk, name, breaks=None):
    port = desk.make(name)
    try:
        PORTS[name](desk, breaks(port) if breaks else port)
    except OSError as error:
        raise AssertionError(f"an OSError where none is promised: {error!r}") from error
