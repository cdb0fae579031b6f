"""What the fields of a model mean: the docstrings below them, read when somebody asks.

Pydantic can read them as it makes a model (`use_attribute_docstrings`), which costs every start of every command an
eighth of its time, for words that only the list of settings and the REST document show.
"""

import ast
import inspect
import linecache
import sys
from functools import cache
from itertools import pairwise
from types import ModuleType

from pydantic import BaseModel

from schemas.base import Adjustable, Frozen


def describe(model: type[BaseModel]) -> None:
    """Give each field of the model its docstring as `description`, where it has none."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _docstrings(base)
    for name, field in model.model_fields.items():
        if field.description is None:
            field.description = found.get(name)


def describe_all() -> None:
    """Describe every model that has been imported."""
    waiting: list[type[BaseModel]] = [Frozen, Adjustable]
    while waiting:
        model = waiting.pop()
        describe(model)
        waiting += model.__subclasses__()
    _classes.cache_clear()  # syntax trees and sources of all files: 3 MB
    linecache.clearcache()


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the string below it in the class's source; none where there is no source."""
    made = _classes(sys.modules[model.__module__]).get(model.__name__)
    body = made.body if made is not None else []
    return {
        field.target.id: inspect.cleandoc(words.value.value)
        for field, words in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant) and isinstance(words.value.value, str)
    }


@cache
def _classes(module: ModuleType) -> dict[str, ast.ClassDef]:
    """The classes of a file."""
    try:
        source = inspect.getsource(module)
    except (OSError, TypeError):  # made in an interpreter's session
        return {}
    return {made.name: made for made in ast.parse(source).body if isinstance(made, ast.ClassDef)}
