"""What a public docstring has to have, in numpydoc's sections."""

import functools
import inspect
import math
import re

from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

# Of numpydoc's: blank lines, unknown sections and their order; a summary of one line, with a
# capital letter and a full stop; parameters and results with a type and a description.
FORMAT = {"GL03", "GL05", "GL06", "GL07", "GL08", "SS01", "SS02", "SS03", "SS06"}
FORMAT |= {"PR04", "PR05", "PR06", "PR07", "PR09", "PR10", "RT02", "RT03", "RT05"}
SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "Notes", "Examples")
_PROPERTIES = (property, functools.cached_property)


def address(found):
    return f"{found.__module__}.{found.__qualname__}"


def ours(cls):
    """A class and its bases of this package."""
    return [base for base in cls.__mro__ if base.__module__.startswith("manybody")]


def function_of(value):
    """What a property, a method or a wrapper of one calls."""
    if isinstance(value, _PROPERTIES):
        return value.fget if isinstance(value, property) else value.func
    return value.__func__ if isinstance(value, (classmethod, staticmethod)) else value


def members(cls):
    """Public methods and properties, those of bases too: name -> function, is it a property."""
    found = {name: value for base in reversed(ours(cls)) for name, value in vars(base).items()}
    fields = getattr(cls, "__dataclass_fields__", {})
    chosen = {
        name: (function_of(value), isinstance(value, _PROPERTIES))
        for name, value in found.items()
        if (name[0] != "_" or name == "__call__") and name not in fields
    }
    return {name: pair for name, pair in chosen.items() if inspect.isfunction(pair[0])}


def attributes(cls):
    """Public ones that are neither methods nor properties, by name."""
    functions = members(cls)
    source = "\n".join(map(inspect.getsource, ours(cls)))
    # self.a, self.b = ...
    assigned = re.findall(r"^\s+(self\.\w+(?:, self\.\w+)*)(?:: .+)? = ", source, re.M)
    names = {name[5:] for each in assigned for name in each.split(", ")}
    for base in ours(cls):
        names |= {*vars(base), *inspect.get_annotations(base)}
    return {name for name in names if name[0] != "_" and name not in functions}


def sections_of(docstrings):
    """Sections of the first docstring; those that it lacks from the next ones, if overridden."""
    parsed = [NumpyDocString(inspect.cleandoc(each)) for each in docstrings]
    return {name: next((doc[name] for doc in parsed if doc[name]), []) for name in SECTIONS}


def names_in(entries):
    return [name.strip().lstrip("*") for each in entries for name in each.name.split(",")]


def asked_for(function):
    names = inspect.signature(function).parameters
    return [name for name in names if name not in ("self", "cls")]


def summary_problems(docstring):
    paragraph = inspect.cleandoc(docstring).split("\n\n")[0]
    if not re.fullmatch(r"[^a-zα-ω\s].*\.", paragraph) or re.search(r"[.!?]\s+[A-Z]", paragraph):
        yield f"the summary is not one line of one sentence: {paragraph!r}"


# What reStructuredText takes for an item of a list, and shows without its words.
_ITEM = re.compile(r"\s*(?:[A-Za-z]|\d+|[ivxlcdm]+|[IVXLCDM]+)[.)](?:\s|$)")


def list_problems(docstring):
    for line in filter(_ITEM.match, inspect.cleandoc(docstring).split("\n")):
        yield f"{line.strip()!r} begins as an item of a list"


def name_problems(documented, wanted):
    yield from (f"parameter {name} is not documented" for name in wanted if name not in documented)
    yield from (f"there is no parameter {name}" for name in documented if name not in wanted)
    if sorted(documented) == sorted(wanted) and documented != wanted:
        yield f"parameters come in the order {wanted}"


# What is written as it is in the signature; of others the word is enough.
_LITERALS = (int, float, str, tuple, type(None))


def default_problems(entries, function):
    parameters = inspect.signature(function).parameters
    said = {
        name: entry.type.partition("default ")[2]
        for entry in entries
        for name in names_in([entry])
    }
    for name in said.keys() & parameters.keys():
        default = parameters[name].default
        if default is inspect.Parameter.empty:
            yield from [f"{name} has no default"] * bool(said[name])
        elif (
            not said[name]
            or isinstance(default, _LITERALS)
            and written(said[name]) != repr(default)
        ):
            yield f"the default of {name} is {default!r}, not {said[name]}"


def written(text):
    """What a literal of a docstring looks like in Python."""
    try:
        return repr(eval(text, {"inf": math.inf, "nan": math.nan}))
    except (NameError, SyntaxError):
        return text


def missing_problems(sections, wanted):
    yield from (f"there is no section {name}" for name in wanted if not sections[name])


def function_problems(function, docstrings, is_public=True):
    """Of a function or method with a docstring, and those of the methods that it overrides."""
    sections = sections_of(docstrings)
    yield from [*summary_problems(docstrings[0]), *list_problems(docstrings[0])]
    yield from name_problems(names_in(sections["Parameters"]), asked_for(function))
    yield from default_problems(sections["Parameters"], function)
    gives = inspect.signature(function).return_annotation not in (None, inspect.Signature.empty)
    raises = is_public or re.search(r"^\s+raise ", inspect.getsource(function), re.M)
    wanted = ["Returns"] * gives + ["Raises"] * bool(raises) + ["Examples"] * is_public
    yield from missing_problems(sections, wanted)


def judges(cls):
    """Whether there is code that judges the arguments of which one is made."""
    written = [
        inspect.getsource(vars(base)[name])
        for base in ours(cls)
        for name in ("__init__", "__post_init__")
        if f"def {name}(" in inspect.getsource(base)
    ]
    return any(re.search(r"raise |arguments\.|check", body) for body in written)


def class_problems(cls):
    """Of the class itself: what it is made of, and what it holds."""
    sections = sections_of([cls.__doc__])
    yield from [*summary_problems(cls.__doc__), *list_problems(cls.__doc__)]
    is_made = getattr(cls.__init__, "__module__", "").startswith("manybody")
    wanted = asked_for(cls) if is_made else []
    parameters, held = names_in(sections["Parameters"]), names_in(sections["Attributes"])
    # What others make says what it holds.
    yield from name_problems(parameters or [name for name in held if name in wanted], wanted)
    if is_made:
        yield from default_problems(sections["Parameters"], cls)
    known = attributes(cls)
    yield from (f"there is no attribute {name}" for name in held if name not in known)
    every = [sections_of([base.__doc__ or ""]) for base in ours(cls)]
    said = {*parameters, *(name for each in every for name in names_in(each["Attributes"]))}
    yield from (f"attribute {name} is not documented" for name in sorted(known - said))
    yield from missing_problems(sections, ["Raises"] * judges(cls) + ["Examples"])


def problems(found):
    """All that a public function or class lacks, its methods and properties too."""
    if inspect.isfunction(found):
        yield from function_problems(found, [found.__doc__])
        return
    yield from class_problems(found)
    for name, (member, is_property) in members(found).items():
        overridden = [function_of(vars(base)[name]) for base in ours(found) if name in vars(base)]
        docstrings = [each.__doc__ for each in overridden if each.__doc__]
        if is_property:
            wrong = summary_problems(docstrings[0])
        else:
            wrong = function_problems(inspect.unwrap(member), docstrings, is_public=False)
        yield from (f"{name}: {each}" for each in wrong)


def format_errors(found):
    """What numpydoc says of the form."""
    names = [address(found)]
    if inspect.isclass(found):
        names += [address(inspect.unwrap(member)) for member, _ in members(found).values()]
    return [
        f"{name}: {code} {words}"
        for name in names
        for code, words in validate(name)["errors"]
        if code in FORMAT
    ]
