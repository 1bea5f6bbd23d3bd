"""How an exam reaches a model: one protocol, several implementations."""
