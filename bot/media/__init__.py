"""Video facts, covers, audio conversion, file types and links; decoders run in a process of their own."""
