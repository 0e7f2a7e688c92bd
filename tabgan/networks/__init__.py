"""Neural networks as plain torch modules, which know nothing of games or training."""
