"""The plan of a study: made from its config, registered before anything is trained, and set beside what came out."""
