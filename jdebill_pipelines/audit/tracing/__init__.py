"""The parts of a trace: what it is made of, where it is read, how it is followed and described.

Does not belong here: the way in (audit/trace.py).
"""
