"""The shells that systems are put into: tables, sequences, features, conditions, state."""
