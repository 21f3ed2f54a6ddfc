"""What both APIs share: the HTTP session, error classes, redaction and the one retry decision.

Belongs here: transport that knows neither JD Edwards nor BILL. Does not belong here: meanings of their status codes.
"""
