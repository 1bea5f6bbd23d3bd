"""The one exception a user is meant to read."""


class MedctxError(Exception):
    """Something the user can put right: one sentence with the value, the place and the remedy.

    Console commands print the sentence and exit with code 2; every other exception is a defect of
    medctx and keeps its traceback.
    """
