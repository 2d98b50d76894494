"""Compiles kernel functions with numba, cached in a writable folder named after everything that decides the code."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import llvmlite  # type: ignore[import-untyped]
import llvmlite.binding  # type: ignore[import-untyped]
import numba
import numba.core.cgutils
import numba.core.compiler_lock
import numba.extending
import numpy as np
import platformdirs

from engine.system import scratch
from engine.system.regular_files import is_my_folder
from engine.training.coverage import ACTIVATIONS
from engine.training.kernel.linking import self_contained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Function = TypeVar("_Function", bound="Callable[..., Any]")

# numba describes neither its settings nor its tools for generating instructions to a type checker.
_settings: Any = numba.config
cgutils: Any = numba.core.cgutils

# Reordering, contraction and reciprocals, but nothing that assumes away NaN or infinity: a diverged loss must show.
_FAST_MATH = {"contract", "reassoc", "nsz", "arcp"}

# What users can set for numba, by NUMBA_... in the environment or in its own file, and what it finds installed.
_SETTINGS_THAT_MATTER = (
    "BOUNDSCHECK",
    "CPU_FEATURES",
    "CPU_NAME",
    "DEBUGINFO_DEFAULT",
    "DISABLE_INTEL_SVML",
    "ENABLE_AVX",
    "LLVM_REFPRUNE_FLAGS",
    "LLVM_REFPRUNE_PASS",
    "LOOP_VECTORIZE",
    "OPT",
    "SLP_VECTORIZE",
    "USING_SVML",
)


def compiled(function: _Function) -> _Function:
    """The function, compiled on its first call for each combination of argument types, without the GIL.

    The floating-point error model is NumPy's: division by zero gives infinity instead of an exception, without
    which loops with a division would not be vectorised.
    """
    # numba reads the folder when it decorates; others in this process keep theirs.
    before, _settings.CACHE_DIR = _settings.CACHE_DIR, str(cache_folder())
    try:
        decorated = numba.njit(error_model="numpy", fastmath=_FAST_MATH, nogil=True, cache=True)(function)
    finally:
        _settings.CACHE_DIR = before
    _let_one_process_compile(decorated)
    return cast("_Function", decorated)


def _let_one_process_compile(dispatcher: Any) -> None:
    """Compile each function in one process of all that share the cache; the others wait, and load what it wrote.

    numba replaces files whole, but two processes that add different types of one function at the same moment
    could each claim the same file. A process that waits holds locks only of functions that call this one, and no
    function is among its own callers: processes never wait in a circle.
    """
    compile_or_load = dispatcher.compile
    name = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__name__}"

    def alone(signature: Any) -> Any:
        # numba's own lock comes first: who waits for it with a file locked would block the thread that has it.
        with numba.core.compiler_lock.global_compiler_lock, lock(name), self_contained():
            return compile_or_load(signature)

    dispatcher.compile = alone


def intrinsic(generator: Callable[..., Any]) -> Any:
    """A function written in the compiler's own instructions: `numba.extending.intrinsic`."""
    return numba.extending.intrinsic(generator)


def specialised(template: _Function, name: str, **parts: Callable[..., Any]) -> _Function:
    """A compiled copy of `template` in which the global names `parts` mean the given compiled functions.

    numba never finds closures again in its file cache, but finds module-level code by its name: hence a copy of
    the function with other globals and a name of its own.
    """
    copy = FunctionType(template.__code__, {**template.__globals__, **parts}, f"{template.__name__}_{name}")
    copy.__qualname__ = copy.__name__
    copy.__module__ = template.__module__
    return compiled(cast("_Function", copy))


@functools.cache
def cache_folder() -> Path:
    """Where compiled code lies: in `$FOLDWATCH_CACHE`, else in the user's cache folder, else in a temporary one.

    Its name holds a hash of the kernel's sources, the codes of activations, the versions that matter and the CPU,
    because numba's cache does not see an edited helper in another file. The temporary folder belongs to
    the search, or to this process; it is used where the others cannot be written, or where another user could have
    written the code that would be run.
    """
    named = os.environ.get("FOLDWATCH_CACHE")
    for parent in (named, platformdirs.user_cache_dir("foldwatch")):
        if parent:
            folder = Path(parent) / f"kernel-{_fingerprint()}"
            if _is_private(folder):
                return folder
    shared = os.environ.get(scratch.VARIABLE)
    if shared:
        return scratch.use(Path(shared))
    own = scratch.use(scratch.new_name())
    atexit.register(scratch.leave, own)
    return own


def _fingerprint() -> str:
    """A hash of everything that decides the kernel's machine code."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    cpu = llvmlite.binding.get_host_cpu_name() + llvmlite.binding.get_host_cpu_features().flatten()
    versions = (numba.__version__, llvmlite.__version__, llvmlite.binding.llvm_version_info, np.__version__)
    settings = [(name, repr(getattr(_settings, name, None))) for name in _SETTINGS_THAT_MATTER]
    # The codes of activations are all that compiled functions use from outside this folder.
    digest.update(repr((versions, sys.version, cpu, settings, ACTIVATIONS)).encode())
    return digest.hexdigest()[:16]


def _is_private(folder: Path) -> bool:
    """Create the folder; whether this user alone can write to it or put another one in its place."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What lies there is executed: no other user may have put it there, or be able to replace it.
        above = folder.parent.stat().st_mode
        if not is_my_folder(folder) or (above & stat.S_IWOTH and not above & stat.S_ISVTX):
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def lock(name: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock among all processes that share the cache; False where another holds it, and `wait` is False.

    Where files cannot be locked, or the file is another user's, every process goes on as if it held the lock: at worst
    all compile the same functions.
    """
    with contextlib.ExitStack() as opened:
        held = True
        try:
            file = opened.enter_context((cache_folder() / f"{name}.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            held = not isinstance(error, BlockingIOError)
        yield held
