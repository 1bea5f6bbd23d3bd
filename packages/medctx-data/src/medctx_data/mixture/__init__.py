"""From sources and a ratio to an ordered mix: config, quotas, draws, composition."""
