"""The parametric form of the mixing law and its fit."""
