"""Build hook: fetches the page's front-end packages, so that the page works from a wheel and an editable install."""

import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Page(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)
        try:
            from gateway.web import build
        finally:
            sys.path.remove(self.root)
        build.build()
