"""The floor of medctx: records, Books, files, configs and tracking shared by every package.

Nothing in here imports torch, transformers, vLLM or MLflow at import time.
"""

__version__ = "0.1.0"
