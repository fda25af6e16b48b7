"""Local clones → corpora, shards and batches; histories asked again for where-next."""
