"""What the audit finds, held against faults that were planted."""
