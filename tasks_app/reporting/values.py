"""The values that a job may report: numbers, and stages with their weights. Pure."""

import math
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

from ..exceptions import describe
from ..snapshot import MAX_NAME_LENGTH, Stage
from ..utils.json import mend_text


def make_stages(weights: Mapping[str, float], *, limit: int) -> tuple[Stage, ...]:
    """Return stages with these weights.

    Args:
        limit: how many there may be, since each snapshot carries all of them.

    Raises:
        TypeError, ValueError: `weights` is empty or has more than `limit`, a name has more than MAX_NAME_LENGTH
            characters, or a weight is not a finite number above 0.
    """
    if not weights:
        raise ValueError("stages() needs at least one stage, not {}")
    if (number := len(weights)) > limit:
        raise ValueError(f"stages() was given {number!r} stages; MAX_STAGES allows {limit!r}")
    if long := [name for name in weights if len(str(name)) > MAX_NAME_LENGTH]:
        raise ValueError(f"a stage's name may have at most {MAX_NAME_LENGTH!r} characters, not {long[0]!r}")
    return tuple(Stage(name=mend_text(str(name)), weight=_check_weight(name, weights[name])) for name in weights)


def find_stage(name: object, names: Sequence[str]) -> str:
    """Return the name of a stage as `make_stages` takes it.

    Raises:
        ValueError: it is not among the declared `names`.
    """
    name = mend_text(str(name))
    if name not in names:
        raise ValueError(f"unknown stage {name!r}; declared by stages(): {list(names)!r}")
    return name


#: Integers of up to this many bits are exact as floats.
EXACT_BITS = sys.float_info.mant_dig


def check_number(name: str, value: Any) -> float:
    """Return `value` as an int or float that JSON can carry.

    Raises:
        TypeError, ValueError: `value` is not a finite number; the message names it `name`.
    """
    if type(value) is int and value.bit_length() <= EXACT_BITS:  # the usual case, tested first for speed
        return value
    kind = type(value)
    if kind is not int and kind is not float and (kind is bool or not isinstance(value, Real | Decimal)):
        raise TypeError(f"{name} must be a number, not {describe(value)}")
    try:
        as_float = float(value)
    except OverflowError:
        as_float = math.inf
    if not math.isfinite(as_float):
        raise ValueError(f"{name} must be finite, not {describe(value)}")
    return int(value) if as_float.is_integer() else as_float


def _check_weight(name: str, value: Any) -> float:
    weight = check_number(f"the weight of stage {name!r}", value)
    if weight <= 0:
        raise ValueError(f"the weight of stage {name!r} must be above 0, not {describe(value)}")
    return weight
