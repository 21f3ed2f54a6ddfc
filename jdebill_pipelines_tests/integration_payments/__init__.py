"""Real data paid in BILL and brought back to JDE, and both sides added up from their own tables."""
