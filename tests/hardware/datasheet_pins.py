"""What the data sheets say of pins, once more and by hand: the tests' own list, so that a mistake in chips.toml or in a board's table is no mistake here.

ESP32 data sheet v4.9: IO_MUX (at reset, after reset, ADC1, RTC_GPIO), 3 Boot Configurations, table 6-1 note 2; ESP32-DevKitC V4 user guide, Header Block, notes
2 and 3. ESP32-S3 data sheet v2.2: tables 2-1, 2-2, 2-6, 2-8, 2-14, 3-1, section 2.3.5.
"""

RMII = {19, 21, 22, 25, 26, 27}
# Never a station's: what the chip lacks, its flash, what it reads at reset, its console.
NEVER = {
    "esp32": {20, 24, 28, 29, 30, 31, *range(40, 49)} | {6, 7, 8, 9, 10, 11} | {0, 2, 5, 12, 15} | {1, 3},
    "esp32s3": {22, 23, 24, 25} | {26, 27, 28, 29, 30, 31, 32} | {0, 3, 45, 46} | {19, 20, 43, 44},
}
PSRAM = {"esp32": {16, 17}, "esp32s3": {33, 34, 35, 36, 37}}  # of a WROVER; octal
READS_ONLY = {"esp32": {34, 35, 36, 37, 38, 39}, "esp32s3": set()}
ADC1 = {"esp32": {32, 33, 34, 35, 36, 37, 38, 39}, "esp32s3": set(range(1, 11))}
HOWLS_AT_BOOT = {"esp32": {0, 1, 3, 5, 14, 15}, "esp32s3": {0, 18, 19, 20, 21, 39, 43, 44}}
WAKES = {"esp32": {0, 2, 4, 12, 13, 14, 15, 25, 26, 27, *range(32, 40)}, "esp32s3": set(range(22))}
# Boards: what is soldered to them (their user guides, schematics, pin maps).
SOLDERED = {
    "esp32_devkitc_v4": set(), "esp32_wrover_devkitc": set(),
    "esp32_s3_devkitc_psram": {38, 48},
    "olimex_esp32_poe_iso_wrover": {0, 12, 18, 23, *RMII} | {2, 14, 15} | {34, 35, 39},
    "lilygo_t_a7670": {2, 13, 14, 15} | {5, 12, 25, 33} | {35, 36},
    "firebeetle2_esp32e_n16r2": {2, 34},
}  # fmt: skip
MODEM = {"lilygo_t_a7670": {"rx": 27, "tx": 26, "power": 4, "supply": 12, "low": [5, 25]}}


def faults(board, name, claims):
    """What a station's pins do that they can't. `claims`: by bus, output, `lan` or `lte` the (pin, use) that the firmware takes; `name` is the board's."""
    chip = board["chip"]
    owner = {}
    for bus, rows in claims.items():
        for pin, use in rows:
            if owner.setdefault(pin, bus) != bus:
                yield f"{pin} is {owner[pin]}'s and {bus}'s"
            own = MODEM.get(name, {})
            if bus == "lte" and own:
                if pin not in {own["rx"], own["tx"], own["power"], own["supply"], *own["low"]}:
                    yield f"{pin} is no pin of the modem"
                continue
            if bus == "lan" and name.startswith("olimex"):
                continue
            if pin in NEVER[chip] and not (bus == "lan" and pin == 0):
                yield f"{bus} is on {pin}, which is no station's"
            if pin in PSRAM[chip] and board["psram_kb"]:
                yield f"{bus} is on {pin}, the PSRAM's"
            if pin in SOLDERED[name] or pin in {own.get(member) for member in ("rx", "tx", "power")}:
                yield f"{bus} is on {pin}, which the board has"
            if pin not in board["header"]:
                yield f"{bus} is on {pin}, which is not brought out"
            if use == "output" and pin in READS_ONLY[chip]:
                yield f"{bus} drives or pulls up {pin}, which reads only"
            if use == "adc" and pin not in ADC1[chip]:
                yield f"{bus} reads a voltage on {pin}, which has no converter while Wi-Fi is on"
            if use == "switched" and pin in HOWLS_AT_BOOT[chip]:
                yield f"{bus} is on {pin}, which is not quiet at boot"
