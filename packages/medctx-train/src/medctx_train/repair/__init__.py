"""Repair of a tuned model without training.

The arms ``scale``, ``interpolate``, ``combine`` and ``restore-qk`` have a module each; ``run`` executes them.
"""
