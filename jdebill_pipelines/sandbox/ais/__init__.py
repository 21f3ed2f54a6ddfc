"""A simulator of the JD Edwards AIS Server: logins, the data service and orchestrations over tables in memory.

Belongs here: what Oracle's documentation and observed behaviour say, and switches for what they leave open. Not here:
any import of the client, which must not be able to share a bug with its counterpart.
"""
