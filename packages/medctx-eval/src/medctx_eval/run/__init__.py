"""An exam run: config, plan, requests, scores and identity of the model."""
