"""The console command ``medctx-eval``."""
