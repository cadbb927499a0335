"""The mock bootloader as one particular board: `bootloader.py MAC FLASH_MB FILE run ...`. FILE is its flash, read at each connection and written after it.

It also waits longer for esptool's acknowledgements than the 50 ms that a busy machine does not keep.
"""

import sys
from pathlib import Path

from esp32_mock_bootloader import cli, protocol, registers, server

PATIENCE = 100


def arrange(mac: bytes, flash_mb: int, file: Path) -> None:
    registers.mac_bytes_for_chip = lambda chip: tuple(mac)
    protocol.FLASH_MOCK_SIZE = flash_mb << 20
    protocol.MOCK_FLASH_ID = (20 + flash_mb.bit_length() - 1) << 16 | 0x4020
    receive, serve = server._recv_slip_payload, server.handle_client

    def patient(*args):
        for _ in range(PATIENCE):
            payload = receive(*args)
            if payload is not None:
                return payload
        return None

    def kept(*args, **options):
        flash = server.get_flash_image()
        if file.exists():
            flash.data[:] = file.read_bytes()
        try:
            return serve(*args, **options)
        finally:
            file.write_bytes(flash.data)

    server._recv_slip_payload, server.handle_client = patient, kept


if __name__ == "__main__":
    arrange(bytes.fromhex(sys.argv[1].replace(":", "")), int(sys.argv[2]), Path(sys.argv[3]))
    del sys.argv[1:4]
    sys.exit(cli.main())
