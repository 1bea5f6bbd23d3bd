"""medctx-train: LoRA or full fine-tuning of causal language models on mixtures of Dialogues."""
