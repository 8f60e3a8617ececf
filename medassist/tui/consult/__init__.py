"""The consult screen: two panes and a composer."""
