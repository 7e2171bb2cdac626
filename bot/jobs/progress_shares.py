"""How much of a whole request is done where one stage ends and the next begins, 0 to 1, for the progress bar.

Within a stage the bar is at ``start + (end - start) * share``. Bytes or percentages give the share; where there
are none, `telegram/sending/progress_bar.py` derives it from the time that the stage usually takes.
"""

CONNECTED = 0.05
SENT = 0.1  # the last byte of the files
READ = 0.15  # NemoVideo has read them
ANSWERED = 0.7
RENDERED = 0.95
FETCHED = 0.97
