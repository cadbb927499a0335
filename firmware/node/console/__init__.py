"""The technician's dialogue. Loaded with the first byte that is typed, each group of commands when it is used, and given back when nobody is there."""
