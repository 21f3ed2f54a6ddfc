"""The JD Edwards client: AIS Server over REST.

Belongs here: session, data service, paging, orchestrations. Does not belong here: what the rows mean (``domain``),
where they are kept (``store``), or anything that knows one customer.
"""
