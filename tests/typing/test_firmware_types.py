from tests.typing.check_firmware import check


def test_firmware_uses_only_what_micropython_1_25_offers():
    assert check() == 0
