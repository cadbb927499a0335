"""What `waspada console` is made of: the port, the station behind it in machine mode, and one file for each thing it does. No POSIX-only module anywhere."""
