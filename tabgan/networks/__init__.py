"""Plain torch modules."""
