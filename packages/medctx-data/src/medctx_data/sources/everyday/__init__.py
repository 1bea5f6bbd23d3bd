"""General Dialogues that medctx generates: everyday tasks, and lists of records as a control."""
