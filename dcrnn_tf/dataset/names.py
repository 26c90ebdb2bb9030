"""Names that the owner of a dataset chose, and the ASCII names that stand for them.

Any printable name works: it is the key of a batch, of a label and of a result, and what people
read. TensorFlow's scopes and arguments, and file systems, take less. Where these need a name they
get one made here; a plain name such as `user_id` stands for itself.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable

_PLAIN = re.compile("[A-Za-z][A-Za-z0-9_]{0,99}")
_LONGEST = 50  # characters of a name that is made
_UNPRINTABLE = {"Cc": "a control character", "Cs": "half of a character"}
_UNPRINTABLE |= {"Zl": "a line break", "Zp": "a line break"}


def fault_of(name: object) -> str | None:
    """Returns what makes a name one that nobody can print and tell from others, None if nothing."""
    if not isinstance(name, str):
        return "is no text"
    if not name.strip():
        return "has no visible character"
    for character in name:
        if found := _UNPRINTABLE.get(unicodedata.category(character)):
            return f"holds {found} (U+{ord(character):04X})"
    return None


def ascii_names(names: Iterable[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """Returns an ASCII name for each name, `{name: ASCII name}`, in the order of the names.

    An ASCII name begins with a letter and has letters, digits and underscores alone. No two of
    them are the same, in upper and lower case alike. A plain name is its own, unless it is reserved
    or differs from an earlier one by case alone.

    Args:
      names: Distinct names.
      reserved: Names that must not be used.
    """
    names = list(names)
    taken = {name.lower() for name in reserved}
    found = {}
    keeps_its_own = {name: bool(_PLAIN.fullmatch(name)) and name not in reserved for name in names}
    for name in sorted(names, key=lambda name: not keeps_its_own[name]):  # first those that do
        made = base = name if _PLAIN.fullmatch(name) else _spelled(name)
        number = 1
        while made.lower() in taken:
            number += 1
            made = f"{base}_{number}"
        taken.add(made.lower())
        found[name] = made
    return {name: found[name] for name in names}


def per_exposure(task: str) -> str:
    """Returns the name of the output that a model adds for a task defined where another is."""
    return f"{task}_per_exposure"


def column_name(name: str) -> str:
    """Returns the name of the column on disk of a field or task: slashes are for parts of lists."""
    return name.replace("%", "%25").replace("/", "%2F")


def file_names(name: str) -> tuple[str, str]:
    """Returns the names under which a file of what bears the name may lie, the usual one first.

    The second has a digest of the name, so that every name has another one, on file systems too
    that ignore case. It is for a folder in which the first is that of another name; a name that is
    not plain has no other.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    unique = f"{_spelled(name)}-{digest}"
    return (name if _PLAIN.fullmatch(name.lstrip("_")) else unique), unique


def _spelled(name: str) -> str:
    """Returns a name of ASCII letters, digits and underscores that resembles the given one."""
    spelled = re.sub("[^\\x00-\\x7f]", lambda found: f"u{ord(found[0]):x}", name)
    spelled = re.sub("[^A-Za-z0-9_]", "_", spelled)[:_LONGEST]
    return spelled if spelled[0].isalpha() else f"x{spelled}"
