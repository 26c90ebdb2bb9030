"""Errors whose message is for the user."""


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one sentence: what is wrong, where, what was expected, what to do. Programs
    print it and end with `exit_code`; no traceback is shown.
    """

    exit_code = 1


class DatasetError(UserError):
    """A prepared dataset, what it is to be made of, or a run made with it is not as it must be."""


class UsageError(UserError):
    """Flags that contradict each other or make no sense."""


class WorkerLostError(UserError):
    """One of several processes that train together has ended, or cannot be reached."""

    exit_code = 75  # EX_TEMPFAIL: the same command may succeed later
