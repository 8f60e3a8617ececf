"""One file a data set: its format read into documents or questions."""
