"""The pictures that the bot draws; the caller passes the words in them."""
