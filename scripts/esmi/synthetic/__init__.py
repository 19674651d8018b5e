"""An invented extract: what is assumed, what follows, and the raw files it is written to."""
