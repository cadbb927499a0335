import json
import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import BAD_CHECKSUM, MISSING, NO_ANSWER, OUT_OF_RANGE, REASONS
from node.drivers import modbus
from node.drivers.modbus import Modbus, ModbusLevel
from simulator.chips import modbus as chip
from simulator.chips.line import LineFaults
from tests import vm32, vm64
from tests.drivers.serial_desk import VECTORS, Bench, Line, measure, on_this_python, pieces

# Independent exchanges: minimalmodbus's own tests (README beside the file).
FILE = json.loads((VECTORS / "serial.json").read_text(encoding="utf-8"))
EXCHANGES = [
    (bytes.fromhex(row["request"]), bytes.fromhex(row["response"]), kind)
    for kind in ("good", "wrong")
    for row in FILE["modbus_rtu_" + kind]
]
WARMING_UP = REASONS.index("warming_up")
KEYS = ["irradiance", "wind_speed", "water_temperature", "sound_level", "depth", "conductivity"]


def rows(count, register=0, kind="u16"):
    """`count` quantities one after the other."""
    words = 1 if kind.endswith("16") else 2
    return [{"register": register + i * words, "type": kind, "gives": KEYS[i]} for i in range(count)]


def config(request, answer_ms=500):
    """A station's row that makes this very request, of whole 16-bit registers."""
    address, function, register, count = struct.unpack(">BBHH", request[:6])
    table = [{"register": register + i, "gives": f"irradiance:{i + 1}"} for i in range(count)]
    return {"address": address, "function": function, "registers": table, "answer_ms": answer_ms}


def reads(request):
    return len(request) == 8 and request[1] in (3, 4) and 1 <= struct.unpack(">H", request[4:6])[0] <= 125


def exchanged(request, chunks, answer_ms=500):
    """What the driver that makes this request does with the answer."""
    line = Line(answers=[chunks])
    driver = Modbus(line, config(request, answer_ms))
    result, values, _ = measure(driver, line)
    assert line.written == [request]
    return result, values


def test_crc_of_the_standard_and_of_minimalmodbus():
    for row in FILE["modbus_crc16"]["vectors"]:
        data = bytes.fromhex(row["in"])
        value = modbus.crc16(data, 0, len(data))
        assert bytes((value & 0xFF, value >> 8)) == bytes.fromhex(row["crc_on_wire"]) == chip.crc(data)


def test_every_good_frame_has_our_crc():
    frames = [frame for request, response, kind in EXCHANGES if kind == "good" for frame in (request, response)]
    assert len(frames) == 98
    for frame in frames:
        assert modbus.crc16(frame, 0, len(frame) - 2) == frame[-2] | frame[-1] << 8


def test_every_good_exchange_of_registers_is_made_and_read():
    made = 0
    for request, response, kind in EXCHANGES:
        if kind == "good" and reads(request):
            made += 1
            words = list(struct.unpack(f">{response[2] // 2}H", response[3:-2]))
            assert exchanged(request, [response]) == (0, words), request.hex()
    assert made == 18


def test_every_wrong_exchange_is_refused():
    tried = 0
    for request, response, kind in EXCHANGES:
        if kind == "good":
            continue
        ours = request if reads(request) else bytes.fromhex("010300ca0001a434")
        result, values = exchanged(ours, [response])
        tried += 1
        if response[:2] == b"\x14\x03":  # what it holds is the request's echo and a good answer behind it: 770
            assert (ours[0], result, values) == (0x14, 0, [770])
        else:
            assert result in (-NO_ANSWER, -BAD_CHECKSUM), request.hex()
            assert set(values) == {MISSING}
    assert tried == 13


# minimalmodbus's float of -4.3959787e-11 (5 6 5 2 a e 4 1 and its four orders) is 21.7902 in the order abcd
ORDERED = [("abcd", "41ae5652"), ("cdab", "565241ae"), ("badc", "ae415256"), ("dcba", "5256ae41")]


def test_all_four_orders_of_a_float():
    for order, data in ORDERED:
        first, second = struct.unpack(">HH", bytes.fromhex(data))
        assert modbus.convert(4, modbus.ORDERS.index(order), first, second, 1000, 1) == 21792, order
        assert chip.words("f32", order, struct.unpack(">f", bytes.fromhex("41ae5652"))[0]) == [first, second]


@given(
    st.sampled_from([("u16", 0, 65535), ("s16", -32768, 32767), ("u32", 0, (1 << 32) - 1), ("s32", -1 << 31, (1 << 31) - 1)]),
    st.sampled_from(modbus.ORDERS), st.data(),
)  # fmt: skip
def test_whole_numbers_of_every_type_and_order(kind, order, data):
    name, low, high = kind
    value = data.draw(st.integers(low, high))
    words = [*chip.words(name, order if name.endswith("32") else "abcd", value), 0][:2]
    got = modbus.convert(modbus.TYPES.index(name), modbus.ORDERS.index(order), *words, 1, 1)
    assert got == (value if abs(value) < 1 << 30 else MISSING)


# Requests


def test_registers_without_a_gap_are_one_request():
    table = [
        {"register": 8, "type": "f32", "gives": "depth", "scale": [1000, 1]},
        {"register": 6, "type": "u32", "gives": "irradiance"},
        {"register": 7, "gives": "wind_speed"},
        {"register": 10, "function": 4, "gives": "sound_level"},
        {"register": 11, "gives": "conductivity"},
    ]
    blocks = modbus.plan({"address": 9, "registers": table})
    assert [block.request[:6].hex() for block in blocks] == ["090300060004", "0903000b0001", "0904000a0001"]


def test_no_request_asks_for_more_than_the_standard_allows():
    table = [{"register": i, "gives": f"irradiance:{i + 1}"} for i in range(300)]
    blocks = modbus.plan({"address": 1, "registers": table})
    assert [(block.register, block.words) for block in blocks] == [(0, 125), (125, 125), (250, 50)]


@pytest.mark.parametrize(
    "table",
    [
        [],
        [{"register": 0, "gives": "no_such_point"}],
        [{"register": 0, "type": "u8", "gives": "depth"}],
        [{"register": 0, "type": "f32", "order": "dcab", "gives": "depth"}],
        [{"register": 65535, "type": "f32", "gives": "depth"}],
        [{"register": 0, "count": 2, "gives": "depth"}],
        [{"register": 0, "scale": [0, 1], "gives": "depth"}],
        [{"register": 0, "scale": [1, 1 << 29], "gives": "depth"}],
        [{"register": 0, "function": 6, "gives": "depth"}],
        [{"register": 0, "address": 0, "gives": "depth"}],
        [{"register": 0, "gives": "depth"}, {"register": 1, "address": 2, "gives": "sound_level"}],
    ],
)
def test_a_row_that_can_not_be_is_refused(table):
    with pytest.raises(ValueError):
        Modbus(Line(), {"address": 1, "registers": table})


# Answers, against the chip model


def bench(truth, table, *, faults=None, waits_ms=500, **options):
    model = chip.Modbus(3, "st01", truth, faults or LineFaults(), address=9, **options)
    made = Bench(model)
    return made, Modbus(made.bus, {"address": 9, "registers": table, "answer_ms": waits_ms})


def counting(function, register, t_ms):
    return register + 100 if register < 1000 else None


def test_all_quantities_of_a_transmitter():
    desk, driver = bench(counting, [*rows(3), {"register": 50, "type": "u32", "gives": "sound_level"}])
    assert driver.GIVES == ("irradiance", "wind_speed", "water_temperature", "sound_level")
    began = desk.moment.t
    assert desk.measure(driver) == (0, [100, 101, 102, 150 << 16 | 151])
    assert desk.moment.t - began < 200


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("neighbour", [False, True])
def test_its_own_echo_and_other_slaves_are_passed_over(echo, neighbour):
    for register in (0, 0x0206, 0x0600):  # 0x0600: the echo looks like the head of an answer of three registers
        desk, driver = bench(
            lambda f, r, t: r & 0xFF, [{"register": register + i, "gives": KEYS[i]} for i in range(3)],
            echo=echo, neighbour=neighbour,
        )  # fmt: skip
        assert desk.measure(driver) == (0, [(register + i) & 0xFF for i in range(3)])


def test_a_slow_answer_is_waited_for_and_a_too_slow_one_is_not_taken_for_the_next():
    desk, driver = bench(counting, rows(1), answer_ms=480)
    assert desk.measure(driver) == (0, [100])
    desk, driver = bench(counting, rows(1), answer_ms=800)
    for _ in range(3):
        assert desk.measure(driver) == (-NO_ANSWER, [MISSING])
        desk.moment.t += 1000
    desk, driver = bench(counting, rows(1), answer_ms=800, waits_ms=900)
    assert desk.measure(driver) == (0, [100])


def test_refusals_are_reasons():
    desk, driver = bench(counting, rows(1, register=2000))
    assert desk.measure(driver) == (-OUT_OF_RANGE, [MISSING])
    assert driver.exception == chip.ILLEGAL_ADDRESS
    desk, driver = bench(counting, rows(1), busy_ppm=1_000_000)
    assert desk.measure(driver) == (-WARMING_UP, [MISSING])
    assert driver.exception == chip.BUSY


def test_a_part_that_is_refused_does_not_cost_the_rest():
    desk, driver = bench(
        counting, [*rows(2), {"register": 2000, "gives": "depth"}, {"register": 50, "gives": "sound_level"}]
    )
    assert desk.measure(driver) == (0, [100, 101, MISSING, 150])


def test_no_number_is_missing():
    truth = {10: 0x7FC0, 11: 0, 12: 0x4120, 13: 0}
    table = [
        {"register": 10, "type": "f32", "gives": "depth"},
        {"register": 12, "type": "f32", "gives": "wind_speed", "scale": [100, 1]},
    ]
    desk, driver = bench(lambda f, r, t: truth.get(r), table)
    assert desk.measure(driver) == (0, [MISSING, 1000])


@pytest.mark.parametrize("kind", ["silent", "cut", "flipped", "lost_byte", "garbage"])
@pytest.mark.parametrize("echo", [False, True])
def test_every_fault_is_a_reason_and_the_next_measurement_is_good(kind, echo):
    desk, driver = bench(counting, rows(3), faults=LineFaults(**{kind + "_ppm": 500_000}), echo=echo)
    results = []
    for _ in range(60):
        result, values = desk.measure(driver)
        results.append(result)
        assert result in (0, -NO_ANSWER, -BAD_CHECKSUM)
        assert values == ([100, 101, 102] if result == 0 else [MISSING] * 3)
    assert 15 <= results.count(0) <= 45
    if kind == "flipped":
        assert -BAD_CHECKSUM in results


def test_unplugged_is_no_answer_and_plugged_in_again_comes_back():
    start = Bench(None).moment.t
    desk, driver = bench(counting, rows(1), faults=LineFaults(unplugged_ms=((start + 1000, start + 60_000),)))
    assert desk.measure(driver)[0] == 0
    desk.moment.t = start + 2000
    assert desk.measure(driver)[0] == -NO_ANSWER
    desk.moment.t = start + 61_000
    assert desk.measure(driver)[0] == 0
    desk, driver = bench(counting, rows(1), faults=LineFaults(wrong_chip=True))
    assert desk.measure(driver)[0] == -OUT_OF_RANGE


def test_a_transmitter_that_needs_it_is_given_time_after_power():
    line = Line(answers=[[bytes.fromhex("01030200b8b836")]])
    driver = Modbus(line, {"address": 1, "warm_up_ms": 3000, "registers": rows(1, 5)})
    assert driver.start() == 3000
    assert line.written == []
    values = array("i", [0])
    assert driver.read_into(values) == 50
    assert driver.read_into(values) == 0
    assert values[0] == 184
    assert driver.start() == 50  # it stays powered
    driver.stop()
    assert driver.start() == 3000


# Any bytes

GOOD = [(request, response) for request, response, kind in EXCHANGES if kind == "good" and reads(request)]


@given(st.sampled_from(GOOD), st.binary(max_size=40), st.booleans(), st.binary(max_size=12), st.data())
def test_an_answer_is_found_in_any_noise_and_any_chunks(exchange, noise, echo, after, data):
    request, response = exchange
    stream = (request if echo else b"") + noise + response + after
    expected = exchanged(request, [stream])
    assert exchanged(request, pieces(stream, data, st), 5000) == expected
    assert exchanged(request, [stream[i : i + 1] for i in range(len(stream))], 5000) == expected
    words = list(struct.unpack(f">{response[2] // 2}H", response[3:-2]))
    assert expected == (0, words)


@given(st.sampled_from(GOOD), st.lists(st.binary(max_size=90), max_size=8))
def test_noise_alone_is_no_answer(exchange, chunks):
    result, values = exchanged(exchange[0], chunks)
    assert result in (-NO_ANSWER, -BAD_CHECKSUM)
    assert set(values) == {MISSING}


def test_every_single_bit_flip_is_refused_wherever_the_echo_stands():
    tried = 0
    for request, response in GOOD:
        for bit in range(8 * len(response)):
            struck = bytearray(response)
            struck[bit // 8] ^= 1 << bit % 8
            for before in (b"", request):
                tried += 1
                result, values = exchanged(request, [before + struck])
                assert result in (-NO_ANSWER, -BAD_CHECKSUM), (request.hex(), bit)
                assert set(values) == {MISSING}
    print(f"{tried} flips refused")


def test_a_frame_cut_anywhere_is_refused():
    for request, response in GOOD:
        for end in range(len(response)):
            assert exchanged(request, [response[:end]])[0] in (-NO_ANSWER, -BAD_CHECKSUM)
            assert exchanged(request, [response[end + 1 :]])[0] in (-NO_ANSWER, -BAD_CHECKSUM)


def test_a_line_that_never_runs_dry_does_not_hold_the_loop():
    class Endless(Line):
        def read_into(self, buffer):
            for i in range(len(buffer)):
                buffer[i] = (1, 3, 2)[i % 3]
            return len(buffer)

    line = Endless()
    assert measure(Modbus(line, {"address": 1, "registers": rows(1)}), line)[0] == -BAD_CHECKSUM


# A level


def level_bench(mm, *, faults=None, **options):
    def truth(function, register, t_ms):
        words = chip.words("f32", "cdab", mm / 1000)
        return words[register - 4] if register in (4, 5) else None

    made = Bench(chip.Modbus(3, "dr01", truth, faults or LineFaults(), address=9, **options))
    row = {"register": 4, "type": "f32", "order": "cdab", "scale": [1000, 1], "gives": "range"}
    return made, ModbusLevel(made.bus, {"address": 9, "registers": [row], "blanking_mm": 100, "range_mm": 15000})


@pytest.mark.parametrize("mm", [100, 1953, 15000])
@pytest.mark.parametrize("echo", [False, True])
def test_a_burst_of_a_radar(mm, echo):
    desk, radar = level_bench(mm, echo=echo)
    began = desk.moment.t
    assert desk.burst(radar) == [mm] * 5
    assert desk.moment.t - began <= 1000
    assert (radar.bad_checksum, radar.no_echo, radar.frames) == (0, 0, 5)


@pytest.mark.parametrize("mm", [0, 99, 15001, float("nan"), float("inf"), -1000])
def test_what_it_can_not_see_is_no_echo(mm):
    desk, radar = level_bench(mm)
    assert desk.burst(radar) == []
    assert radar.no_echo
    assert not radar.bad_checksum


@pytest.mark.parametrize("kind", ["silent", "cut", "flipped", "lost_byte", "garbage"])
def test_a_level_survives_every_fault(kind):
    desk, radar = level_bench(1953, faults=LineFaults(**{kind + "_ppm": 150_000}))
    bursts = [desk.burst(radar) for _ in range(40)]
    assert all(mm == 1953 for burst in bursts for mm in burst)
    assert sum(len(burst) >= 3 for burst in bursts) >= 38
    if kind == "flipped":
        assert radar.bad_checksum
    desk, radar = level_bench(1953, faults=LineFaults(**{kind + "_ppm": 1_000_000}))
    assert desk.burst(radar) == []


def test_a_busy_or_absent_radar_says_which():
    desk, radar = level_bench(1953, busy_ppm=1_000_000)
    assert desk.burst(radar) == []
    assert radar.no_echo
    desk, radar = level_bench(1953, faults=LineFaults(unplugged_ms=((0, 1 << 40),)))
    assert desk.burst(radar) == []
    assert (radar.no_echo, radar.bad_checksum) == (0, 0)


# The real VM

TABLE = """
from array import array
from node.core.measurements import MISSING
from node.drivers.modbus import Modbus
class Bus:
    def open(self): pass
    def close(self): pass
    def write(self, data):
        self.written = bytes(data)
        self.at = 0
    def read_into(self, buffer):
        n = 0
        while n < 5 and self.at < len(self.data):
            buffer[n] = self.data[self.at]
            n += 1
            self.at += 1
        return n
for config, data in %r:
    bus = Bus()
    bus.at = 999
    bus.data = data
    driver = Modbus(bus, config)
    values = array('i', [7] * len(driver.GIVES))
    driver.start()
    wait = 1
    while wait > 0:
        wait = driver.read_into(values)
    print(wait, list(values), bus.written)
"""


def table():
    made = []
    for request, response, kind in EXCHANGES:
        ours = request if reads(request) else bytes.fromhex("010300ca0001a434")
        if kind == "wrong" or reads(request):
            made.append((config(ours), response))
    for order, data in ORDERED:
        row = {
            "address": 1,
            "registers": [{"register": 0xE0, "type": "f32", "order": order, "scale": [1000, 1], "gives": "depth"}],
        }
        head = b"\x01\x03\x04" + bytes.fromhex(data)
        made.append((row, head + chip.crc(head)))
    return made


def test_the_vm_says_the_same_of_every_exchange():
    script = TABLE % table()
    here = on_this_python(script)
    assert here.count("\n") == 18 + 13 + 4
    assert here.count("[21792]") == 4
    assert vm64.run(script) == here
    assert vm32.run(script, vm32.firmware_files()) == here


LEVEL = """
import micropython
from array import array
from node.drivers.modbus import ModbusLevel
class Bus:
    def __init__(self):
        self.answer = b""
        self.at = 99
    def open(self): pass
    def close(self): pass
    def write(self, data):
        self.at = 0
    def read_into(self, buffer):
        n = 0
        while n < 5 and self.at < len(self.answer):
            buffer[n] = self.answer[self.at]
            n += 1
            self.at += 1
        return n
bus = Bus()
burst = array('i', [0] * 5)
def run(radar):
    error = None
    micropython.heap_lock()
    try:
        for turn in range(3):
            radar.start()
            for look in range(13):
                radar.read_into(burst)
            radar.stop()
    except MemoryError as e:
        error = e
    finally:
        micropython.heap_unlock()
    print(error, radar.count, list(burst), radar.frames, radar.no_echo, radar.bad_checksum)
for config, bus.answer in %r:
    run(ModbusLevel(bus, config))
"""


def test_a_level_allocates_nothing_in_the_vm():
    cases = []
    for kind, order, value, scale in [
        ("f32", "cdab", 1.953, [1000, 1]), ("f32", "abcd", 15.0, [1000, 1]), ("f32", "dcba", 64.09449, [254, 10]),
        ("u16", "abcd", 1953, [1, 1]), ("s16", "abcd", -5, [1, 1]), ("u32", "badc", 19534, [1, 10]), ("u32", "abcd", 0xFFFFFFFF, [1, 1]),
        ("s32", "cdab", -19534, [1, 10]), ("f32", "abcd", float("nan"), [1000, 1]), ("f32", "abcd", -3e38, [1000, 1]),
    ]:  # fmt: skip
        words = chip.words(kind, order, value)
        head = struct.pack(f">BBB{len(words)}H", 9, 3, 2 * len(words), *words)
        row = {"register": 0x0400, "type": kind, "order": order, "scale": scale}
        level = {"address": 9, "registers": [row], "blanking_mm": 100, "range_mm": 15000}
        echo = modbus.plan(level)[0].request
        cases += [(level, head + chip.crc(head)), (level, echo + b"\xff" + head + chip.crc(head))]
    struck = bytearray(cases[0][1])
    struck[3] ^= 4
    cases += [
        (level, bytes(struck)),
        (cases[0][0], b""),
        (cases[0][0], bytes.fromhex("098302") + chip.crc(bytes.fromhex("098302"))),
    ]
    script = LEVEL % cases
    said = vm64.run(script)
    assert vm32.run(script, vm32.firmware_files()) == said
    lines = said.splitlines()
    assert len(lines) == 23
    assert all(line.startswith("None ") for line in lines)
    assert lines[0].startswith("None 5 [1953, 1953")
    assert lines[4].startswith("None 5 [1628, 1628")
    assert lines[10].startswith("None 5 [1953, 1953")
    assert lines[-1].endswith(" 39 39 0")


def test_minimalmodbus_makes_the_same_requests_and_reads_the_same():
    """An independent master against the chip model, and its requests against the driver's."""
    peer = pytest.importorskip("minimalmodbus", reason="an independent peer, if installed: pip install minimalmodbus")

    class Port:
        """As much of a pyserial port as minimalmodbus wants, with the chip behind it."""

        is_open, baudrate, timeout, port = True, 9600, 1, "simulated"

        def __init__(self):
            self.chip = chip.Modbus(3, "st01", lambda f, r, t: (r * 7919 + f) & 0x1FFF, address=9)
            self.t = 10_000
            self.sent = []
            self.fifo = bytearray()

        def write(self, data):
            self.sent.append(bytes(data))
            self.t += 1000
            self.fifo.clear()
            self.chip.hear(self.t, bytes(data))
            self.chip.frames_into(self.fifo, self.t, self.t + 900, 0, 256)

        def read(self, count):
            data = bytes(self.fifo[:count])
            del self.fifo[:count]
            return data

        def open(self): ...
        def reset_input_buffer(self): ...
        def reset_output_buffer(self): ...
        def close(self): ...

    port = Port()
    instrument = peer.Instrument(port, 9)
    for function in (3, 4):
        for register in (0, 1, 255, 256, 4711, 65533):
            theirs = instrument.read_registers(register, 2, functioncode=function)
            number = instrument.read_long(register, functioncode=function, signed=True)
            table = [{"register": register, "gives": "irradiance"}, {"register": register + 1, "gives": "depth"}]
            table.append({"register": register, "type": "s32", "gives": "conductivity"})
            desk = Bench(chip.Modbus(3, "st01", lambda f, r, t: (r * 7919 + f) & 0x1FFF, address=9))
            driver = Modbus(desk.bus, {"address": 9, "function": function, "registers": table})
            assert desk.measure(driver) == (0, [*theirs, number])
            assert [
                block.request for block in modbus.plan({"address": 9, "function": function, "registers": table})
            ] == [port.sent[-1]]
