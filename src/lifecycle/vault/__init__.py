"""That erased is erased: keys, sealing, epochs and the blind index. Without its key a value is noise."""
