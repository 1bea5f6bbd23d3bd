"""The orchestration of whole studies: mixes -> cells -> exam -> report -> registry, through console commands only."""
