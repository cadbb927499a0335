"""An app that reads every bus it has and writes down what it saw; runs on either interpreter."""


class App:
    def __init__(self, station, ports):
        self._ports = ports
        self._only = station.get("only")
        self._steps = 0
        self._small = bytearray(5)
        self._three = bytearray(3)
        if "uart2" in ports.buses:
            ports.buses["uart1"].open()
            ports.buses["uart2"].open()

    def step(self, now_ms):
        if self._only == "river":
            return self._river()
        self._steps += 1
        buses = self._ports.buses
        seen = []
        for name in ("uart1", "uart2"):
            count = buses[name].read_into(self._small)
            seen.append(bytes(self._small[:count]))
        if self._steps % 5 == 0:
            buses["uart2"].write(b"ask%d" % self._steps)
        if self._steps % 16 == 0:
            buses["uart1"].close()
            buses["uart2"].close()
        elif self._steps % 16 == 1:
            buses["uart1"].open()
            buses["uart2"].open()
        seen.append(buses["adc1"].read_uv())
        seen.append(buses["adc2"].read_uv())
        seen += [self._i2c(0x40, b"\x02" + bytes((self._steps,))), self._i2c(0x48, b"\x02"), self._i2c(0x50, b"\x02")]
        wire = buses["onewire1"]
        seen.append(wire.reset())
        wire.write(self._steps & 0xFF)
        seen.append(wire.read())
        seen.append((buses["bucket"].count(), buses["bucket"].counted_ms))
        seen.append(buses["lid"].closed())
        self._ports.outputs["relay"].set(self._steps & 1)
        self._ports.storage.append("seen", repr(seen).encode() + b"\n")
        return 100

    def _i2c(self, address, data):
        bus = self._ports.buses["i2c1"]
        try:
            bus.write(address, data)
            bus.read_into(address, self._three)
        except OSError as error:
            return error.errno
        return bytes(self._three)

    def _river(self):
        """What a river gauge does in a step, and nothing else."""
        bus = self._ports.buses["uart1"]
        bus.open()
        bus.read_into(self._small)
        self._ports.buses["adc1"].read_uv()
        self._ports.outputs["siren"].set(1)
        bus.close()
        return 100
