"""The records and files that pass between packages.

Import a record from its module, for example ``from medctx.schemas.records import Dialogue``: each module is loaded
only where it is needed.
"""
