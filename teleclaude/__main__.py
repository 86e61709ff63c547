"""`python -m teleclaude`."""

from teleclaude.cli import main

if __name__ == "__main__":
    main()
