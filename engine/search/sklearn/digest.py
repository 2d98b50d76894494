"""A digest of a task: of everything that decides what it computes, the same in every process that runs the same script.

Values are walked rather than pickled, since a pickle of the same thing differs from process to process: the order of a
set depends on PYTHONHASHSEED, and a function defined in a script carries its line numbers. Functions and classes of
installed packages count by their names and the versions of their packages; those of the user count by their code, with
their constants, defaults, closures and the globals that they use, and so on through what those use.

What this cannot see decides nothing here: files that are read, the environment, the network, and native code.
"""

from __future__ import annotations

import dis
import enum
import functools
import hashlib
import importlib.metadata
import importlib.util
import struct
import sys
import sysconfig
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_VALUES = 5_000_000
DEEPEST = 200
_SIZE = 20  # bytes of a digest
_LONGEST_REMEMBERED = 100  # characters of a text
_CHUNK = 1 << 20  # bytes of an array that is not contiguous, copied at a time
_NOT_OF_A_CLASS = {
    *("__module__", "__doc__", "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__", "__qualname__"),
    *(
        "__abstractmethods__",
        "_abc_impl",
        "__annotations__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
    ),
}
_NOT_OF_CODE = 0x4000000  # CO_HAS_DOCSTRING, since Python 3.13
_NO_ORDER = (set, frozenset)
_PACKAGES = {"site-packages", "dist-packages"}  # folders that installed packages lie in


class UndigestibleError(Exception):
    """A value that cannot be told from others, such as an open file; the message says which."""


class Digester:
    """Makes digests; remembers those of values that it has met, so that data are read once.

    What is remembered holds as long as nobody changes a value in place: `forget` when that may have happened.

    Example: `Digester().of(estimator, X, y)` is 40 hexadecimal digits.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, bytes]] = {}  # by id; the value is kept, so that its id stays its own
        self._path: dict[int, int] = {}  # values that are being walked now, and how deep each stands
        self._lowest = DEEPEST + 1  # the highest place of the path that something below refers back to
        self._count = 0

    def forget(self) -> None:
        """Read every value anew from now on."""
        self._known.clear()

    def of(self, *values: Any) -> str:
        """The digest of some values together, and of the versions of the packages whose code they use.

        Raises UndigestibleError for what cannot be told from others, is nested too deep, or is too much.
        """
        self._count = 0
        return _hashed(b"values", *map(self._walk, values)).hex()

    def _walk(self, value: Any) -> bytes:
        kind = type(value)
        if kind is str and len(value) <= _LONGEST_REMEMBERED:
            return _of_text(value)
        if value is None or value is ... or value is NotImplemented:
            return _of_singleton(value)
        if kind in _ATOMS:
            return _hashed(kind.__name__.encode(), _ATOMS[kind](value))
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        place = self._path.get(id(value))
        if place is not None:
            self._lowest = min(self._lowest, place)
            return _hashed(b"back", str(len(self._path) - place).encode())
        self._count += 1
        depth = len(self._path)
        if depth >= DEEPEST or self._count > MOST_VALUES:
            message = f"{_name(kind)}: values nested too deep, or too many of them"
            raise UndigestibleError(message)
        above, self._lowest = self._lowest, DEEPEST + 1
        self._path[id(value)] = depth
        try:
            digest = _hashed(*self._parts(value, kind))
        finally:
            del self._path[id(value)]
        # What is part of a circle looks different from where it is entered, so it is not remembered.
        if self._lowest > depth:
            self._known[id(value)] = value, digest
        self._lowest = above if self._lowest >= depth else min(above, self._lowest)
        return digest

    def _parts(self, value: Any, kind: type) -> Iterable[bytes]:
        if kind in (list, tuple):
            return (kind.__name__.encode(), *map(self._walk, value))
        if kind is dict:
            return (b"dict", *sorted(self._walk(key) + self._walk(item) for key, item in value.items()))
        if kind in _NO_ORDER:
            return (kind.__name__.encode(), *sorted(map(self._walk, value)))
        if kind is types.FunctionType:
            return self._function(value)
        if kind is types.CodeType:
            return self._code(value)
        if isinstance(value, type):
            return self._class(value)
        if kind is types.ModuleType:
            return self._module(value, ())
        if kind in (types.BuiltinFunctionType, types.MethodWrapperType, types.MethodDescriptorType):
            return self._builtin(value)
        if kind is types.MethodType:
            return b"method", self._walk(value.__func__), self._walk(value.__self__)
        if kind is functools.partial:
            return b"partial", self._walk(value.func), self._walk(value.args), self._walk(value.keywords)
        if kind in (staticmethod, classmethod):
            return kind.__name__.encode(), self._walk(value.__func__)
        if kind is property:
            return b"property", self._walk(value.fget), self._walk(value.fset), self._walk(value.fdel)
        if isinstance(value, enum.Enum):
            return b"enum", self._walk(kind), value.name.encode()
        return self._special(value, kind) or self._object(value, kind)

    # Code

    def _function(self, function: types.FunctionType) -> Iterable[bytes]:
        if _is_installed(function.__module__):
            return (
                b"installed",
                f"{function.__module__}.{function.__qualname__} {_version(function.__module__)}".encode(),
            )
        cells = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
        names = _names(function.__code__)
        used = sorted(name for name in names if name in function.__globals__)
        return (
            b"function",
            self._walk(function.__code__),
            self._walk(function.__defaults__),
            self._walk(function.__kwdefaults__),
            *map(self._walk, cells),
            *(name.encode() + self._global(function.__globals__[name], names) for name in used),
            *(self._imported(name, names) for name in sorted(_imports(function.__code__))),
            self._walk({key: item for key, item in vars(function).items() if key != "__wrapped__"}),
        )

    def _global(self, value: Any, names: frozenset[str]) -> bytes:
        """A global that a function uses: of a module of the user's, what the function may use of it."""
        if isinstance(value, types.ModuleType):
            return _hashed(*self._module(value, names))
        return self._walk(value)

    def _imported(self, name: str, names: frozenset[str]) -> bytes:
        """A module that a function imports when it runs: one that nobody has imported yet is known by its file."""
        if name in sys.modules:
            return _hashed(*self._module(sys.modules[name], names))
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        if name.partition(".")[0] in sys.stdlib_module_names or spec is None or spec.origin is None:
            return _hashed(b"module", name.encode())
        if not _PACKAGES.isdisjoint(Path(spec.origin).parts):
            return _hashed(b"module", f"{name} {_version(name)}".encode())
        try:
            return _hashed(b"file of a module", Path(spec.origin).read_bytes())
        except OSError as error:
            message = f"{name}: {error}"
            raise UndigestibleError(message) from error

    def _module(self, module: types.ModuleType, names: Iterable[str]) -> Iterable[bytes]:
        if _is_installed(module.__name__):
            return b"module", f"{module.__name__} {_version(module.__name__)}".encode()
        mark = id(module)
        if mark in self._path:
            return b"module", b"back"
        self._path[mark] = len(self._path)
        try:
            wanted = frozenset(names)
            used = sorted(name for name in wanted if name in vars(module))
            return b"own module", *[name.encode() + self._global(vars(module)[name], wanted) for name in used]
        finally:
            del self._path[mark]

    def _code(self, code: types.CodeType) -> Iterable[bytes]:
        """What the code does; not where it stands, nor its docstring, which no instruction loads."""
        yield b"code"
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & ~_NOT_OF_CODE)
        yield repr((*shape, code.co_varnames, code.co_freevars, code.co_cellvars)).encode()
        yield code.co_exceptiontable
        for instruction in dis.get_instructions(code):
            yield instruction.opname.encode()
            argument = instruction.argval
            if instruction.opcode in dis.hasconst:
                yield self._walk(argument)
            elif argument is not None:
                yield repr(argument).encode()

    def _class(self, kind: type) -> Iterable[bytes]:
        if _is_installed(kind.__module__):
            return b"installed", f"{_name(kind)} {_version(kind.__module__)}".encode()
        members = sorted((name, item) for name, item in vars(kind).items() if name not in _NOT_OF_A_CLASS)
        plain = [(name, item) for name, item in members if not isinstance(item, _SLOTS)]
        return (
            b"class",
            kind.__name__.encode(),
            *map(self._walk, kind.__bases__),
            *(name.encode() + self._walk(item) for name, item in plain),
        )

    def _builtin(self, value: Any) -> Iterable[bytes]:
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            home = getattr(value, "__module__", None) or "builtins"
            return b"builtin", f"{home}.{value.__qualname__} {_version(home)}".encode()
        return b"bound builtin", value.__qualname__.encode(), self._walk(owner)

    # Data

    def _special(self, value: Any, kind: type) -> Iterable[bytes] | None:
        """Types whose own pickles hold what does not matter, or too much of it."""
        top = (kind.__module__ or "").partition(".")[0]
        if top == "numpy":
            return self._numpy(value, kind)
        if top == "pandas":
            return self._pandas(value)
        if top == "keras":
            return self._keras(value, kind)
        return None

    def _numpy(self, value: Any, kind: type) -> Iterable[bytes] | None:
        import numpy as np

        if isinstance(value, np.ndarray):
            head = (_name(kind).encode(), repr(value.dtype.descr).encode(), repr(value.shape).encode())
            if value.dtype.hasobject:
                return (*head, *map(self._walk, value.ravel().tolist()))
            return (*head, _bytes_of(value))
        if isinstance(value, np.generic):
            return _name(kind).encode(), value.tobytes()
        if isinstance(value, np.dtype):
            return b"dtype", repr(value.descr).encode()
        if isinstance(value, np.random.RandomState):
            return b"RandomState", self._walk(value.get_state(legacy=False))
        if isinstance(value, np.random.Generator):
            return b"Generator", self._walk(value.bit_generator.state)
        if isinstance(value, np.ufunc):
            return b"ufunc", value.__name__.encode()
        return None

    def _pandas(self, value: Any) -> Iterable[bytes] | None:
        import pandas as pd

        if isinstance(value, pd.DataFrame):
            columns = [self._walk(value.iloc[:, place]) for place in range(value.shape[1])]
            return b"DataFrame", self._walk(value.columns), self._walk(value.index), *columns
        if isinstance(value, pd.Series):
            return b"Series", self._walk(value.name), self._walk(value.index), self._walk(value.array)
        if isinstance(value, pd.MultiIndex):
            return b"MultiIndex", *map(self._walk, value.levels), *map(self._walk, value.codes)
        if isinstance(value, pd.RangeIndex):
            return b"RangeIndex", repr((value.start, value.stop, value.step, value.name)).encode()
        if isinstance(value, pd.Index):
            return b"Index", self._walk(value.name), self._walk(value.array)
        if isinstance(value, pd.Categorical):
            return b"Categorical", self._walk(value.codes), self._walk(value.categories), str(value.ordered).encode()
        if isinstance(value, pd.api.extensions.ExtensionArray):
            return str(value.dtype).encode(), self._walk(value.to_numpy(dtype=object).tolist())
        return None

    def _keras(self, value: Any, kind: type) -> Iterable[bytes] | None:
        """A Keras object is its configuration; a model also its weights, and how it was compiled.

        Its own name is numbered by how many there were before it, and decides nothing.
        """
        if not hasattr(value, "get_config"):
            return None
        config = {key: item for key, item in value.get_config().items() if key != "name"}
        weights = value.get_weights() if hasattr(value, "get_weights") else ()
        compiled = value.get_compile_config() if hasattr(value, "get_compile_config") else None
        return b"keras", self._walk(kind), self._walk(config), self._walk(list(weights)), self._walk(compiled)

    def _object(self, value: Any, kind: type) -> Iterable[bytes]:
        """Any other object: what pickle would ask of it."""
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            message = f"{_name(kind)}: {error}"
            raise UndigestibleError(message) from error
        if isinstance(reduced, str):
            return b"named", self._walk(kind), reduced.encode()
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        return (
            b"object",
            self._walk(kind),
            self._walk(make),
            self._walk(arguments),
            self._walk(state),
            *(self._walk(item) for item in items or ()),
            *(self._walk(list(pair)) for pair in pairs or ()),
        )


_ATOMS: dict[type, Callable[[Any], bytes]] = {
    bool: lambda value: b"\1" if value else b"\0",
    int: lambda value: value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True),
    float: lambda value: struct.pack("<d", value),
    complex: lambda value: struct.pack("<dd", value.real, value.imag),
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: lambda value: value,
    bytearray: bytes,
}
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)


def _hashed(*parts: bytes) -> bytes:
    """The parts, each with its length, so that no two lists of parts look alike."""
    whole = b"".join([piece for part in parts for piece in (len(part).to_bytes(8, "little"), part)])
    return hashlib.blake2b(whole, digest_size=_SIZE).digest()


# The same few names and settings are met in every fit.
@functools.lru_cache(maxsize=4096)
def _of_text(text: str) -> bytes:
    return _hashed(b"str", _ATOMS[str](text))


@functools.cache
def _of_singleton(value: Any) -> bytes:
    return _hashed(repr(value).encode())


def _bytes_of(array: Any) -> bytes:
    """The digest of an array's bytes in C order, without a whole copy of it."""
    import numpy as np

    digest = hashlib.blake2b(array.nbytes.to_bytes(8, "little"), digest_size=_SIZE)
    if array.flags.c_contiguous:
        digest.update(memoryview(array.reshape(-1).view(np.uint8)))
        return digest.digest()
    rows = max(1, _CHUNK // max(1, array.nbytes // max(1, len(array))))
    for first in range(0, len(array), rows):
        digest.update(np.ascontiguousarray(array[first : first + rows]).view(np.uint8).reshape(-1).data)
    return digest.digest()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_empty(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> frozenset[str]:
    """Names that some code, or code inside of it, looks up: globals and attributes."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return frozenset(code.co_names).union(*map(_names, inner))


@functools.lru_cache(maxsize=4096)
def _imports(code: types.CodeType) -> frozenset[str]:
    """Modules that some code, or code inside of it, imports by their whole names."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    found = {step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME" and step.argval}
    return frozenset(found).union(*map(_imports, inner))


@functools.cache
def _is_installed(module_name: str | None) -> bool:
    """Whether a module comes from Python or from a package."""
    top = (module_name or "__main__").partition(".")[0]
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return top != "__main__"
    module = sys.modules.get(top)
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), None)
    if top == "__main__" or place is None:
        return False
    if top == __name__.partition(".")[0] or place.startswith(sysconfig.get_path("stdlib")):
        return True
    # A package in development lies elsewhere, and counts by its code.
    return not _PACKAGES.isdisjoint(Path(place).parts)


@functools.cache
def _version(module_name: str) -> str:
    """The version of a module's package, or of Python for its own modules."""
    top = module_name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "builtins":
        return ".".join(map(str, sys.version_info[:3]))
    version = getattr(sys.modules.get(top), "__version__", None)
    if version is not None:
        return str(version)
    try:
        return importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
