"""Loading, adapting and setting up the model that is trained."""
