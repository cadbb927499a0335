"""Any Modbus RTU transmitter (radar, pressure, wind, sound, irradiance, power) on RS485 with a transceiver that turns round by itself.

A transmitter is data: its row in station.json has "registers", rows of {"address", "function": 3 or 4, "register" (as on the wire, from 0),
"type": u16 s16 u32 s32 f32, "order": "abcd" (or cdab, badc, dcba: how its makers mix the bytes of two registers), "scale": [numerator, denominator],
"gives"}; address and function may stand above them once. A value times its scale is the point's integer (a depth in cm for a point of 3 decimals in
m: [10, 1]); what does not fit 32 bits, or is no number, is MISSING. Beside them "answer_ms" (500) and "warm_up_ms" (0, after power).

The line is searched for the answer byte by byte: transceivers that hear themselves give the request back, whole or in part and with noise around it, and
other slaves talk too. Only address, function, length and CRC-16 together make an answer. There is no number in it that tells which request it answers:
what came before the request is thrown away, "answer_ms" is to be longer than the transmitter ever takes, and one bus must serve one driver at a time.
"""

from node.core.measurements import BAD_CHECKSUM, MISSING, NO_ANSWER, OUT_OF_RANGE, REASONS
from node.drivers import scaled

TYPES = ("u16", "s16", "u32", "s32", "f32")
ORDERS = ("abcd", "cdab", "badc", "dcba")
_WARMING_UP = REASONS.index("warming_up")
_MOST_REGISTERS = 125
_FIRST_LOOK_MS = 50
_LOOK_MS = 20
_GAP_MS = 5  # a slave wants 3.5 characters of silence between an answer and the next request: 4 ms at 9600 baud
_PATIENCE = 3  # looks of a level burst (100 ms each) before a request is made again
_ROOM = 64
_ROUNDS = 8  # 512 bytes in one look: a bus that never runs dry does not hold the loop
_AGAIN = 0
_GOOD = 1
_REFUSED = 2
# What four more bits of the remainder turn into.
_CRC = (0, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401, 0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400)  # fmt: skip


def crc16(data, begin: int, end: int) -> int:
    """CRC-16 of data[begin:end], reflected polynomial A001; its low byte goes first."""
    crc = 0xFFFF
    for i in range(begin, end):
        crc ^= data[i]
        crc = crc >> 4 ^ _CRC[crc & 15]
        crc = crc >> 4 ^ _CRC[crc & 15]
    return crc


def convert(kind: int, order: int, first: int, second: int, numerator: int, denominator: int) -> int:
    """Registers as they came to the point's integer; `kind` and `order` are places in TYPES and ORDERS, 16-bit types have no second."""
    if kind == 0:
        return scaled.from_word(first, numerator, denominator)
    if kind == 1:
        return scaled.from_signed_word(first, numerator, denominator)
    if order & 2:
        first = first >> 8 | first << 8 & 0xFF00
        second = second >> 8 | second << 8 & 0xFF00
    if order & 1:
        first, second = second, first
    if kind == 2:
        return scaled.from_words(first, second, numerator, denominator)
    if kind == 3:
        return scaled.from_signed_words(first, second, numerator, denominator)
    return scaled.from_float32(first, second, numerator, denominator)


class _Quantity:
    """One checked row: where it stands, what it is, and the place of its value."""

    def __init__(self, config: dict, row: dict, place: int):
        self.place = place
        self.address = row.get("address", config.get("address", 0))
        self.function = row.get("function", config.get("function", 3))
        self.register = row["register"]
        name = row.get("type", "u16")
        order = row.get("order", "abcd")
        self.numerator, self.denominator = row.get("scale", (1, 1))
        if not 1 <= self.address <= 247 or self.function not in (3, 4):
            raise ValueError("modbus: an address is 1 to 247, a function 3 or 4")
        if name not in TYPES or order not in ORDERS:
            raise ValueError("modbus: no type '%s %s'; there are %s in the orders %s" % (name, order, TYPES, ORDERS))
        self.kind = TYPES.index(name)
        self.order = ORDERS.index(order)
        self.words = 1 if self.kind < 2 else 2
        if row.get("count", self.words) != self.words or not 0 <= self.register <= 0x10000 - self.words:
            raise ValueError("modbus: %s takes %d registers, the last is 65535" % (name, self.words))
        if self.numerator < 1 or not 1 <= self.denominator < 0x20000000:
            raise ValueError("modbus: a scale is two whole numbers from 1 on")

    def value(self, line, block) -> int:
        first = self.register - block.register
        second = line.word(first + 1) if self.words == 2 else 0
        return convert(self.kind, self.order, line.word(first), second, self.numerator, self.denominator)


class _Block:
    """Registers that one request reads, the request, and the quantities among them."""

    def __init__(self, first):
        self.address = first.address
        self.function = first.function
        self.register = first.register
        self.words = first.words
        self.quantities = [first]
        self.request = b""

    def takes(self, quantity) -> bool:
        """Joins a quantity that follows without a gap."""
        end = self.register + self.words
        if quantity.function != self.function or quantity.register > end:
            return False
        words = max(quantity.register + quantity.words - self.register, self.words)
        if words > _MOST_REGISTERS:
            return False
        self.words = words
        self.quantities.append(quantity)
        return True

    def seal(self):
        at = self.register
        head = bytes((self.address, self.function, at >> 8, at & 0xFF, 0, self.words))
        crc = crc16(head, 0, 6)
        self.request = head + bytes((crc & 0xFF, crc >> 8))
        return self


def plan(config: dict) -> list:
    """The fewest requests for these rows, each over registers without a gap."""
    quantities = [_Quantity(config, row, place) for place, row in enumerate(config["registers"])]
    if not quantities or any(q.address != quantities[0].address for q in quantities):
        raise ValueError("modbus: one driver reads one address")
    quantities.sort(key=lambda q: q.function << 17 | q.register << 1 | q.words - 1)
    blocks: list = []
    for quantity in quantities:
        if not blocks or not blocks[-1].takes(quantity):
            blocks.append(_Block(quantity))
    return [block.seal() for block in blocks]


class _Line:
    """Finds one request's answer in what arrives; its registers then stand in `buffer` from `at` on."""

    def __init__(self, bus, blocks):
        self._bus = bus
        self._carry = 4 + 2 * max(block.words for block in blocks)  # an answer less its last byte
        self.buffer = bytearray(self._carry + _ROOM)
        self._input = memoryview(self.buffer)[self._carry :]  # what the last look left over stands just before it
        self._carried = 0
        self.at = 0
        self.exception = 0
        self.bad = 0  # an answer came whose CRC was wrong

    def ask(self, block) -> None:
        """What still waits belongs to no request of ours."""
        for _ in range(_ROUNDS):
            if not self._bus.read_into(self._input):
                break
        self._carried = 0
        self.bad = 0
        self._bus.write(block.request)

    def listen(self, block) -> int:
        arrived = _ROOM
        rounds = 0
        while arrived == _ROOM and rounds < _ROUNDS:
            rounds += 1
            arrived = self._bus.read_into(self._input)
            if arrived:
                found = self._search(block, self._carry + arrived)
                if found:
                    return found
        return _AGAIN

    def word(self, index: int) -> int:
        at = self.at + 2 * index
        return self.buffer[at] << 8 | self.buffer[at + 1]

    def _search(self, block, end: int) -> int:
        """The answer may begin at any byte: a half-arrived one is kept, and does not hide a whole one behind it."""
        buffer = self.buffer
        keep = end
        for begin in range(self._carry - self._carried, end):
            whole = self._length_at(block, begin, end)
            if not whole:
                continue
            after = begin + whole
            if after > end:
                if keep == end:
                    keep = begin
            elif crc16(buffer, begin, after - 2) == buffer[after - 2] | buffer[after - 1] << 8:
                self._carried = 0
                self.at = begin + 3
                if buffer[begin + 1] & 0x80:
                    self.exception = buffer[begin + 2]
                    return _REFUSED
                return _GOOD
            elif not self._is_echo(block, begin, end):
                self.bad = 1
        to = self._carry - (end - keep)
        self._carried = end - keep
        for i in range(keep, end):
            buffer[to] = buffer[i]
            to += 1
        return _AGAIN

    def _length_at(self, block, begin: int, end: int) -> int:
        """How long the answer is that begins here, 0 when none does."""
        buffer = self.buffer
        if buffer[begin] != block.address:
            return 0
        if begin + 1 < end:
            function = buffer[begin + 1]
            if function & 0x7F != block.function:
                return 0
            if not function & 0x80:
                if begin + 2 < end and buffer[begin + 2] != 2 * block.words:
                    return 0
                return 5 + 2 * block.words
        return 5  # address, function, the exception's code, CRC

    def _is_echo(self, block, begin: int, end: int) -> bool:
        request = block.request
        for i in range(min(len(request), end - begin)):
            if self.buffer[begin + i] != request[i]:
                return False
        return True


class Modbus:
    """All that one transmitter gives. `exception` is the code of its last refusal."""

    def __init__(self, bus, config: dict):
        from node.drivers import roles  # it knows every quantity's name; a river's level needs none of them

        gives = tuple(row["gives"] for row in config["registers"])
        self.GIVES = roles.keys({"gives": gives}, gives)
        self._bus = bus
        self._blocks = plan(config)
        self._line = _Line(bus, self._blocks)
        self._answer_ms = config.get("answer_ms", 500)
        self._warm_up_ms = config.get("warm_up_ms", 0)
        self._cold = True
        self._next = 0  # block
        self._asked = False
        self._waited_ms = 0
        self._reason = 0
        self._any = False
        self.exception = 0

    def start(self) -> int:
        """Powers the transmitter and asks; milliseconds until the first look."""
        self._bus.open()
        self._next = 0
        self._any = False
        self._asked = False
        if self._cold and self._warm_up_ms:
            self._cold = False
            return self._warm_up_ms
        self._cold = False
        return self._ask()

    def stop(self) -> None:
        self._cold = True
        self._bus.close()

    def read_into(self, values) -> int:
        if not self._asked:
            return self._ask()
        block = self._blocks[self._next]
        found = self._line.listen(block)
        if found == _AGAIN:
            if self._waited_ms < self._answer_ms:
                self._waited_ms += _LOOK_MS
                return _LOOK_MS
            self._reason = BAD_CHECKSUM if self._line.bad else NO_ANSWER
            for lost in range(self._next, len(self._blocks)):  # one that is silent once is not asked on
                self._fill(values, self._blocks[lost], False)
            return 0 if self._any else -self._reason
        if found == _REFUSED:
            self.exception = self._line.exception
            self._reason = _WARMING_UP if self.exception in (5, 6) else OUT_OF_RANGE  # 5 takes long, 6 is busy
        else:
            self._any = True
        self._fill(values, block, found == _GOOD)
        self._next += 1
        if self._next < len(self._blocks):
            self._asked = False
            return _GAP_MS
        return 0 if self._any else -self._reason

    def _ask(self) -> int:
        self._line.ask(self._blocks[self._next])
        self._asked = True
        self._waited_ms = _FIRST_LOOK_MS
        return _FIRST_LOOK_MS

    def _fill(self, values, block, good) -> None:
        for quantity in block.quantities:
            values[quantity.place] = quantity.value(self._line, block) if good else MISSING


class ModbusLevel:
    """A level, range or depth in mm as a burst: the one row of "registers", asked for again and again; `count` of them are good in this burst.

    Values outside "blanking_mm".."range_mm", exceptions and what is no number count as `no_echo`.
    """

    def __init__(self, bus, config: dict):
        if len(config["registers"]) != 1:
            raise ValueError("modbus: a level is one row of registers")
        self._bus = bus
        self._block = plan(config)[0]
        self._line = _Line(bus, (self._block,))
        self._warm_up_ms = config.get("warm_up_ms", 0)
        self._looks = 0  # since the request; below 0 none is made yet
        self.blanking_mm = config["blanking_mm"]
        self.range_mm = config["range_mm"]
        self.count = 0
        self.frames = 0  # with a right CRC, whatever they say
        self.bad_checksum = 0
        self.no_echo = 0

    def start(self) -> int:
        """Powers the transmitter; milliseconds until the first look."""
        self.count = 0
        self._bus.open()
        if self._warm_up_ms:
            self._looks = -1
            return self._warm_up_ms
        self._ask()
        return _FIRST_LOOK_MS

    def stop(self) -> None:
        self.bad_checksum += self._line.bad
        self._line.bad = 0
        self._bus.close()

    def read_into(self, burst) -> int:
        """Takes an answer to `burst` and asks again; returns how many mm the burst holds so far."""
        if self._looks < 0:
            self._ask()
            return self.count
        found = self._line.listen(self._block)
        if found == _AGAIN:
            self._looks += 1
            if self._looks >= _PATIENCE:
                self.bad_checksum += self._line.bad
                self._ask()
            return self.count
        self.frames += 1
        mm = self._block.quantities[0].value(self._line, self._block) if found == _GOOD else MISSING
        if not self.blanking_mm <= mm <= self.range_mm:
            self.no_echo += 1
        elif self.count < len(burst):
            burst[self.count] = mm
            self.count += 1
        self._ask()
        return self.count

    def _ask(self) -> None:
        self._looks = 0
        self._line.ask(self._block)
