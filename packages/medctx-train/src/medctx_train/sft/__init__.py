"""Supervised fine-tuning: the run, its loop, its log and its manifest."""
