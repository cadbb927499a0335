"""The command line: one thin module per command, which calls the rooms."""

from node.version import VERSION as __version__

__all__ = ["__version__"]
