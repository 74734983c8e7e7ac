"""What the pool tells Prometheus of itself: counted as it happens (`counts`), or looked at when asked (`standing`)."""
