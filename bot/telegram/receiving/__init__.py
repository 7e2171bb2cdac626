"""Updates come in here: polling, webhook, and the application that passes them to the handlers."""
