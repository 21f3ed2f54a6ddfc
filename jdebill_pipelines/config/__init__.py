"""Connection files, settings from the environment and the vault's cryptography. Imports nothing else of ours."""
