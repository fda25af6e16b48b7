"""How good a model is: the protocols of sibling retrieval, of what comes next, of transitions."""
