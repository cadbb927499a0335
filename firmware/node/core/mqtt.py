"""MQTT 3.1.1 packets to bytes and back (numbers in brackets are clauses of the OASIS standard).

Shared by the node's client, the simulator's broker and the gateway. Only bytes: no sockets, no state, no waiting.
Encoders raise ValueError for what the standard does not allow to be sent, decoders MalformedPacket and nothing else.
A decoder gets one whole packet, buffer[start:end], as packet_length found it; buffer is bytes-like and only read.
"""

CONNECT = 1
CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBSCRIBE = 8
SUBACK = 9
UNSUBSCRIBE = 10
UNSUBACK = 11
PINGREQ = 12
PINGRESP = 13
DISCONNECT = 14

PINGREQ_BYTES = b"\xc0\x00"
PINGRESP_BYTES = b"\xd0\x00"
DISCONNECT_BYTES = b"\xe0\x00"

MAX_REMAINING = 268435455  # [2.2.3] four bytes of seven bits

# [2.2.2] the first bytes allowed, PUBLISH apart: types 0 and 15 are reserved, 6, 8 and 10 carry the flags 0010
_FIRST_BYTES = b"\x10\x20\x40\x50\x62\x70\x82\x90\xa2\xb0\xc0\xd0\xe0"
PROTOCOL = b"\x00\x04MQTT\x04"  # [3.1.2-1] name and level 4


class MalformedPacket(ValueError):
    """Bytes that are not MQTT 3.1.1: the connection they came from must be closed [4.8.0-1]."""


class PacketTooLong(MalformedPacket):
    """Allowed by MQTT, but over the reader's limit: args are ("too long", bytes of the whole packet)."""


def packet_length(buffer, start: int, end: int, limit: int) -> int:
    """Bytes of the packet at start, header included; 0 while buffer[start:end] does not hold all of it.

    MalformedPacket as soon as it is certain: first byte not allowed [2.2.2-1, 2.2.2-2], QoS 3 [3.3.1-4], DUP with QoS 0
    [3.3.1-2], a remaining length of more than four bytes [2.2.3]; PacketTooLong for more than limit bytes in all.
    """
    if start >= end:
        return 0
    first = buffer[start]
    if first & 0xF0 == 0x30:
        if first & 6 == 6 or first & 14 == 8:
            raise MalformedPacket("PUBLISH flags")
    elif first not in _FIRST_BYTES:
        raise MalformedPacket("first byte")
    at = start + 1
    length = shift = 0
    while at < end:
        byte = buffer[at]
        at += 1
        length |= (byte & 127) << shift
        if byte < 128:
            length += at - start
            if length > limit:
                raise PacketTooLong("too long", length)
            return length if length <= end - start else 0
        shift += 7
        if shift == 28:
            raise MalformedPacket("remaining length")
    return 0


def _body(buffer, start, end):
    """Where the variable header of the packet begins; MalformedPacket unless it is buffer[start:end] exactly."""
    if end - start > 1 and buffer[start + 1] == end - start - 2:
        return start + 2
    if packet_length(buffer, start, end, MAX_REMAINING + 5) != end - start or end == start:
        raise MalformedPacket("not one whole packet")
    at = start + 1
    while buffer[at] > 127:
        at += 1
    return at + 1


def expect(buffer, start, end, first):
    at = _body(buffer, start, end)
    if buffer[start] != first:
        raise MalformedPacket("another type")
    return at


def field_end(buffer, at, end):
    """Where the field with a two-byte length at `at` ends [1.5.3]."""
    if at + 2 <= end:
        at += 2 + (buffer[at] << 8 | buffer[at + 1])
        if at <= end:
            return at
    raise MalformedPacket("truncated")


def text_of(raw):
    """UTF-8 to str [1.5.3-1, 1.5.3-2]. MicroPython's own decoder lets surrogates and overlong forms through."""
    try:
        text = str(raw, "utf-8")
    except UnicodeError:
        raise MalformedPacket("UTF-8")
    if len(text) != len(raw):
        size = 0
        for char in text:
            code = ord(char)
            if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
                raise MalformedPacket("UTF-8")
            size += 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
        if size != len(raw):
            raise MalformedPacket("UTF-8")
    if "\0" in text:
        raise MalformedPacket("U+0000")
    return text


def identifier(buffer, at, end):
    """The packet identifier at `at`, 1..65535 [2.3.1-1]."""
    if at + 2 > end:
        raise MalformedPacket("truncated")
    packet_id = buffer[at] << 8 | buffer[at + 1]
    if not packet_id:
        raise MalformedPacket("packet identifier 0")
    return packet_id


def filter_is_valid(topic_filter):
    """[4.7.1-2, 4.7.1-3, 4.7.3-1] wildcards fill a level, and # is the last."""
    levels = topic_filter.split("/")
    last = levels.pop()
    for level in levels:
        if "#" in level or ("+" in level and level != "+"):
            return False
    return topic_filter != "" and (last in ("#", "+") or not ("#" in last or "+" in last))


def parse_publish(buffer, start: int, end: int) -> tuple:
    """(topic, payload, qos, retain, dup, packet_id); retain and dup are 0 or 1, packet_id is 0 for QoS 0 [3.3]."""
    at = _body(buffer, start, end)
    first = buffer[start]
    if first & 0xF0 != 0x30 or first & 6 == 6 or first & 14 == 8:
        raise MalformedPacket("PUBLISH flags")
    topic_end = field_end(buffer, at, end)
    topic = text_of(buffer[at + 2 : topic_end])
    if not topic or "+" in topic or "#" in topic:  # [4.7.3-1, 3.3.2-2]
        raise MalformedPacket("topic name")
    if first & 6:
        packet_id = identifier(buffer, topic_end, end)
        return topic, bytes(buffer[topic_end + 2 : end]), first >> 1 & 3, first & 1, first >> 3 & 1, packet_id
    return topic, bytes(buffer[topic_end:end]), 0, first & 1, 0, 0


def parse_connack(buffer, start: int, end: int) -> tuple:
    """(session_present, code): code 0 is accepted, 1..5 say why not [3.2.2]."""
    at = expect(buffer, start, end, 0x20)
    if end - at != 2 or buffer[at] > 1 or buffer[at + 1] > 5 or (buffer[at] and buffer[at + 1]):  # [3.2.2-4]
        raise MalformedPacket("CONNACK")
    return buffer[at], buffer[at + 1]


def parse_puback(buffer, start: int, end: int) -> int:
    """The packet identifier that is acknowledged [3.4]."""
    at = expect(buffer, start, end, 0x40)
    if end - at != 2:
        raise MalformedPacket("PUBACK")
    return identifier(buffer, at, end)


def parse_suback(buffer, start: int, end: int) -> tuple:
    """(packet_id, codes): per filter the granted QoS, or 0x80 for refused [3.9.3-2]."""
    at = expect(buffer, start, end, 0x90)
    packet_id = identifier(buffer, at, end)
    codes = bytes(buffer[at + 2 : end])
    if not codes:
        raise MalformedPacket("SUBACK")
    for code in codes:
        if code > 2 and code != 0x80:
            raise MalformedPacket("SUBACK")
    return packet_id, codes


def require(condition, what):
    if not condition:
        raise ValueError(what)


def two_bytes(number):
    return bytes((number >> 8, number & 255))


def _field(data):
    """Bytes, or text as UTF-8, after their length in two bytes [1.5.3]."""
    if isinstance(data, str):
        require("\0" not in data, "U+0000 in a text")
        data = data.encode()
    require(len(data) < 65536, "over 65535 bytes")
    return two_bytes(len(data)) + data


def header(first, remaining):
    """First byte and remaining length [2.2.3]."""
    if remaining < 128:
        return bytes((first, remaining))
    require(remaining <= MAX_REMAINING, "packet too long")
    header = bytearray((first,))
    while remaining > 127:
        header.append(remaining & 127 | 128)
        remaining >>= 7
    header.append(remaining)
    return bytes(header)


def _check_topic(topic, qos):
    require(topic and "+" not in topic and "#" not in topic, "topic name")
    require(0 <= qos <= 2, "QoS")


def connect(client_id, keepalive_s, clean, will=None, user=None, password=None) -> bytes:
    """CONNECT [3.1]; keepalive_s 0..65535, 0 for none; will is (topic, payload, qos, retain); password is bytes."""
    require(0 <= keepalive_s < 65536, "keepalive")
    require(client_id or clean, "client id")
    require(user is not None or password is None, "password without user")
    flags = 2 if clean else 0
    body = _field(client_id)
    if will:
        _check_topic(will[0], will[2])
        flags |= 4 | will[2] << 3 | (0x20 if will[3] else 0)
        body += _field(will[0]) + _field(will[1])
    if user is not None:
        flags |= 0x80
        body += _field(user)
    if password is not None:
        flags |= 0x40
        body += _field(password)
    return header(0x10, len(body) + 10) + PROTOCOL + bytes((flags,)) + two_bytes(keepalive_s) + body


def publish(topic, payload, qos, retain, dup, packet_id) -> bytes:
    """PUBLISH [3.3]; payload is bytes-like, packet_id 1..65535, and 0 with QoS 0 [2.3.1-5]."""
    _check_topic(topic, qos)
    head = _field(topic)
    first = 0x30 | qos << 1 | (1 if retain else 0)
    if qos:
        require(0 < packet_id < 65536, "packet identifier")
        head += two_bytes(packet_id)
        if dup:
            first |= 8
    else:
        require(not dup and not packet_id, "DUP or an identifier with QoS 0")
    return header(first, len(head) + len(payload)) + head + payload


def puback(packet_id) -> bytes:
    """PUBACK [3.4]; packet_id 1..65535."""
    require(0 < packet_id < 65536, "packet identifier")
    return b"\x40\x02" + two_bytes(packet_id)


def subscribe(packet_id, filters) -> bytes:
    """SUBSCRIBE [3.8]; filters is ((topic filter, qos), ...), at least one."""
    require(0 < packet_id < 65536 and filters, "packet identifier, or no filter")
    body = two_bytes(packet_id)
    for topic_filter, qos in filters:
        require(filter_is_valid(topic_filter) and 0 <= qos <= 2, "topic filter or QoS")
        body += _field(topic_filter) + bytes((qos,))
    return header(0x82, len(body)) + body
