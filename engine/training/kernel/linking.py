"""Machine code that does not depend on what else a process has compiled or loaded, or in which order.

numba links a copy of every compiled function into each of its callers, optimises it there once more, and calls the
copy `weak`: where a process holds several functions of that name, the first one that it compiled or loaded serves all
callers. The copies add up numbers in different orders, for each was optimised where it lies. So a process that
compiled a function and then its caller trained with other code than every later process, which loads the caller alone
from the cache. Here each caller uses its own copies.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import llvmlite.binding  # type: ignore[import-untyped]
import numba.core.codegen

if TYPE_CHECKING:
    from collections.abc import Iterator

_codegen: Any = numba.core.codegen
_LINKAGE = llvmlite.binding.Linkage


class _SelfContained(_codegen.JITCodeLibrary):  # type: ignore[misc]
    """One function's module, with copies of everything that it calls, which are invisible outside."""

    _shared_module: Any

    def _finalize_final_module(self) -> None:
        # What comes from the cache is machine code already, and the module for its callers comes with it.
        if self._shared_module is None:
            self._shared_module = self._for_callers()
            for function in self._final_module.functions:
                if function.linkage == _LINKAGE.linkonce_odr:
                    function.linkage = _LINKAGE.internal
        super()._finalize_final_module()

    def _for_callers(self) -> Any:
        """What a caller links, in the form that the cache would give: the optimiser's result may depend on the form."""
        module = self._final_module.clone()
        for function in module.functions:
            if not function.is_declaration and function.linkage == _LINKAGE.external:
                function.linkage = _LINKAGE.linkonce_odr
        return llvmlite.binding.parse_bitcode(module.as_bitcode())


@contextlib.contextmanager
def self_contained() -> Iterator[None]:
    """Compile and load self-contained modules until the context ends; numba's compiler lock must be held."""
    kind = _codegen.JITCPUCodegen
    before, kind._library_class = kind._library_class, _SelfContained
    try:
        yield
    finally:
        kind._library_class = before
