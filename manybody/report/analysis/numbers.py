"""Numbers with their errors as reports write them: 0.0652(11)."""

import math

# Beyond these powers of ten a number is written with one.
_SMALLEST, _LARGEST = -4, 5


def with_error(value: float, error: float) -> str:
    """value(error), the error in units of the last digit: two digits where it begins with 1.

    Without a finite, positive error the value alone, to four digits.
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return f"{value:.4g}"
    power = _power(max(abs(value), error))
    shift = 0 if _SMALLEST <= power < _LARGEST else power
    text = _plain(value / 10.0**shift, error / 10.0**shift)
    return f"{text}e{shift:+d}" if shift else text


def _plain(value: float, error: float) -> str:
    decimals = -_power(error)
    decimals += error * 10.0**decimals < 1.95
    decimals = max(decimals, 0)
    return f"{value:.{decimals}f}({round(error * 10.0**decimals)})"


def _power(number: float) -> int:
    return math.floor(math.log10(number))
