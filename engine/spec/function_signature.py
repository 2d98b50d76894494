"""What a function of the user's own takes, read from its file without running a line of it.

Forms, plans and lists of sessions look at specs; only a search that its user starts runs what they name.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import SpecError
from engine.spec.bounds import check_value
from engine.spec.catalogue import MODEL_PREFIX, TRAINING_HYPERPARAMETERS
from engine.spec.models import GIVEN, KerasFunction, model_of_function, parse_model
from engine.system.regular_files import read_regular

_LARGEST_FILE = 4 << 20
_OURS = (*TRAINING_HYPERPARAMETERS, "optimizer", "learning_rate")  # without the prefix, these are the training's


@dataclass(frozen=True)
class Signature:
    """The parameters of a function with their defaults as the file writes them, None where there is none.

    `takes_any`: it takes every other name too. `meta` and `compile_kwargs` are not among them.
    """

    parameters: Mapping[str, str | None]
    takes_any: bool

    def __str__(self) -> str:
        shown = [name if default is None else f"{name} = {default}" for name, default in self.parameters.items()]
        return ", ".join(shown) or "no parameters"


def with_function_settled(values: Mapping[str, Any], folder: Path | None) -> Mapping[str, Any]:
    """A spec's values with the function found: its folder named, and all its parameters in a space with `model__`.

    Raises SpecError where the file cannot be read, has no such function, or has one that takes something else.
    """
    raw = values.get("model")
    if raw is None or raw == "perceptron":
        return values
    check_value(values, "")
    if callable(raw):
        raw = model_of_function(raw, "model")
    model = parse_model(raw, "model")
    if not isinstance(model, KerasFunction):
        return values
    base = (folder or Path()).absolute() / model.folder
    named = model.file if model.is_file else None
    if named is not None:
        # Relative to the spec's folder, wherever the path leads from there.
        path = base / model.place
        model = KerasFunction(f"{path.name}:{model.name}", str(path.parent), model.arguments)
    else:
        model = KerasFunction(model.function, str(base), model.arguments)
    signature = read_signature(model)
    if signature is not None:
        for name in model.arguments:
            _check_name(name, model.arguments[name], f"model.arguments.{name}", model, signature)
    spaces = values.get("space")
    settled: Any = spaces
    if isinstance(spaces, Mapping):
        settled = _settled_space(spaces, "space", model, signature)
    elif isinstance(spaces, list | tuple):
        settled = [
            _settled_space(space, f"space[{number}]", model, signature) if isinstance(space, Mapping) else space
            for number, space in enumerate(spaces)
        ]
    return {**values, "model": model.to_values(), **({"space": settled} if "space" in values else {})}


def read_signature(model: KerasFunction) -> Signature | None:
    """What the function takes; None where only running the file could tell, as with one that is imported there.

    Raises SpecError where there is no such file, or it is no Python, or it names no such function.
    """
    file = model.file
    try:
        content = read_regular(file, _LARGEST_FILE, follow_links=True)
    except (OSError, ValueError) as error:
        if not model.is_file and isinstance(error, FileNotFoundError):
            return None  # an installed package
        raise SpecError("model", model.function, f"a file that can be read: {file}: {_reason(error)}") from error
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f"{file}, line {error.lineno}" if isinstance(error, SyntaxError) else str(file)
        raise SpecError("model", model.function, f"a file of Python: {where}: {_reason(error)}") from error
    found: ast.stmt | None = None
    others: list[str] = []
    is_known = True
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            others.append(statement.name)
            found = statement if statement.name == model.name else found
        elif _may_bind(statement, model.name):
            found, is_known = statement, False
    if found is None:
        known = f"one of its functions: {', '.join(others)}" if others else "a function that it has; it has none"
        raise SpecError("model", model.function, f"{file}, with {known}")
    if not is_known or not isinstance(found, ast.FunctionDef) or found.decorator_list:
        return None
    return _signature(found.args)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or getattr(error, "msg", None) or error)


def _may_bind(statement: ast.stmt, name: str) -> bool:
    """Whether a statement that defines no function may give the name a meaning."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.alias) and name in ((node.asname or node.name), "*"):
            return True
        if isinstance(node, ast.alias) and node.name == "*":
            return True
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return True
    return False


def _signature(arguments: ast.arguments) -> Signature:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    parameters = {
        argument.arg: None if default is None else ast.unparse(default)
        for argument, default in pairs
        if argument.arg not in GIVEN
    }
    return Signature(parameters, arguments.kwarg is not None)


def _settled_space(
    space: Mapping[str, Any], place: str, model: KerasFunction, signature: Signature | None
) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    for written, value in space.items():
        name = str(written)
        is_own = signature is not None and name in signature.parameters and name not in _OURS
        full = f"{MODEL_PREFIX}{name}" if is_own else name
        if full in settled:
            raise SpecError(f"{place}.{name}", value, f"{full} once, with the prefix or without it")
        if model.takes(full) and signature is not None:
            _check_name(full.removeprefix(MODEL_PREFIX), value, f"{place}.{name}", model, signature)
        elif not model.takes(full) and name not in _OURS:
            own = f"; {model.function} takes {signature}" if signature is not None else ""
            known = f"one of {', '.join(_OURS)}, or {MODEL_PREFIX}... for a parameter of the model's function{own}"
            raise SpecError(f"{place}.{name}", value, known)
        if full.removeprefix(MODEL_PREFIX) in model.arguments and model.takes(full):
            raise SpecError(f"{place}.{name}", value, "it in the space or in model.arguments, not in both")
        settled[full] = value
    missing = [
        name
        for name, default in (signature.parameters if signature is not None and space else {}).items()
        if default is None and name not in model.arguments and f"{MODEL_PREFIX}{name}" not in settled
    ]
    if missing:
        accepted = f"{MODEL_PREFIX}{missing[0]} too, which {model.function} needs: it takes {signature}"
        raise SpecError(place, ", ".join(map(str, space)), accepted)
    return settled


def _check_name(name: str, value: object, place: str, model: KerasFunction, signature: Signature) -> None:
    if name in GIVEN or not (name in signature.parameters or signature.takes_any):
        raise SpecError(place, value, f"a parameter of {model.function}, which takes {signature}")
