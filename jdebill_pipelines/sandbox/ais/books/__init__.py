"""What JD Edwards does with vouchers, payments and journal entries: the rules behind the orchestrations.

Belongs here: checks and effects on the tables. Not here: HTTP, the shape of an orchestration's input and output.
"""
