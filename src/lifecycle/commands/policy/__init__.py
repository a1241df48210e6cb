"""Commands about the policy itself."""
