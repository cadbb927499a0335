"""The MQTT 3.1.1 codec: clause examples, every packet there and back, any bytes, the real MicroPython VM."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import mqtt, mqtt_broker
from tests import vm64
from tests.fuzz import fuzz_mqtt

# clause of OASIS MQTT 3.1.1 (or where the bytes come from), encoder, its arguments, the packet
PACKETS = (
    (
        "3.1.3 example, with will, user, password",
        "connect",
        ("n", 10, 1, ("w", b"x", 1, 1), "u", b"p"),
        "1019 00044d515454 04 ee 000a 00016e 000177 000178 000175 000170",
    ),
    ("3.1 as the node sends it", "connect", ("dr01", 60, 0), "1010 00044d515454 04 00 003c 000464723031"),
    ("3.1.3.1 no client id with a clean session", "connect", ("", 0, 1), "100c 00044d515454 04 02 0000 0000"),
    ("3.2", "connack", (0, 0), "20020000"),
    ("3.2.2.2 session present", "connack", (1, 0), "20020100"),
    ("3.2.2.3 not authorised", "connack", (0, 5), "20020005"),
    ("3.3.2.3 example: a/b, identifier 10", "publish", ("a/b", b"", 1, 0, 0, 10), "3207 0003612f62 000a"),
    ("3.3.1 every flag", "publish", ("a/b", b"hi", 1, 1, 1, 10), "3b09 0003612f62 000a 6869"),
    ("3.3.1 QoS 0 has no identifier", "publish", ("a/b", b"hi", 0, 1, 0, 0), "3107 0003612f62 6869"),
    ("3.3 QoS 2", "publish", ("a", b"", 2, 0, 0, 65535), "3405 000161 ffff"),
    ("1.5.3 example: A and U+2A6D4", "publish", ("A\U0002a6d4", b"", 0, 0, 0, 0), "3007 0005 41f0aa9b94"),
    ("2.2.3 127 is the last of one byte", "publish", ("a", b"z" * 124, 0, 0, 0, 0), "307f 000161" + "7a" * 124),
    ("2.2.3 128 is the first of two", "publish", ("a", b"z" * 125, 0, 0, 0, 0), "308001 000161" + "7a" * 125),
    ("2.2.3 16383 is the last of two", "publish", ("a", b"z" * 16380, 0, 0, 0, 0), "30ff7f 000161" + "7a" * 16380),
    ("2.2.3 16384 is the first of three", "publish", ("a", b"z" * 16381, 0, 0, 0, 0), "30808001 000161" + "7a" * 16381),
    ("3.4", "puback", (258,), "40020102"),
    (
        "3.8.3 example: a/b QoS 1, c/d QoS 2",
        "subscribe",
        (10, (("a/b", 1), ("c/d", 2))),
        "820e 000a 0003612f62 01 0003632f64 02",
    ),
    (
        "4.7.1 wildcards",
        "subscribe",
        (1, (("+/a/#", 0), ("#", 1), ("/+", 1))),
        "8213 0001 00052b2f612f23 00 000123 01 00022f2b 01",
    ),
    ("3.9.3 example: QoS 0, QoS 2, failure", "suback", (10, b"\x00\x02\x80"), "9005 000a 000280"),
)

# clause, decoder, what the standard does not allow
MALFORMED = (
    ("2.3.1-1 identifier 0", "publish", "3205 000161 0000"),
    ("2.3.1-1 identifier 0", "puback", "40020000"),
    ("2.3.1-1 identifier 0", "suback", "9003 0000 00"),
    ("2.3.1-1 identifier 0", "subscribe", "8206 0000 000161 00"),
    ("3.3.1-4 QoS 3", "publish", "3605 000161 0001"),
    ("3.3.1-2 DUP with QoS 0", "publish", "3803 000161"),
    ("3.3.2-2 wildcard in a topic name", "publish", "3003 000123"),
    ("3.3.2-2 wildcard in a topic name", "publish", "3003 00012b"),
    ("4.7.3-1 empty topic name", "publish", "3002 0000"),
    ("1.5.3-2 U+0000", "publish", "3003 000100"),
    ("1.5.3-1 not UTF-8", "publish", "3003 0001ff"),
    ("1.5.3-1 cut off inside a character", "publish", "3003 0001c3"),
    ("1.5.3-1 surrogate U+D800", "publish", "3005 0003 eda080"),
    ("1.5.3-1 overlong U+0000", "publish", "3004 0002 c080"),
    ("1.5.3-1 overlong solidus", "publish", "3005 0003 e080af"),
    ("1.5.3-1 above U+10FFFF", "publish", "3006 0004 f4908080"),
    ("3.3 topic longer than the packet", "publish", "3003 000261"),
    ("3.3 no topic", "publish", "3001 00"),
    ("3.3 no room for the identifier", "publish", "3204 000161 00"),
    ("2.2.3 shorter than it says", "publish", "3009 000161"),
    ("2.2.3 longer than it says", "publish", "3003 000161 00"),
    ("2.2.1 another type", "publish", "40020001"),
    ("3.2.1 length", "connack", "2003000000"),
    ("3.2.2.1 reserved flags", "connack", "20020200"),
    ("3.2.2-4 a refusal with a session", "connack", "20020105"),
    ("3.2.2.3 code 6", "connack", "20020006"),
    ("3.4.1 length", "puback", "4003000100"),
    ("2.2.2-1 flags", "puback", "41020001"),
    ("3.9.3-2 code 3", "suback", "9003 0001 03"),
    ("3.9.3 no code", "suback", "9002 0001"),
    ("3.1.2-1 protocol name", "connect", "100c 00044d515458 04 02 0000 0000"),
    ("3.1.2-2 protocol level 5", "connect", "100c 00044d515454 05 02 0000 0000"),
    ("3.1.2-3 reserved flag", "connect", "100c 00044d515454 04 03 0000 0000"),
    ("3.1.2-13 will QoS without a will", "connect", "100c 00044d515454 04 0a 0000 0000"),
    ("3.1.2-14 will QoS 3", "connect", "1012 00044d515454 04 1e 0000 0000 000161 000161"),
    ("3.1.2-15 will retain without a will", "connect", "100c 00044d515454 04 22 0000 0000"),
    ("3.1.2-22 password without user", "connect", "100f 00044d515454 04 42 0000 0000 000161"),
    ("3.1.3-8 no client id, session kept", "connect", "100c 00044d515454 04 00 0000 0000"),
    ("3.1.3 will missing", "connect", "100c 00044d515454 04 06 0000 0000"),
    ("3.1.3 more than the flags say", "connect", "100d 00044d515454 04 02 0000 0000 00"),
    ("3.1.3 wildcard in the will's topic", "connect", "1012 00044d515454 04 06 0000 0000 000123 000161"),
    ("3.8.3-3 no filter", "subscribe", "8202 0001"),
    ("3-8.3-4 QoS 3", "subscribe", "8206 0001 000161 03"),
    ("3.8.3 no QoS", "subscribe", "8205 0001 000161"),
    ("4.7.1-2 # before the end", "subscribe", "8208 0001 0003232f61 00"),
    ("4.7.1-2 # within a level", "subscribe", "8207 0001 00026123 00"),
    ("4.7.1-3 + within a level", "subscribe", "8209 0001 0004612b2f62 00"),
    ("4.7.3-1 empty filter", "subscribe", "8205 0001 0000 00"),
)

# clause, the beginning of a stream that is refused at once
REFUSED_STARTS = (
    ("2.2.1 type 0", "00"),
    ("2.2.1 type 15", "f0"),
    ("2.2.2-1 CONNACK flags", "21"),
    ("2.2.2-1 PINGRESP flags", "d1"),
    ("3.6.1-1 PUBREL flags", "60"),
    ("3.8.1-1 SUBSCRIBE flags", "80"),
    ("3.10.1-1 UNSUBSCRIBE flags", "a0"),
    ("3.3.1-4 QoS 3", "36"),
    ("3.3.1-2 DUP with QoS 0", "38"),
    ("2.2.3 five bytes of length", "3080808080"),
    ("our limit, seen before the body", "308020"),
    ("our limit at its highest", "30ffffff7f"),
)

# clause, encoder, arguments that may not be sent; MicroPython's struct would cut the numbers silently
NOT_ENCODABLE = (
    ("2.3.1-1", "publish", ("a", b"", 1, 0, 0, 0)),
    ("2.3.1", "publish", ("a", b"", 1, 0, 0, 65536)),
    ("2.3.1-5", "publish", ("a", b"", 0, 0, 0, 1)),
    ("3.3.1-2", "publish", ("a", b"", 0, 0, 1, 0)),
    ("3.3.1-4", "publish", ("a", b"", 3, 0, 0, 1)),
    ("3.3.2-2", "publish", ("a/+", b"", 0, 0, 0, 0)),
    ("3.3.2-2", "publish", ("#", b"", 0, 0, 0, 0)),
    ("4.7.3-1", "publish", ("", b"", 0, 0, 0, 0)),
    ("1.5.3-2", "publish", ("a\0", b"", 0, 0, 0, 0)),
    ("1.5.3", "publish", ("a" * 65536, b"", 0, 0, 0, 0)),
    ("3.4", "puback", (0,)),
    ("3.4", "puback", (65536,)),
    ("3.1.2.10", "connect", ("n", 65536, 0)),
    ("3.1.2.10", "connect", ("n", -1, 0)),
    ("3.1.3-8", "connect", ("", 60, 0)),
    ("3.1.2-22", "connect", ("n", 60, 0, None, None, b"p")),
    ("3.1.2-14", "connect", ("n", 60, 0, ("w", b"", 3, 0))),
    ("3.3.2-2", "connect", ("n", 60, 0, ("w/#", b"", 0, 0))),
    ("3.8.3-3", "subscribe", (1, ())),
    ("2.3.1-1", "subscribe", (0, (("a", 0),))),
    ("3-8.3-4", "subscribe", (1, (("a", 3),))),
    ("4.7.1-2", "subscribe", (1, (("a#", 0),))),
    ("3.2.2.3", "connack", (0, 6)),
    ("3.2.2-4", "connack", (1, 1)),
    ("3.9.3-2", "suback", (1, b"\x03")),
    ("3.9.3", "suback", (1, b"")),
)

LIMIT = 4096
BUFFERS = (bytes, bytearray, memoryview)


def decoded(name, arguments):
    """What the decoder gives for the encoder's arguments: connect's defaults filled in, one value bare."""
    if name == "connect":
        return arguments + (None,) * (6 - len(arguments))
    return arguments[0] if len(arguments) == 1 else arguments


def codec(name):
    """A function of the codec, of whichever side it is."""
    return getattr(mqtt, name, None) or getattr(mqtt_broker, name)


def parse(name, packet, start=0, end=None):
    return codec("parse_" + name)(packet, start, len(packet) if end is None else end)


def case_names(cases):
    return [str(index) + " " + case[0] for index, case in enumerate(cases)]


@pytest.mark.parametrize(("clause", "name", "arguments", "packet"), PACKETS, ids=case_names(PACKETS))
def test_packets_are_the_standards_bytes(clause, name, arguments, packet):
    assert codec(name)(*arguments) == bytes.fromhex(packet)


@pytest.mark.parametrize(("clause", "name", "arguments", "packet"), PACKETS, ids=case_names(PACKETS))
@pytest.mark.parametrize("buffer_type", BUFFERS)
def test_packets_are_read_wherever_they_stand_in_the_buffer(clause, name, arguments, packet, buffer_type):
    packet = bytes.fromhex(packet)
    buffer = buffer_type(b"\xff\xff" + packet + b"\xff")
    assert mqtt.packet_length(buffer, 2, len(buffer), 20000) == len(packet)
    assert parse(name, buffer, 2, len(buffer) - 1) == decoded(name, arguments)


@pytest.mark.parametrize(("clause", "name", "packet"), MALFORMED, ids=case_names(MALFORMED))
def test_what_the_standard_forbids_is_refused(clause, name, packet):
    with pytest.raises(mqtt.MalformedPacket):
        parse(name, bytes.fromhex(packet))


@pytest.mark.parametrize(("clause", "start"), REFUSED_STARTS, ids=case_names(REFUSED_STARTS))
def test_a_bad_start_is_refused_without_waiting_for_more(clause, start):
    start = bytes.fromhex(start)
    with pytest.raises(mqtt.MalformedPacket):
        mqtt.packet_length(start, 0, len(start), LIMIT)


@pytest.mark.parametrize(("clause", "name", "arguments"), NOT_ENCODABLE, ids=case_names(NOT_ENCODABLE))
def test_what_the_standard_forbids_is_not_sent(clause, name, arguments):
    with pytest.raises(ValueError):
        codec(name)(*arguments)


def test_a_packet_of_the_limit_passes_and_one_byte_more_does_not():
    packet = mqtt.publish("a", b"z" * 100, 0, 0, 0, 0)
    assert mqtt.packet_length(packet, 0, len(packet), len(packet)) == len(packet)
    with pytest.raises(mqtt.MalformedPacket):
        mqtt.packet_length(packet, 0, len(packet), len(packet) - 1)


def test_a_padded_remaining_length_is_read():
    """[2.2.3] does not ask for the shortest form (MQTT 5 does)."""
    packet = bytes.fromhex("3083808000 000161")
    assert mqtt.packet_length(packet, 0, len(packet), LIMIT) == len(packet)
    assert parse("publish", packet) == ("a", b"", 0, 0, 0, 0)


@pytest.mark.parametrize(("clause", "name", "arguments", "packet"), PACKETS, ids=case_names(PACKETS))
def test_every_cut_off_packet_is_incomplete(clause, name, arguments, packet):
    packet = bytes.fromhex(packet)
    for end in range(min(len(packet), 300)):
        assert mqtt.packet_length(packet, 0, end, 20000) == 0
        with pytest.raises(mqtt.MalformedPacket):
            parse(name, packet, 0, end)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
TOPIC = st.text(st.characters(codec="utf-8", exclude_characters="\0+#"), min_size=1, max_size=40)
LEVELS = st.lists(st.one_of(st.just("+"), st.text("ab/é", max_size=3)), min_size=1, max_size=4)
FILTER = st.tuples(LEVELS, st.sampled_from(("", "/#"))).map(lambda both: "/".join(both[0]) + both[1]).filter(bool)
IDENTIFIER = st.integers(1, 65535)
BIT = st.integers(0, 1)
BYTES = st.binary(max_size=300)

ANY_PACKET = st.one_of(
    st.tuples(
        st.just("publish"),
        st.one_of(
            st.tuples(TOPIC, BYTES, st.just(0), BIT, st.just(0), st.just(0)),
            st.tuples(TOPIC, BYTES, st.integers(1, 2), BIT, BIT, IDENTIFIER),
        ),
    ),
    st.tuples(
        st.just("connect"),
        st.one_of(
            st.tuples(
                TEXT.filter(bool),
                st.integers(0, 65535),
                BIT,
                st.none() | st.tuples(TOPIC, BYTES, st.integers(0, 2), BIT),
                TEXT,
                st.none() | BYTES,
            ),
            st.tuples(TEXT, st.integers(0, 65535), st.just(1), st.none(), st.none(), st.none()),
        ),
    ),
    st.tuples(st.just("connack"), st.one_of(st.tuples(BIT, st.just(0)), st.tuples(st.just(0), st.integers(1, 5)))),
    st.tuples(st.just("puback"), st.tuples(IDENTIFIER)),
    st.tuples(
        st.just("subscribe"),
        st.tuples(IDENTIFIER, st.lists(st.tuples(FILTER, st.integers(0, 2)), min_size=1, max_size=4).map(tuple)),
    ),
    st.tuples(
        st.just("suback"),
        st.tuples(IDENTIFIER, st.lists(st.sampled_from((0, 1, 2, 128)), min_size=1, max_size=9).map(bytes)),
    ),
)


@given(ANY_PACKET)
def test_every_packet_survives_the_way_there_and_back(drawn):
    name, arguments = drawn
    packet = codec(name)(*arguments)
    assert mqtt.packet_length(packet, 0, len(packet), 4 * LIMIT) == len(packet)
    assert parse(name, packet) == decoded(name, arguments)


@given(st.lists(ANY_PACKET, max_size=5), BYTES)
def test_packets_are_found_one_after_the_other(drawn, rest):
    packets = [codec(name)(*arguments) for name, arguments in drawn]
    stream = b"".join(packets) + rest
    at = 0
    for packet in packets:
        length = mqtt.packet_length(stream, at, len(stream), 4 * LIMIT)
        assert stream[at : at + length] == packet
        at += length


@settings(max_examples=500)
@given(
    st.one_of(
        BYTES,
        st.tuples(ANY_PACKET, st.integers(0, 60), BYTES).map(
            lambda parts: codec(parts[0][0])(*parts[0][1])[: parts[1]] + parts[2]
        ),
    )
)
def test_any_bytes_are_a_packet_or_malformed_and_nothing_else(data):
    fuzz_mqtt.check_parsers(data)
    fuzz_mqtt.check_codec(data)


VM_SCRIPT = """
from node.core import mqtt, mqtt_broker

def codec(name):
    return getattr(mqtt, name, None) or getattr(mqtt_broker, name)

def attempt(function, *arguments):
    try:
        return function(*arguments)
    except mqtt.MalformedPacket:
        return "MalformedPacket"
    except ValueError:
        return "ValueError"

def shown(value):
    if isinstance(value, (tuple, list)):
        return "(" + ",".join([shown(one) for one in value]) + ")"
    if isinstance(value, str):
        return "s" + shown(value.encode())
    if isinstance(value, (bytes, bytearray)):
        return "".join(["%02x" % one for one in value])
    return repr(value)

def run(encode, decode, starts):
    for name, arguments in encode:
        print(name, shown(attempt(codec(name), *arguments)))
    for name, packet in decode:
        packet = bytearray(bytes.fromhex(packet))
        print(name, shown(attempt(codec("parse_" + name), packet, 0, len(packet))))
    for start in starts:
        start = bytes.fromhex(start)
        print(shown(attempt(mqtt.packet_length, start, 0, len(start), 20000)))

"""


@pytest.mark.vm
def test_micropython_encodes_and_reads_the_same_bytes(tmp_path):
    encode = [case[1:3] for case in PACKETS + NOT_ENCODABLE if not repr(case[2]).count("a" * 1000)]
    decode = [(case[1], case[3].replace(" ", "")) for case in PACKETS]
    decode += [(case[1], case[2].replace(" ", "")) for case in MALFORMED]
    starts = [case[1] for case in REFUSED_STARTS] + [packet for _, packet in decode]
    script = VM_SCRIPT + f"run({encode!r}, {decode!r}, {starts!r})\n"
    (tmp_path / "script.py").write_text(script)
    ours = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        env=dict(os.environ, PYTHONPATH=str(vm64.FIRMWARE)),
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout
    assert ours.count("\n") == len(encode) + len(decode) + len(starts)
    assert vm64.run(script) == ours
