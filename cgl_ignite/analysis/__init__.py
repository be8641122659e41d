"""What recorded runs tell: figures of a run, and tables over runs."""
