"""The month-end audit: tie-out, traces and evidence across JD Edwards, BILL and our own records.

Belongs here: what is proven and how, the pack, traces. Does not belong here: reading JDE (steps/), tables (store/).
"""
