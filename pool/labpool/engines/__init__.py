"""Who provides devices."""
