"""The process and the clock: time, stop signals, events, the terminal."""
