"""A chat's NemoVideo project: open it, call the service for it, repair what can be repaired; accounts."""
