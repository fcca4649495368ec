"""How a run is kept elsewhere: archives are written, verified and unpacked into a run again."""
