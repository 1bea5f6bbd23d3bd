"""The console command ``medctx-data``."""
