"""Letters and signs of physics for whoever has ASCII, or another small encoding, alone."""

import re
import unicodedata

_POWERS, _INDICES = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉₊₋"
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "·": "*", "×": "x", "⊗": "(x)", "∘": "o", "√": "sqrt",
    "∞": "inf", "∝": "~", "≈": "~", "≤": "<=", "≥": ">=", "≠": "!=", "±": "+-", "→": "->",
    "←": "<-", "∈": "in", "∫": "int", "∂": "d", "ħ": "hbar", "⟨": "<", "⟩": ">", "‖": "||",
    "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "½": "(1/2)", "⅓": "(1/3)",
    "¼": "(1/4)", "′": "'", "≫": ">>", "≪": "<<", "≲": "<~", "≳": ">~", "∓": "-+", "≡": "==",
    "≃": "~", "†": "+", "\u0303": "~", "\u0302": "^", "\u0304": "-",
}  # fmt: skip


def spelled(text: str, encoding: str) -> str:
    """The text as an encoding can have it: in ASCII powers, Greek letters and signs in words."""
    if not _missing(text, encoding):
        return text
    for letters, mark in ((_POWERS, "^"), (_INDICES, "_")):
        text = re.sub(f"[{letters}]+", lambda run: mark + _compatible(run[0]), text)  # noqa: B023
    # A letter that becomes a word stands apart from its neighbours.
    text = re.sub(r"(?<=[^\W_])(?=[Α-ω])|(?<=[Α-ω])(?=[^\W_])", " ", text)
    return "".join(_spelled(one) if _missing(one, encoding) else one for one in text)


def _missing(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return True
    return False


def _spelled(letter: str) -> str:
    if letter in _SIGNS:
        return _SIGNS[letter]
    name = unicodedata.name(letter, "")
    greek = re.match(r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?(\w+)", name)
    if greek:
        word = greek[2].lower().replace("lamda", "lambda")
        return word if greek[1] == "SMALL" else word.capitalize()
    return _compatible(letter) or letter.encode("ascii", "backslashreplace").decode()


def _compatible(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).replace("−", "-")
    return plain.encode("ascii", "ignore").decode()
