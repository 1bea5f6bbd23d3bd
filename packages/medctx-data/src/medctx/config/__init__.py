"""Strict YAML configs and the options every console command shares."""
