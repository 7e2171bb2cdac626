"""What runs jobs, several side by side in a process: attempts, watched over and given back when the process ends."""
