"""The networks of a bundle, in PyTorch, and the architectures that a configuration can choose."""
