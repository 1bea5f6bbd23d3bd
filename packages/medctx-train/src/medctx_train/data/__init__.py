"""From a mix folder to packed rows of token ids."""
