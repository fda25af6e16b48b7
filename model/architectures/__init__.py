"""State encoders and transition predictors that a configuration can choose by name."""
