"""Time, stop signals, events: what touches the process and the clock."""
