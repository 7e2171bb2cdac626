"""The steps of a job, a module each: Gather → Connect → Upload → AskAgent → Export → Deliver, and the quick ones."""
