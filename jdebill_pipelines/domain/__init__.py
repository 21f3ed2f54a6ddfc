"""Pure rules of the join between JD Edwards and BILL.

Belongs here: what a row means, what may be sent, what a payment does. Does not belong here: input or output of any
kind, frames, Dagster, the names of customers.
"""
