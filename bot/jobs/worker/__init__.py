"""What runs jobs: one attempt at a time, watched over and given back when the process ends."""
