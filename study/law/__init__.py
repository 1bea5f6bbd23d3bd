"""The mixing law: knowledge and reading as functions of composition, amount and size; what follows from it."""
