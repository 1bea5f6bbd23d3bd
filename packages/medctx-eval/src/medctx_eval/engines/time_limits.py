"""How long the answers of a server are waited for, unless a config says otherwise."""

TIMEOUT_S = 600.0
"""Time limit of a whole answer, after which it is asked for again."""
GIVE_UP_S = 300.0
"""Time without any answer after which a run ends."""
