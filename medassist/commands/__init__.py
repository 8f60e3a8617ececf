"""The verbs of `medassist`, one file each; `front_door.py` lists them."""
