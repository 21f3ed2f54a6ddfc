"""A simulator of the BILL v3 API: accounts payable, classifications, payments and webhooks of one organization.

Belongs here: what BILL's documentation and observed behaviour say, and switches for what they leave open. Not here: any
import of the client, which must not be able to share a bug with its counterpart.
"""
