"""Every setting of a model and of its training, and the names of the stages."""
