"""When this happened, ask that: one file a reaction, named as a sentence."""
