"""What runs the jobs of a study: this machine or a Ray cluster."""
