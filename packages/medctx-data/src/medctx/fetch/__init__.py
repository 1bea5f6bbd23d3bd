"""Files from URLs and from the hub, pinned by digest."""
