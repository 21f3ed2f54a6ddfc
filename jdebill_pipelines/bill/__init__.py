"""BILL REST API v3: session, call limits, endpoints, payload models, webhook signatures.

Knows no customer and no database: who may call now, and where the session is kept, is asked through ``ports``.
"""
