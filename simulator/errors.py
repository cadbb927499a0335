"""What a person gave us and we cannot use."""


class InputError(Exception):
    """One sentence: what is wrong, where (file, line, column) and what is allowed. The command line prints it and exits with 2."""
