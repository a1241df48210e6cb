"""What may be asked about a transfer to another controller. Policy clause 3.2."""
