"""Boards, sensors and stations as tables, and what is derived from them."""
