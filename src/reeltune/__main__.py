"""Makes ``python -m reeltune`` the same as ``reeltune``."""

from reeltune.cli.app import main

if __name__ == "__main__":
    main()
