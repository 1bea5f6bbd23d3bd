"""Repair arms: a tuned model mended without training, each a cell type of a study.

``scale``, ``interpolate``, ``combine`` and ``restore-qk`` have a module each; ``run`` is what they have in common.
"""
