"""Whether code that lies beside a model or tokenizer may run in this process: the one place that decides it.

Every loader of transformers is called with ``trust_remote_code=may_run_foreign_code()``.
"""

from __future__ import annotations

from medctx.process.environment import is_switched_on

FOREIGN_CODE_VARIABLE = "MEDCTX_TRUST_REMOTE_CODE"
"""Environment variable by which users say that they trust the code of the models that they name."""


def may_run_foreign_code() -> bool:
    """Return False unless the environment allows it; no config file can."""
    return is_switched_on(FOREIGN_CODE_VARIABLE)


def foreign_code_advice(reason: str) -> str:
    """Return what a user can do about a loader's refusal to run code; "" if the refusal has another reason."""
    if "custom code" not in reason or may_run_foreign_code():
        return ""
    return f", or set {FOREIGN_CODE_VARIABLE}=1 if you have read its code and trust it"
