"""A stand-in for the board's `esp32`: nothing of it is used yet."""
