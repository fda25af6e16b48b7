"""What a training run leaves behind: its weights, its log and its model card."""
