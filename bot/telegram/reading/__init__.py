"""What a message means: words, links, attachments, who wrote it and to whom. Pure."""
