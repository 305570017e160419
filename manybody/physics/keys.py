"""What names in a study mean to whoever writes one: the reference of its keys is made of this."""

from dataclasses import dataclass
from typing import Any, Final


class InWords(str):
    """A default that no value of TOML says, or that depends on other keys."""


REQUIRED: Final = InWords("required")


@dataclass(frozen=True)
class Key:
    """The meaning of a key.

    unit: "" for none; default: what its absence stands for, lists as tuples.
    """

    meaning: str
    unit: str
    default: Any = REQUIRED
