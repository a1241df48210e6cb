"""What is allowed, as data: the policy, its values, its clocks and the law that it cites."""
