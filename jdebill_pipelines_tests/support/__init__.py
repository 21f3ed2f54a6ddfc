"""What tests of the whole loop share: both simulators, a database, a connection, and readers of both sides."""
