"""The steps of a job, a module each: Connect → Upload → Turn → Export → Deliver, and the questions."""
