"""How much of a whole request is done where one stage ends and the next begins, 0 to 1, for the progress bar."""

CONNECTED = 0.05
SENT = 0.15  # the last byte of the files
READ = 0.2  # NemoVideo has read them
ANSWERED = 0.68
RENDERED = 0.94
FETCHED = 0.97
