"""The base of all errors that tell a user of a mistake."""


class UserError(Exception):
    """Something the user can set right.

    The message is one sentence: what is wrong, where, what was expected, what to do. Programs
    print it and end with exit code 1; no traceback is shown.
    """
