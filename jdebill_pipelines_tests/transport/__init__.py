"""Tests of jdebill_pipelines.transport."""
