"""What compares the speed of packages: the data, the processes, who does what, agreement and tables."""
