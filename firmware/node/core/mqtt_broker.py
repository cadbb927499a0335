"""The broker's side of the MQTT 3.1.1 codec, for simulators and tests: no station loads it."""

from node.core import mqtt


def parse_connect(buffer, start: int, end: int) -> tuple:
    """(client_id, keepalive_s, clean, will, user, password) as connect() takes them [3.1].

    clean is 0 or 1; will is (topic, payload, qos, retain) or None; user is str, password bytes, both may be None.
    """
    at = mqtt.expect(buffer, start, end, 0x10)
    if end - at < 12 or bytes(buffer[at : at + 7]) != mqtt.PROTOCOL:
        raise mqtt.MalformedPacket("protocol")
    flags = buffer[at + 7]
    # [3.1.2-3] bit 0 is reserved; [3.1.2-13..15] no QoS nor retain without a will, no QoS 3; [3.1.2-22] user first
    if flags & 1 or (not flags & 4 and flags & 0x38) or flags & 0x18 == 0x18 or flags & 0xC0 == 0x40:
        raise mqtt.MalformedPacket("CONNECT flags")
    keepalive_s = buffer[at + 8] << 8 | buffer[at + 9]
    clean = flags >> 1 & 1
    fields = []
    at += 10
    for bit in (0, 4, 4, 0x80, 0x40):
        if bit and not flags & bit:
            fields.append(None)
            continue
        field_end = mqtt.field_end(buffer, at, end)
        fields.append(bytes(buffer[at + 2 : field_end]))
        at = field_end
    client_id = mqtt.text_of(fields[0])
    if at != end or not (client_id or clean):  # [3.1.3-8]
        raise mqtt.MalformedPacket("CONNECT")
    will = None
    if flags & 4:
        topic = mqtt.text_of(fields[1])
        if not topic or "+" in topic or "#" in topic:
            raise mqtt.MalformedPacket("topic name")
        will = (topic, fields[2], flags >> 3 & 3, flags >> 5 & 1)
    user = None if fields[3] is None else mqtt.text_of(fields[3])
    return client_id, keepalive_s, clean, will, user, fields[4]


def parse_subscribe(buffer, start: int, end: int) -> tuple:
    """(packet_id, ((topic filter, qos), ...)), at least one filter [3.8.3-3]."""
    at = mqtt.expect(buffer, start, end, 0x82)
    packet_id = mqtt.identifier(buffer, at, end)
    at += 2
    filters = []
    while at < end or not filters:
        field_end = mqtt.field_end(buffer, at, end)
        topic_filter = mqtt.text_of(buffer[at + 2 : field_end])
        if field_end == end or buffer[field_end] > 2 or not mqtt.filter_is_valid(topic_filter):  # [3-8.3-4]
            raise mqtt.MalformedPacket("SUBSCRIBE")
        filters.append((topic_filter, buffer[field_end]))
        at = field_end + 1
    return packet_id, tuple(filters)


def connack(session_present, code) -> bytes:
    """CONNACK [3.2]; code 0..5, a refusal never has a session."""
    mqtt.require(0 <= code <= 5 and not (code and session_present), "CONNACK")
    return bytes((0x20, 2, 1 if session_present else 0, code))


def suback(packet_id, codes) -> bytes:
    """SUBACK [3.9]; codes are bytes, one per filter: 0, 1, 2, or 0x80 for refused."""
    mqtt.require(0 < packet_id < 65536 and codes, "packet identifier, or no code")
    for code in codes:
        mqtt.require(code in b"\x00\x01\x02\x80", "SUBACK code")
    return mqtt.header(0x90, len(codes) + 2) + mqtt.two_bytes(packet_id) + bytes(codes)
