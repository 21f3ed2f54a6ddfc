"""What of the product is measured, each in a process of its own."""
