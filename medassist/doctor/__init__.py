"""`medassist doctor`: checks this computer and the installation."""
