"""What training at a maximum length would cut off."""
