"""The `jdebill` command: one module per command group. Nothing imports it."""
