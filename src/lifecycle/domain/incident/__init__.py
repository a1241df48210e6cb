"""An incident: what happened, who was hit, what was done, who was told."""
