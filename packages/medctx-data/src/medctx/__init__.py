"""The shared floor of all medctx packages: records, Books, files, configs, fetching and tracking.

Nothing in here imports torch, transformers, vLLM or MLflow at import time.
"""

__version__ = "0.1.0"
