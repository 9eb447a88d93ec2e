"""`python -m playmate`: the same as the command `playmate`."""

from playmate.main import main

if __name__ == "__main__":
    main()
