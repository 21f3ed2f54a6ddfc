"""What others do with the same servers. Runs in the peers' environment and imports nothing of ours but ``child``."""
