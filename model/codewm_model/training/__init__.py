"""The four stages of training, what they need, and the studies and sweeps made of many runs."""
