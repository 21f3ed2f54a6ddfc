"""The work behind each asset, free of Dagster, so that assets, command line and tests run the same code."""
