"""The base of all errors that tell a user of a mistake."""


class UserError(Exception):
    """Something the user can set right.

    The message is one sentence: what is wrong, where, what was expected, what to do. Programs
    print it and end with `exit_code`; no traceback is shown.
    """

    exit_code = 1


class UsageError(UserError):
    """Flags that contradict each other or make no sense."""


class WorkerLostError(UserError):
    """One of several processes that train together has ended, or cannot be reached."""

    exit_code = 75  # by custom that of a failure which another try may not meet
