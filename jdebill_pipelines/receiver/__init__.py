"""The webhook process: takes BILL's events in, verified, and answers only when they are stored. It acts on none."""
