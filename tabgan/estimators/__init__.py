"""The scikit-learn estimators that all models derive from."""
