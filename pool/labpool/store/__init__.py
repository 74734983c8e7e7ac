"""What the pool remembers: tickets, slots, leases and the audit trail in SQL."""
