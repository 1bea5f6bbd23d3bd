"""medctx-data: sources, cleaning, overlap and controlled mixtures of Dialogues."""
