"""One person: the facts, the state they add up to, and what may happen next."""
