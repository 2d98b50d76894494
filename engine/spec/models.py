"""What is trained, as a spec writes it: a class for each kind of model, which knows its own hyperparameters."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import SpecError
from engine.spec.catalogue import MODEL_PREFIX, PERCEPTRON_HYPERPARAMETERS, Anything, Kind

GIVEN = ("meta", "compile_kwargs")  # what a function gets without being asked, if it names them
_ACCEPTED = '"perceptron", the built-in network, or a function that builds a Keras model, as in "models.py:build"'
_FUNCTION = re.compile(r"(?P<place>[^:]+):(?P<name>[^\W\d]\w*)")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_KEYS = ("function", "folder", "arguments")


class Perceptron(msgspec.Struct, frozen=True, tag_field="kind", tag="perceptron"):
    """The built-in network: hidden layers with one activation, dropout and penalty, and an output for each class."""

    @property
    def hyperparameters(self) -> Mapping[str, tuple[Kind, Any]]:
        """Names that a space may use for it, beside those of every training: what each accepts, and its default."""
        return PERCEPTRON_HYPERPARAMETERS

    def takes(self, name: str) -> bool:
        """Whether a name of a space is one of its parameters that no table lists: it has none."""
        del name
        return False


class KerasFunction(msgspec.Struct, frozen=True, tag_field="kind", tag="keras_function"):
    """A function of the user's own that builds a Keras model, by scikeras' contract.

    `function`: "models.py:build", or "package.module:build". `folder`: where that file or package lies.
    `arguments`: what the function gets in every combination, as with `functools.partial`.
    """

    function: str
    folder: str
    arguments: dict[str, Any] = {}

    @property
    def hyperparameters(self) -> Mapping[str, tuple[Kind, Any]]:
        """None that a table could list: what the function takes stands in its file."""
        return {}

    def takes(self, name: str) -> bool:
        """Whether a name of a space is meant for the function."""
        return name.startswith(MODEL_PREFIX) and len(name) > len(MODEL_PREFIX)

    @property
    def place(self) -> str:
        """The file or the module."""
        return self.function.rpartition(":")[0]

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.function.rpartition(":")[2]

    @property
    def is_file(self) -> bool:
        """Whether `place` is a file; else it is a module."""
        return self.place.endswith(".py")

    @property
    def file(self) -> Path:
        """The file that the spec names; of a module, the one where it lies if the folder holds it."""
        if self.is_file:
            return Path(self.folder) / self.place
        below = Path(self.folder).joinpath(*self.place.split("."))
        package = below / "__init__.py"
        return package if package.is_file() else below.with_suffix(".py")

    def to_values(self) -> dict[str, Any]:
        """Plain values that `parse_model` takes back."""
        values = {"function": self.function, "folder": self.folder, "arguments": self.arguments}
        return {key: value for key, value in values.items() if value != {}}


Model = Perceptron | KerasFunction


def parse_model(raw: object, place: str) -> Model:
    """The model that a spec names, or None for the built-in network. Raises SpecError."""
    if raw is None or raw == "perceptron":
        return Perceptron()
    if isinstance(raw, str):
        raw = {"function": raw}
    if not isinstance(raw, Mapping) or "function" not in raw:
        raise SpecError(place, raw, _ACCEPTED)
    for key in raw:
        if key not in _KEYS:
            raise SpecError(f"{place}.{key}", raw[key], f"one of {', '.join(_KEYS)}")
    function, folder, arguments = raw["function"], raw.get("folder", "."), raw.get("arguments", {})
    matched = _FUNCTION.fullmatch(function) if isinstance(function, str) and len(function) <= 1_000 else None
    if matched is None or not (matched["place"].endswith(".py") or _MODULE.fullmatch(matched["place"])):
        raise SpecError(place, function, _ACCEPTED)
    if not isinstance(folder, str) or not folder or "\0" in folder:
        raise SpecError(f"{place}.folder", folder, "the folder in which the function's file or package lies")
    if not isinstance(arguments, Mapping):
        raise SpecError(f"{place}.arguments", arguments, "a table of arguments that every combination has")
    for name, value in arguments.items():
        if not Anything().accepts(value):
            raise SpecError(f"{place}.arguments.{name}", value, str(Anything()))
    return KerasFunction(function, folder, dict(arguments))


def model_of_function(function: Any, place: str) -> dict[str, Any]:
    """A function, or a `functools.partial` of one, as a spec writes it. Raises SpecError for one that has no name.

    Worker processes, and the same search when it is resumed, read its file: one that was typed into a notebook, or that
    stands in the script that is run, is in no file that can be read without running a search again.
    """
    arguments: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        if function.args:
            raise SpecError(place, function, "functools.partial with arguments by name")
        arguments = {**function.keywords, **arguments}
        function = function.func
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    code = getattr(function, "__code__", None)
    if not isinstance(module, str) or not isinstance(name, str) or code is None:
        raise SpecError(place, function, _ACCEPTED)
    if module == "__main__" or not name.isidentifier():
        accepted = "a function at the top of a file of its own, such as models.py, imported from there"
        raise SpecError(place, f"{module}:{name}", accepted)
    file = Path(code.co_filename).absolute()
    levels = len(module.split(".")) - (file.name != "__init__.py")
    if levels == 0:
        return {"function": f"{file.name}:{name}", "folder": str(file.parent), "arguments": arguments}
    return {"function": f"{module}:{name}", "folder": str(file.parents[levels]), "arguments": arguments}
