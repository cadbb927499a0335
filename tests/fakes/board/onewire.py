"""A stand-in for the image's `onewire`: every chip in `chips` (reset(), write(byte), read()) hears everything, and a 0 wins."""


class OneWire:
    chips = []

    def __init__(self, pin):
        self._pin = pin

    def reset(self, required=False):
        answers = [chip.reset() for chip in self.chips]  # all of them hear it
        return any(answers)

    def writebyte(self, byte):
        for chip in self.chips:
            chip.write(byte)

    def readbyte(self):
        value = 0xFF
        for chip in self.chips:
            value &= chip.read()
        return value
