"""`python -m medassist` is the command `medassist`."""

from medassist.cli import main

if __name__ == "__main__":
    main()
