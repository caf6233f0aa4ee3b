"""`python -m t2iflow.runner`, where the console command is not on the path."""

from t2iflow.runner.cli import main

main()
