"""What holds for every test."""

import os

from hypothesis import settings

# A failure prints the blob that replays it (`@reproduce_failure`). In CI the examples are the same in every run, so a
# red build means a change, not luck; on a developer's machine each run looks somewhere new.
settings.register_profile("everywhere", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("everywhere"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "everywhere")

# The longest files begin first, so that no core waits for the other at the end.
LONGEST = (
    "tests/sim/test_chaos.py", "tests/sim/test_every_sensor.py", "tests/board/test_flash.py", "tests/board/test_flash_app.py", "tests/power/test_power_cuts.py",
    "tests/waspada/test_demo.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list) -> None:
    items.sort(
        key=lambda item: LONGEST.index(file) if (file := item.nodeid.split("::")[0]) in LONGEST else len(LONGEST)
    )
