"""Tests of jdebill_pipelines.jde."""
