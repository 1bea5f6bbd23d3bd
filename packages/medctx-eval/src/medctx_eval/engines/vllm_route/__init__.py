"""What medctx adds to the vLLM server that it starts. vLLM's process imports the module here by its bare name."""
