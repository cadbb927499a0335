"""Looks for the access point to remember: seldom, so loaded only then."""

import binascii


def strongest(wlan, ssid: bytes, path: str):
    """The address of the strongest of this network, or of the one we are on, which its channel tells; None for none. Kept in the file `path`."""
    best = None
    try:
        wlan.active(True)
        channel = wlan.config("channel") if wlan.isconnected() else 0
        for found in wlan.scan():
            if found[0] == ssid and (not channel or found[2] == channel) and (best is None or found[3] > best[3]):
                best = found
        if best:
            _keep(path, b"%s %d %s" % (binascii.hexlify(best[1]), best[2], ssid))
    except (OSError, RuntimeError):
        pass  # the radio was busy, or flash is full: it goes without
    return bytes(best[1]) if best else None


def _keep(path: str, line: bytes) -> None:
    """Written only when it changed. A torn one is no memory, and costs one look around."""
    try:
        with open(path, "rb") as file:
            if file.read() == line:
                return
    except OSError:
        pass
    with open(path, "wb") as file:
        file.write(line)
