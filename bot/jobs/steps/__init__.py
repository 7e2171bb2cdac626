"""The steps of jobs, a class each: Gather, Connect, Upload, AskAgent, Export, Deliver, and the quick ones."""
