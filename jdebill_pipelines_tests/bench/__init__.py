"""Measurements, not tests: `python -m jdebill_pipelines_tests.bench [scenario...]`, or `make bench`.

Every figure is set against a yardstick of the same run on the same machine. What is measured runs in a process of its
own, so that its peak memory is its own. `docs/benchmarks.md` says how to read the figures.
"""
