"""`python -m runner`: the command line, where no console script is at hand."""

from runner.cli import main

if __name__ == "__main__":
    main()
