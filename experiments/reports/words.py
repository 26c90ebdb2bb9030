"""How values are printed on a page: numbers, intervals, p-values and settings."""

from collections.abc import Mapping

NOT_AVAILABLE = "n/a"


def number(value: float | None, form: str = ".4f") -> str:
    """Returns a number as it is printed; `n/a` where there is none."""
    return NOT_AVAILABLE if value is None else format(value, form)


def interval(ends: tuple[float, float] | None, form: str = ".4f") -> str:
    """Returns an interval as it is printed; `n/a` where there is none."""
    return NOT_AVAILABLE if ends is None else f"{ends[0]:{form}} to {ends[1]:{form}}"


def p_value(value: float | None) -> str:
    """Returns a p-value as it is printed, without its `p =`."""
    if value is None:
        return NOT_AVAILABLE
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def plain(value: object) -> str:
    """Returns a setting's value as it is printed."""
    if value is None:
        return "not given"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
