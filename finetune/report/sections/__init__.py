"""The sections of a report, a file each: from the facts of a run to parts."""
